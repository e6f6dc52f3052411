"""What the algebra's values mean: an expectation over a support, a latent KL, a loss per position, pairs."""

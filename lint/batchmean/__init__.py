"""batchmean reads loss code and says when a reduction divides by the wrong count."""

__version__ = "0.1.0"

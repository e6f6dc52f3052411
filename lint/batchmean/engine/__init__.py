"""Abstract interpretation of one module: which loss was reduced over which count.

`candidates` finds the functions worth reading and `relevance` their statements; `interpreter` walks these over the
values of `values` and `shapes`, and `primitives` says what each operation does to a value. `integrands` recognises a
cross-entropy, a KL divergence, an entropy, a latent KL or a loss per position, `masks` what says which positions
count, and `reductions` keeps the account of what was summed, averaged and divided. `analysis` and `miscounts` read
the accounts and make the `events` that the rules see.
"""

"""Abstract interpretation of one module: which loss was reduced over which count.

`index` finds the names and the functions worth reading, `interpreter` walks them over the values of `values`
and `shapes`, `primitives` says what each operation does to a value, `integrands` recognises a cross-entropy, a
KL divergence, an entropy or a latent KL, and `reductions` keeps the account of what was summed, averaged and
divided. The rules see only that account.
"""

"""Abstract interpretation of one module: which loss was reduced over which count.

`candidates` finds the functions worth reading and `relevance` their statements; `interpreter` walks these
over the values of `values` and `shapes`, and `primitives` says what each operation does to a value.
`integrands` recognises a cross-entropy, a KL divergence, an entropy, a latent KL or a loss per position,
`masks` what says which positions count, and `reductions` keeps the account of what was summed, averaged and
divided. `factors` alone turns an account into a factor. `analysis` and `miscounts` read the accounts and make
the `events` that the rules see.

The domain, in words.

Values. A tensor is a sum of products of atoms with a shape and the accounts of its reductions; an atom is
something the engine does not look into (a softmax, a logarithm, a parameter). A value that comes from
branches is one of several cases, each under the decisions that lead to it (`Alternatives`). Unknown is the
largest value: nothing is reported of it.

Axes have identity. Two axes are one only where the code shows it; a count is the length of an axis or of a
whole shape. An axis that is not shown is never "the batch" and never the same as another: while the rank is
unknown, what is counted from the left and what is counted from the right may be one, and then nothing is
said. Equalities of axes and what is learned of a rank hold for the whole function, before and after the line
that shows them: this is the only thing that is insensitive to the order of statements.

Decisions. What a test asks about is its subject (`paths`): two tests of the same value are one decision
wherever they stand, and cases that exclude each other never meet in one expression or one account.

The join (`join`). Where branches meet a name has the cases of all of them; equal values are one, and unknown
values of a kind are one unknown that has all their names. It is commutative and idempotent and adds nothing.
There is no widening but the bounds: more cases than are kept, a case under more decisions, a sum of more losses
or a loss of more steps is one unknown, and the accounts in it are withdrawn, as are those handed to a call
that is not followed. A loop's body is taken once, or not at all.

Evidence. Names, comments and annotations may make a finding likely, or silence one; they never make one
proved, and never does an assumed rank or an assumed axis. `proved` promises that every array for which the
code runs has the factor that is told, whatever the names in it.
"""

"""Abstract interpretation of one module: which loss was reduced over which count.

`selection` finds the functions worth reading and their statements; `machine` walks these over the values of `domain`,
and `primitives` says what each operation does to a value. `recognise` knows a cross-entropy, a KL divergence, an
entropy, a latent KL or a loss per position when it sees one; from there on `domain.accounts` keeps the account of
what was summed, averaged and divided, and `factors` alone turns an account into a factor. `analysis` ends with the
`ledger`: the engine knows no rule. `epochs` is a walk of its own, over what training loops add up.

Values. A tensor is a sum of products of atoms with a shape and the accounts of its reductions; an atom is
something the engine does not look into (a softmax, a logarithm, a parameter). An atom is made by what it is made
of: equal structure, one key (`domain.keys`), and keys belong to one analysis. A value that comes from
branches is one of several cases, each under the decisions that lead to it (`Alternatives`). Unknown is the
largest value: nothing is reported of it.

Axes have identity. Two axes are one only where the code shows it; a count is the length of an axis or of a
whole shape. An axis that is not shown is never "the batch" and never the same as another: while the rank is
unknown, what is counted from the left and what is counted from the right may be one, and then nothing is
said. Equalities of axes and what is learned of a rank hold for the whole function, before and after the line
that shows them: this is the only thing that is insensitive to the order of statements. A rank that one branch shows
(`domain.ways`) is not that of the branches that exclude it, and proves nothing where it need not have been shown.

Memory. An array has as many names as it was given, and so have its views, lists and dictionaries (`Tensor.storage`,
`machine.memory`): what is changed in place under one of them is unknown under all the others. What a call changes
beside what it gives (its arguments, attributes of its object, names around it) is read off the syntax
(`selection.changes`) and unknown behind the call, as far as it was not followed there. A name that some function sets
by `global`, an attribute that a class or an heir sets, a hook that an heir replaces is unknown wherever it is read;
of a number that the code gives to something of the same name nothing is known but that it may be that one
(`Atom.numbers`), and what may be the class count puts a loss right as far as anybody knows. What is added up in
each round of a loop is added up as often as it goes round (`machine.rounds`). Functions that are decorated, handed
on or extended by an heir are read through what is made of them first.

Decisions. What a test asks about is its subject (`domain.paths`): two tests of the same value are one decision
wherever they stand, and cases that exclude each other never meet in one expression or one account.

The join (`domain.join`). Where branches meet a name has the cases of all of them; equal values are one, and unknown
values of a kind are one unknown that has all their names. It is commutative and idempotent and adds nothing.
There is no widening but the bounds: more cases than are kept, a case under more decisions, a sum of more losses
or a loss of more steps is one unknown, and the accounts in it are withdrawn, as are those handed to a call that is
too deep to be followed, or to code out of sight together with the number of their classes (`machine.out_of_sight`).
The body of a `for` loop is taken once, that of a `while` loop once or not at all; loops through
the items of arrays that only add up a loss are read as the sum over the whole arrays (`machine.item_loops`), where
that shows the rank, or by names alone where it is assumed.

Evidence. Names, comments and annotations (`evidence`, all of it) may make a finding likely, or silence one; they
never make one proved, and never does an assumed rank or an assumed axis. `proved` promises that every array for
which the code runs has the factor that is told, whatever the names in it.
"""

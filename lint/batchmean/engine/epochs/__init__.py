"""What the loops of training code add up, and what the totals are divided by.

The accounts of the engine begin at an integrand. A training loop mostly shows none: it calls a criterion, adds up the
numbers that this gives, and divides the total by a count. So it is walked over values of its own: *figures* of a batch,
which are means or sums over it and know the loops that they were added up over; and *counts*, which know what they
count, the rounds of a loop, the examples of the data behind its batches, or those that were counted in it by hand.

A division is wrong where both sides are shown: a total of means over a number of examples, a total of sums over a
number of batches, exponentials over either; a mean over the tokens of a micro-batch over the accumulation steps, or
over the devices, whose batches have other numbers of tokens; a total over the batches of one loader over a count of
another, whose names speak of other parts of the data. What is unknown, conditional, weighed, set back in between or
told in the middle of an epoch is no finding, and whatever is done to a quotient takes its finding back.
"""

"""What names, comments and the wording of code suggest: weak evidence, all of it in this folder.

A verdict that rests on any of it is `likely`, never `proved`; most of it is used to silence. A pattern is a
`Pattern`: it says why it may be relied on, and has examples of names that it takes and of names that it leaves,
which a test swaps for one another: within a pattern no name may decide anything.
"""

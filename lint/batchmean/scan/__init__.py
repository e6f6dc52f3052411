"""`batchmean scan`: very many files, from folders, Parquet, archives and bare git repositories, on Dask.

`sources` names what there is to read in pieces, and reads a piece; `child` reads and lints in a process of its own,
which may crash, hang or run out of memory; `guard` watches that process and narrows down which file it was; `parts` is
what is written; `run` is the work on the cluster, and `claims` how each content is linted once; `report` reads what was
written. Dask, pyarrow, DuckDB and dulwich are imported where they are needed: they are the extra `[scale]`.
"""

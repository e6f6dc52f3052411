"""Walks the code over the values of the domain: expressions, statements, calls, imports."""

"""The reference: right losses in NumPy, laws that need no reference, and measured factors."""

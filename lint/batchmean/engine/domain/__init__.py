"""The abstract domain: values, their join, axes with identity, and the accounts of reductions."""

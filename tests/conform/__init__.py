"""Conformance: every vector file of an upstream program, answered by the production core.

`python -m tests.conform FILE…` runs files by hand; `test_vectors.py` runs those kept in `tests/data/vectors`.
"""

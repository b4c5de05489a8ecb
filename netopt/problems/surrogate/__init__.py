"""Sparse surrogates: search a pruned network for points that are good on the dense one."""

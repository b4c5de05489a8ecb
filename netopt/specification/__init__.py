"""Domains, properties, and the VNN-LIB files that hold them."""

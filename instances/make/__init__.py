"""Seeded scripts that made everything in `instances/`: run them with ``python -m instances.make.<name>``."""

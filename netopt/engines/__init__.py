"""Engines: ways of maximising over a network with a proof."""

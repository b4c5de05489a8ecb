"""Pruning: masks over a trained network's weights, and the sparse networks they make."""

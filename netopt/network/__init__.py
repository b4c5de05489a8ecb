"""Trained networks as graphs of Affine and ReLU nodes, their readers and writers."""

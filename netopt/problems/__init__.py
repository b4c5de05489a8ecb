"""Verification and maximization, start to end."""

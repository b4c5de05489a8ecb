"""Proof logs: what a search did, written down, and a checker that follows it with arithmetic of its own."""

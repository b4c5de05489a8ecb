"""Multidimensional subset sums: which of many vectors to add up so that their sum comes close to a target."""

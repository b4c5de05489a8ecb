"""Primal heuristics: points of a domain that score well."""

"""Sparse models that are relaxations of the dense one: part of a layer's rows becomes bounded slack."""

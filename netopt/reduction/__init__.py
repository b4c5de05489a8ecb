"""Smaller networks that equal a given one over a domain."""

from netopt.reduction.reduce import Reduction as Reduction
from netopt.reduction.reduce import reduce_network as reduce_network

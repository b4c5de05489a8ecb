"""From a network over a domain to a mixed-integer linear model."""

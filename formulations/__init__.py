"""Mathematics of one ReLU layer as rows of a mixed-integer linear model; imports nothing of netopt."""

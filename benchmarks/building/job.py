"""One measurement in a process of its own: ``python -m building.job TOOL 784,512,10 SEED``."""

from __future__ import annotations

import json
import resource
import sys
import time

from building.networks import random_weights


def main(tool: str, widths: str, seed: str) -> None:
    """Build once and print wall and CPU seconds of the build alone, the model's size and the peak memory.

    A tiny network is built into another model first, so that no tool's time holds its lazy imports.
    """
    if tool.startswith("netopt-"):
        from building.ours import TOOLS
    else:
        from building.peers import TOOLS
    TOOLS[tool](*random_weights([3, 2, 1], 0))[0]()
    weights, biases = random_weights([int(width) for width in widths.split(",")], int(seed))
    build, size = TOOLS[tool](weights, biases)
    wall, cpu = time.perf_counter(), time.process_time()
    build()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    print(json.dumps({"wall_seconds": wall, "cpu_seconds": cpu, "peak_megabytes": peak} | size()))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Tickets and HARP from beginning to end on the CPU and on the GPU at hand: wall-clock seconds.

Usage: python benchmarks/gpu/end_to_end.py [--width N] [--images N] [-o end_to_end.csv]

Where there is no GPU, the CPU's column is measured alone.
"""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from netopt.errors import InvalidOptionError
from netopt.gpu.device import array_library, describe_gpu
from netopt.network.load import load_network
from netopt.pruning.harp.training import harp
from netopt.ticket.ticket import find_ticket

HERE = Path(__file__).resolve().parent
NETWORKS = HERE.parents[1] / "instances" / "networks"
_KEEP = 0.1


def jobs(width: int, images: int) -> dict[str, Callable[[str], object]]:
    """Return what is timed, by name: functions of the device."""
    small, large = (load_network(NETWORKS / f"{name}.onnx") for name in ("digits-2x20", "mnist-2x256"))
    rng = np.random.default_rng(0)
    data, labels = rng.random((images, large.input_size)), rng.integers(0, 10, images)
    return {
        f"ticket of digits-2x20, width {width}": lambda device: find_ticket(small, width, device=device),
        f"HARP of mnist-2x256, {images} images, an epoch of each stage": lambda device: harp(
            large, data, labels, keep=_KEEP, epochs=1, finetune_epochs=1, device=device
        ),
    }


def main() -> None:
    """Time every job on every device there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "end_to_end.csv")
    options = parser.parse_args()
    devices = ["cpu"]
    try:
        array_library("cuda")
        devices.append("cuda")
    except InvalidOptionError as error:
        print(f"the CPU alone: {error}")
    rows = []
    for name, work in jobs(options.width, options.images).items():
        for device in devices:
            if device == "cuda":
                try:
                    work(device)  # kernels are compiled and libraries loaded once
                except InvalidOptionError as error:  # a torch without CUDA
                    print(f"{name}: not measured on the GPU: {error}")
                    continue
            start = time.perf_counter()
            work(device)
            seconds = time.perf_counter() - start
            on = describe_gpu().name if device == "cuda" else "one process"
            rows.append({"job": name, "device": device, "seconds": seconds, "on": on, "date": datetime.date.today()})
            print(f"{name}: {device} ({on}) {seconds:.1f} s")
    pd.DataFrame(rows).to_csv(options.output, index=False)


if __name__ == "__main__":
    main()

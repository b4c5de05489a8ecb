"""What netopt does, on a network trained on MNIST: one proof, one counterexample, one maximum. Run by ``make demo``."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

import netopt

INSTANCES = Path(__file__).resolve().parents[1] / "instances"
SHADES = " .:-=+*#%@"


def main() -> None:
    """Run the three questions and print the answers."""
    network = netopt.load_network(INSTANCES / "networks/mnist-2x50.onnx")
    threads = os.cpu_count() or 1
    print(f"network: {network.input_size} pixels, {network.relu_count} ReLUs, {network.output_size} classes,")
    print(f"sha256 {network.sha256}\n")
    for radius in ("0.02", "0.03"):
        prop = netopt.read_vnnlib(INSTANCES / f"properties/mnist-img2-eps{radius}.vnnlib.gz")
        print(f"verify: can a change of at most {radius} a pixel turn the digit 1 into another?")
        result = netopt.verify(network, prop, time_limit=60.0, threads=threads)
        show_verdict(result)
        if result.witness is not None:
            show_witness(result.witness)

    prop = netopt.read_vnnlib(INSTANCES / "properties/mnist-img2-eps0.01.vnnlib.gz")
    print("maximize: how high can the score of class 7 be within 0.01 a pixel?")
    best = netopt.maximize(network, prop.cases[0].domain, output=7, time_limit=60.0, threads=threads)
    print(f"  {best.status.value} in {best.seconds:.2f} s")
    print(f"  attained {best.primal_bound:.6f}, proven at most {best.dual_bound:.6f} by {', '.join(best.proved_by)}")


def show_verdict(result: netopt.VerificationResult) -> None:
    """Print verdict, bounds, time and what they rest on."""
    print(f"  {result.status.value} in {result.seconds:.2f} s")
    if result.margin is not None:
        print(f"  best slack proven below {result.dual_bound:.6f} by {', '.join(result.proved_by)}")
    for stage in result.stages:
        sizes = ", ".join(f"{name} {value}" for name, value in stage.items() if isinstance(value, int))
        print(f"    {stage['name']:<12}{stage['seconds']:7.2f} s  {sizes}")
    print()


def show_witness(witness: netopt.Witness) -> None:
    """Print the scores of the witness, replayed by onnxruntime, and draw it."""
    print(f"  witness: class {int(np.argmax(witness.y))}, scores {np.array2string(witness.y, precision=2)}")
    for row in witness.x.reshape(28, 28)[4:24:2]:
        print("  " + "".join(SHADES[min(9, int(value * 10))] * 2 for value in row))
    print()


if __name__ == "__main__":
    main()

"""Measure netopt's CUDA kernels on the GPU at hand, beside what the hardware could do at best.

Usage: python benchmarks/gpu/run.py [--repeats N] [-o results.csv]

Writes the measurements, and table.md beside them.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from cases import Case, cases
from timing import call_seconds, copy_bandwidth, float_rate, kernel_seconds

from netopt.errors import InvalidOptionError
from netopt.gpu.device import Gpu, array_library, describe_gpu

HERE = Path(__file__).resolve().parent


def measure(cupy: Any, case: Case, bandwidth: float, rate: float, repeats: int) -> dict[str, object]:
    """Return one row: times of the call and of its kernels, and the least time for the traffic and the arithmetic."""
    call = call_seconds(cupy, case.work, repeats)
    kernels = kernel_seconds(cupy, case.work, repeats)
    in_kernels = sum(kernels.values())
    floor = max(case.traffic / bandwidth, case.instructions / rate)
    return {
        "case": case.name,
        "call_seconds": call,
        "kernel_seconds": in_kernels,
        "kernels": "; ".join(f"{name} {1e6 * seconds:.1f} us" for name, seconds in kernels.items()),
        "bound": "memory" if case.traffic / bandwidth >= case.instructions / rate else "arithmetic",
        "bound_seconds": floor,
        "share_of_bound": floor / in_kernels,
        "rate": case.amount / in_kernels,
        "unit": case.unit,
        "baseline_seconds": call_seconds(cupy, case.baseline, repeats) if case.baseline else None,
        "cpu_seconds": _host_seconds(case),
    }


def _host_seconds(case: Case) -> float | None:
    if case.on_cpu is None:
        return None
    case.on_cpu()
    start = time.perf_counter()
    case.on_cpu()
    return time.perf_counter() - start


def table(rows: pd.DataFrame, gpu: Gpu, bandwidth: float, rate: float) -> str:
    """Return the table as Markdown, with what it was measured on."""
    driver, runtime = (f"{version // 1000}.{version % 1000 // 10}" for version in (gpu.driver, gpu.runtime))
    lines = [
        f"{gpu.name}, {gpu.multiprocessors} multiprocessors; CUDA driver {driver}, runtime {runtime}, CuPy {gpu.cupy};"
        f" {platform.machine()} host; {datetime.date.today().isoformat()}. A copy moves {bandwidth / 1e12:.2f} TB/s;"
        f" at the clock the driver states, {rate / 1e12:.1f}e12 float32 instructions a second.",
        "",
        "| case | kernels, us | call, us | bound, us | share of bound | rate | torch sorts, us | NumPy on a CPU, ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows.itertuples():
        baseline = "" if pd.isna(row.baseline_seconds) else f"{1e6 * row.baseline_seconds:.0f}"
        host = "" if pd.isna(row.cpu_seconds) else f"{1e3 * row.cpu_seconds:.0f}"
        lines.append(
            f"| {row.case} | {1e6 * row.kernel_seconds:.1f} | {1e6 * row.call_seconds:.1f}"
            f" | {1e6 * row.bound_seconds:.1f} ({row.bound}) | {100 * row.share_of_bound:.0f} %"
            f" | {row.rate:.2e} {row.unit}/s | {baseline} | {host} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure all cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "results.csv")
    options = parser.parse_args()
    try:
        cupy, gpu = array_library("cuda"), describe_gpu()
    except InvalidOptionError as error:
        parser.exit(2, f"{error}\n")
    bandwidth, rate = copy_bandwidth(cupy), float_rate(cupy)
    rows = pd.DataFrame([measure(cupy, case, bandwidth, rate, options.repeats) for case in cases(cupy)])
    about = {f"gpu_{name}": value for name, value in asdict(gpu).items() if "memory" not in name}
    rows.assign(**{name: str(value) for name, value in about.items()}, date=datetime.date.today()).to_csv(
        options.output, index=False
    )
    text = table(rows, gpu, bandwidth, rate)
    options.output.with_name("table.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()

"""A peer with netopt's interface: ``peer.py TOOL verify NET.onnx PROP.vnnlib --time-limit=S --json --quiet``.

Runs under the peers' interpreter, which knows nothing of netopt, and loads nothing but the peer. Files that are
compressed are decompressed first, a few milliseconds. The answer is the peer's own word: no witness is replayed.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

_VERDICT = re.compile(r"^\W*(unsat|sat|timeout|unknown)\b", re.IGNORECASE | re.MULTILINE)


def main() -> None:
    """Ask the peer and print its answer as netopt's JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tool", choices=sorted(TOOLS))
    parser.add_argument("command", choices=["verify"])
    parser.add_argument("network", type=Path)
    parser.add_argument("property", type=Path)
    parser.add_argument("--time-limit", type=float, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", required=True)
    parser.add_argument("--quiet", action="store_true")
    asked = parser.parse_args()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        network, query = (_plain(path, Path(folder)) for path in (asked.network, asked.property))
        words = TOOLS[asked.tool](network, query, asked.time_limit, asked.threads, Path(folder))
        result = Path(folder, "result.txt")
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=asked.time_limit
            )
            text, status = result.read_text() if result.is_file() else done.stdout, done.returncode
        except subprocess.TimeoutExpired:
            text, status, done = "timeout", 0, None
        digest = hashlib.sha256(network.read_bytes()).hexdigest()
    found = _VERDICT.search(text)
    if found is None:
        sys.exit(f"{asked.tool} ended with status {status} and no verdict: {done.stderr[-1500:] if done else ''}")
    print(json.dumps(_as_json(asked.tool, found[1].lower(), digest, time.perf_counter() - begun)))


def _plain(path: Path, folder: Path) -> Path:
    """Return the file itself, or a decompressed copy."""
    if path.suffix != ".gz":
        return path
    copy = folder / path.stem
    copy.write_bytes(gzip.decompress(path.read_bytes()))
    return copy


def _marabou(network: Path, query: Path, limit: float, threads: int, folder: Path) -> list[str]:
    program = Path(sys.executable).with_name("Marabou")
    several = ["--snc", f"--num-workers={threads}"] if threads > 1 else []
    return [str(program), str(network), str(query), f"--timeout={int(limit)}", "--verbosity=0", *several]


def _vibecheck(network: Path, query: Path, limit: float, threads: int, folder: Path) -> list[str]:
    options = ["--timeout", f"{limit:g}", "--device", "cpu", "--results-file", str(folder / "result.txt")]
    return [sys.executable, "-m", "vibecheck", "--net", str(network), "--spec", str(query), *options]


TOOLS: dict[str, Callable[[Path, Path, float, int, Path], list[str]]] = {
    "marabou": _marabou,
    "vibecheck": _vibecheck,
}


def _as_json(tool: str, verdict: str, digest: str, seconds: float) -> dict[str, object]:
    return {
        "schema": 1,
        "command": "verify",
        "status": verdict,
        "network_sha256": digest,
        "primal_bound": None,
        "dual_bound": None,
        "gap": None,
        "witness": None,
        "stages": [],
        "proved_by": [tool] if verdict == "unsat" else [],
        "notices": [],
        "seconds": seconds,
    }


if __name__ == "__main__":
    main()

"""`netopt verify`, its proofs checked, as a setting of a campaign: ``program=python -m instances.make.proved``.

Takes the arguments of `netopt verify` and answers in its JSON. Where `netopt check`, which bounds the parts of a proof
in arithmetic of its own, finds it valid and trusts no claim, `confirmed_by` names it. The stage `check` has figures.
The search has half of the time limit, the check is there for the rest.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CHECKER = "netopt check"
Answer = dict[str, Any]


def netopt(*arguments: str) -> tuple[Answer, int]:
    """Return the JSON that a command of netopt answers with, and its exit status."""
    command = [sys.executable, "-m", "netopt.cli.main", *arguments, "--json"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if not ended.stdout:
        sys.exit(f"netopt {arguments[0]} ended with status {ended.returncode} and no answer")
    return json.loads(ended.stdout), ended.returncode


def proved(network: str, prop: str, options: list[str]) -> tuple[Answer, int]:
    """Return the answer of `netopt verify`, confirmed where its proof is valid, and its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        proof = Path(folder) / "proof.npz"
        answer, status = netopt("verify", network, prop, *options, "--proof", str(proof))
        return (with_check(answer, netopt("check", str(proof), network, prop)[0]) if proof.exists() else answer), status


def with_check(answer: Answer, check: Answer) -> Answer:
    """Return the answer with the checker's finding: an `unsat` is confirmed by a valid proof and nothing less."""
    stage = {"name": "check", **{name: check[name] for name in ("seconds", "status", "parts", "own_splits")}}
    confirmed = answer["status"] == "unsat" and check["status"] == "valid"
    return answer | {"stages": [*answer["stages"], stage]} | ({"confirmed_by": CHECKER} if confirmed else {})


def main() -> None:
    """Answer one problem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["verify"])
    parser.add_argument("network")
    parser.add_argument("property")
    parser.add_argument("--time-limit", type=float, required=True, help="seconds of search and check")
    parser.add_argument("--json", action="store_true", required=True)
    asked, options = parser.parse_known_args()
    answer, status = proved(asked.network, asked.property, [*options, f"--time-limit={asked.time_limit / 2:g}"])
    print(json.dumps(answer))
    sys.exit(status)


if __name__ == "__main__":
    main()

"""A stand-in for the netopt command: what it does is the name of the network."""

import json
import os
import signal
import sys
import time
from pathlib import Path

command, network, *rest = sys.argv[1:]
deed = Path(network).stem.split("-")[0]
with Path(os.environ["NETOPT_TEST_CALLS"]).open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\n")
answer = {
    "schema": 1,
    "command": command,
    "status": deed,
    "network_sha256": "0" * 64,
    "primal_bound": 1.0 if command == "maximize" else None,
    "dual_bound": 2.0 if command == "maximize" else -0.5,
    "gap": None,
    "witness": {"x": [0.25, 0.5], "y": [1.0]} if deed == "sat" else None,
    "stages": [
        {"name": "bounds", "seconds": 0.25, "unstable": 3, "worst": 1.5},
        {"name": "bounds", "seconds": 0.5, "unstable": 4, "worst": 2.5},
        {
            "name": "prove",
            "seconds": 0.1,
            "dual_bound": None if deed == "sat" else -0.5,
            "open": 3 if deed == "sat" else "all",
        },
    ],
    "proved_by": ["crown"],
    "notices": [],
    "seconds": 0.5,
}
if deed == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
if deed == "refuse":
    sys.exit("the network is not one")
if deed == "hang":
    time.sleep(600)
if deed == "grow":
    block = bytearray(400 * 2**20)
    block[::4096] = b"x" * len(block[::4096])
    time.sleep(600)
if deed == "optimal":
    answer["primal_bound"] = answer["dual_bound"] = 1.5
if deed == "slow":
    time.sleep(0.3)
    answer["status"] = "unsat"
if deed == "other":
    answer["schema"] = 2
sys.stdout.write(json.dumps(answer))

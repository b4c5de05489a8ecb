#!/bin/bash
# VNN-COMP: install the tool. Usage: install_tool.sh v1
# Creates the virtual environment .venv in the checkout with the exact versions of constraints.txt.
set -eu

if [ "${1:-}" != v1 ]; then
    echo "usage: install_tool.sh v1" >&2
    exit 1
fi
root=$(cd "$(dirname "$0")/.." && pwd)
"${PYTHON:-python3}" -m venv "$root/.venv"
"$root/.venv/bin/python" -m pip install --quiet --constraint "$root/constraints.txt" --editable "$root"
# An editable install leaves its modules uncompiled; compiling them would be part of the first instances' time.
"$root/.venv/bin/python" -m compileall -q "$root/netopt" "$root/formulations"

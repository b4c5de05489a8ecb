#!/bin/bash
# VNN-COMP: get ready for an instance. Usage: prepare_instance.sh v1 CATEGORY NET.onnx PROP.vnnlib
# Exit status 0: the instance can be run; 1: it cannot, and standard error says why.
set -eu

if [ "$#" -ne 4 ] || [ "$1" != v1 ]; then
    echo "usage: prepare_instance.sh v1 CATEGORY NET.onnx PROP.vnnlib" >&2
    exit 1
fi
root=$(cd "$(dirname "$0")/.." && pwd)
for file in "$3" "$4"; do
    if [ ! -r "$file" ]; then
        echo "$file cannot be read; give another path" >&2
        exit 1
    fi
done
# Reading the network refuses operators that are not piecewise linear before the clock runs, and warms the file cache.
"$root/.venv/bin/netopt" info "$3" > /dev/null || exit 1

#!/bin/bash
# VNN-COMP: decide an instance. Usage: run_instance.sh v1 CATEGORY NET.onnx PROP.vnnlib RESULTS TIMEOUT
# RESULTS gets sat (with the witness), unsat, unknown (also of networks and properties that netopt does not take; standard
# error says why), timeout or error. Exit status 0 unless the call itself is wrong.
set -u

if [ "$#" -ne 6 ] || [ "$1" != v1 ]; then
    echo "usage: run_instance.sh v1 CATEGORY NET.onnx PROP.vnnlib RESULTS TIMEOUT" >&2
    exit 1
fi
root=$(cd "$(dirname "$0")/.." && pwd)
results=$5
for file in "$3" "$4"; do
    if [ ! -r "$file" ]; then
        echo "$file cannot be read; give another path" >&2
        echo error > "$results"
        exit 0
    fi
done
# The interpreter's start is part of the time, and verify may return up to a second late.
limit=$(awk -v timeout="$6" 'BEGIN { print (timeout > 4 ? timeout - 2 : timeout / 2) }')
rm -f "$results"
"$root/.venv/bin/netopt" verify "$3" "$4" --time-limit "$limit" --threads "$(nproc)" --results-file "$results"
status=$?
case $status in
    0 | 3) ;;
    2) echo unknown > "$results" ;;
    *) echo error > "$results" ;;
esac

"""Check a counterexample without netopt: onnxruntime on the file, and the text that `robustness` wrote."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

_BOUND = re.compile(r"\(assert \((>=|<=) X_(\d+) (\S+)\)\)")
_RIVAL = re.compile(r"\(>= Y_(\d+) Y_(\d+)\)")


def is_counterexample(onnx: Path, vnnlib: Path, x: Sequence[float]) -> bool:
    """Return whether `x`, as float32, lies in the property's box and another class scores at least the label's."""
    text = gzip.decompress(vnnlib.read_bytes()).decode()
    point = np.asarray(x, dtype=np.float32)
    bounds = {">=": np.full(point.size, np.nan), "<=": np.full(point.size, np.nan)}
    for side, index, value in _BOUND.findall(text):
        bounds[side][int(index)] = float(value)
    inside = np.all((bounds[">="] <= point) & (point <= bounds["<="]))
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    tensor = session.get_inputs()[0]
    scores = np.ravel(session.run(None, {tensor.name: point.reshape(tensor.shape)})[0])
    broken = any(scores[int(rival)] >= scores[int(label)] for rival, label in _RIVAL.findall(text))
    return bool(inside and broken)

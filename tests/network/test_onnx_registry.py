"""The operators that are read: each in one module, none forgotten; modules of rare ones are loaded when needed."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
from activation_patterns import random_perceptron

from netopt.network import onnx_reader
from netopt.network.onnx_reader.registry import lowering, operators
from netopt.network.onnx_writer import write_onnx


def test_every_operator_of_every_module_is_listed_once() -> None:
    names = [f"{onnx_reader.__name__}.{module.name}" for module in pkgutil.iter_modules(onnx_reader.__path__)]
    tables = [getattr(import_module(name), "LOWERINGS", {}) for name in names]
    written = {operator: function for table in tables for operator, function in table.items()}
    assert len(written) > 50
    assert sorted(operators()) == sorted(operator for table in tables for operator in table) == sorted(written)
    assert all(lowering(operator) is function for operator, function in written.items())


def test_an_operator_that_is_not_piecewise_linear_has_no_lowering() -> None:
    assert lowering("Sigmoid") is None


def test_a_perceptron_is_read_without_the_modules_of_images(tmp_path: Path) -> None:
    write_onnx(random_perceptron(np.random.default_rng(0), [3, 5, 1]).network, tmp_path / "net.onnx")
    script = (
        "import sys; from netopt.network.load import load_network\n"
        f"load_network({str(tmp_path / 'net.onnx')!r})\n"
        "rare = [f'netopt.network.onnx_reader.{name}' for name in ('pooling', 'convolution_layer', 'resampling')]\n"
        "print([name for name in rare if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"

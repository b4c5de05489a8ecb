"""The network of the tests of commands, as a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import NETWORK

from netopt.network.onnx_writer import write_onnx


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    write_onnx(NETWORK, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"

"""Fixtures every test may use, and the hypothesis profile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile(
    "netopt", deadline=None, max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("netopt")


@pytest.fixture(scope="session")
def vnncomp() -> Path:
    """Folder of public verification benchmarks with known answers, beside the checkout; never part of it."""
    folder = Path(os.environ.get("NETOPT_VNNCOMP", ROOT.parent / "shared" / "vnncomp"))
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; set NETOPT_VNNCOMP to a folder of VNN-COMP benchmarks")
    return folder


@pytest.fixture(scope="session")
def image_data() -> Path:
    """Folder with mnist.npz and fashion_mnist.npz, beside the checkout; never part of it."""
    folder = Path(os.environ.get("NETOPT_IMAGE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; set NETOPT_IMAGE_DATA to a folder with mnist.npz")
    return folder

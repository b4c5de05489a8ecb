"""Upsample and Resize against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import agrees, node, write_model

from netopt.errors import InputError, UnsupportedOperatorError
from netopt.network.load import load_network

SHAPE = (1, 2, 3, 4)
DOUBLE = np.array([1, 1, 2, 2], dtype=np.float32)


def write(path: Path, opset: int, *, sizes: Any = None, scales: Any = DOUBLE, **attributes: Any) -> Path:
    """Write a Resize of an image, given its sizes or scales."""
    if opset < 11:
        made = node("Resize", "x s", **attributes)
        constants = {"s": scales}
    else:
        made = node(
            "Resize", ["x", "r", "s" if sizes is None else "r"] + ([] if sizes is None else ["z"]), **attributes
        )
        constants = {"r": np.zeros(0, np.float32)} | ({"s": scales} if sizes is None else {"z": np.array(sizes)})
    return write_model(path, [made], {"x": SHAPE}, constants=constants, opset=opset)


MODES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]


@pytest.mark.parametrize("transformation", MODES)
@pytest.mark.parametrize("rounding", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
def test_nearest(transformation: str, rounding: str, tmp_path: Path) -> None:
    for scales in ([1, 1, 2, 3], [1, 1, 1.5, 2.5], [1, 1, 4, 0.5]):
        path = write(
            tmp_path / "m.onnx",
            13,
            scales=np.array(scales, dtype=np.float32),
            coordinate_transformation_mode=transformation,
            nearest_mode=rounding,
        )
        agrees(path)


@pytest.mark.parametrize("transformation", MODES)
@pytest.mark.parametrize("sizes", [[1, 2, 7, 5], [1, 2, 6, 1], [1, 2, 3, 9]])
def test_linear(transformation: str, sizes: list[int], tmp_path: Path) -> None:
    agrees(write(tmp_path / "m.onnx", 13, sizes=sizes, mode="linear", coordinate_transformation_mode=transformation))


def test_symmetric_half_pixels(tmp_path: Path) -> None:
    scales = np.array([1, 1, 1.5, 1.3], dtype=np.float32)
    path = write(
        tmp_path / "m.onnx", 19, scales=scales, mode="linear", coordinate_transformation_mode="half_pixel_symmetric"
    )
    agrees(path)


def test_some_axes(tmp_path: Path) -> None:
    agrees(write(tmp_path / "m.onnx", 18, scales=np.array([3, 2], dtype=np.float32), axes=[-1, 2]))
    agrees(write(tmp_path / "m.onnx", 18, sizes=[8], axes=[3], mode="linear"))


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_older_opsets(mode: str, tmp_path: Path) -> None:
    agrees(write(tmp_path / "m.onnx", 10, mode=mode))
    nine = [node("Upsample", "x s", mode=mode)]
    agrees(write_model(tmp_path / "m.onnx", nine, {"x": SHAPE}, constants={"s": DOUBLE}, opset=9))
    seven = [node("Upsample", "x", mode=mode, scales=[1.0, 1.0, 2.0, 3.0])]
    agrees(write_model(tmp_path / "m.onnx", seven, {"x": SHAPE}, opset=7))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "cubic"}, "interpolates by 'cubic'"),
        ({"antialias": 1}, "has antialias 1; netopt reads 0"),
        ({"coordinate_transformation_mode": "tf_crop_and_resize"}, "tf_crop_and_resize"),
        ({"sizes": [1, 2, 5, 4], "nearest_mode": "ceil"}, "depend on rounding errors"),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOperatorError, match=message):
        load_network(write(tmp_path / "m.onnx", 18, **options))


def test_smaller_images_of_opset_ten_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOperatorError, match="opset 10 leaves"):
        load_network(write(tmp_path / "m.onnx", 10, scales=np.array([1, 1, 0.5, 1], dtype=np.float32)))


@pytest.mark.parametrize(
    "options",
    [
        {"scales": np.array([1, 2], dtype=np.float32)},
        {"scales": np.array([1, 1, 0, 1], dtype=np.float32)},
        {"scales": np.array([1, 1, 0.1, 1], dtype=np.float32)},
        {"sizes": [1, 2, 0, 3]},
    ],
)
def test_malformed_scales(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scales|sizes|image of shape"):
        load_network(write(tmp_path / "m.onnx", 13, **options))

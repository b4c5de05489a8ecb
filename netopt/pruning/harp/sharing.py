"""torch tensors and the arrays of the mask step share one memory: NumPy's on a CPU, CuPy's by DLPack on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from netopt.arrays import array_namespace
from netopt.bounds.torch_maps import Tensor


def shared_array(tensor: Tensor) -> Any:
    """Return a tensor's values as an array in the same memory, without their gradient history."""
    values = tensor.detach()
    if values.device.type == "cpu":
        return values.numpy()
    from netopt.gpu.device import import_cupy

    cupy = import_cupy()
    if values.dtype == _torch().bool:  # older versions of DLPack know no bool
        return cupy.from_dlpack(values.view(_torch().uint8)).view(bool)
    return cupy.from_dlpack(values)


def shared_tensor(array: Any) -> Tensor:
    """Return an array's values as a tensor in the same memory."""
    torch = _torch()
    if array_namespace(array) is np:
        return torch.from_numpy(array)
    is_mask = array.dtype == bool
    tensor = torch.from_dlpack(array.view("uint8") if is_mask else array)
    return tensor.view(torch.bool) if is_mask else tensor


def _torch() -> Any:
    import torch

    return torch

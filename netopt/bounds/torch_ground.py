"""`netopt.bounds.ground` in torch: its arrays as tensors on a device, its maps as torch's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from netopt.bounds.condensed import Condensed
from netopt.bounds.descent_start import Start
from netopt.bounds.ground import Ground
from netopt.bounds.parts import Parts
from netopt.bounds.relaxation import Relaxation
from netopt.bounds.torch_device import check_device, import_torch
from netopt.bounds.torch_maps import Tensor, torch_map
from netopt.bounds.torch_work import TorchLines
from netopt.specification.box import Box
from netopt.specification.domain import Domain

if TYPE_CHECKING:
    from netopt.bounds.torch_descent import TorchDescent


class TorchGround(Ground):
    """A `Ground` whose descents run on a device.

    Parameters
    ----------
    device : ``"cpu"`` or ``"cuda"``.

    Raises
    ------
    InvalidOptionError
        torch or the device is missing.
    """

    def __init__(
        self, condensed: Condensed, domain: Domain, lines: Mapping[str, Relaxation], device: str = "cpu"
    ) -> None:
        check_device(device)
        super().__init__(condensed, domain, lines)
        self.device, self.torch = device, import_torch()
        self.affines = {
            node.name: ([torch_map(linear_map, device) for linear_map in node.maps], self.tensor(node.bias))
            for node in self.network.affines
        }
        self.places = {name: None if free is None else self.tensor(free) for name, free in self.free.items()}
        self.lines = {
            name: TorchLines(
                *(self.tensor(line[name][None]) for line in (self.upper_slope, self.intercept, self.lower_slope))
            )
            for name in self.free
        }
        self._middle, self._radius = self.tensor(self.middle), self.tensor(self.radius)

    def descent(self, parts: Parts, start: Start) -> TorchDescent:
        """Return a search for better bounds of rows."""
        from netopt.bounds.torch_descent import TorchDescent

        return TorchDescent(self, parts, start)

    def tensor(self, values: NDArray[Any]) -> Tensor:
        """Return a copy on the device, floating-point numbers in float32."""
        single = np.issubdtype(values.dtype, np.floating)
        return self.torch.tensor(values.astype(np.float32) if single else values, device=self.device)

    def corner(self, slope: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `maximize` does, of tensors."""
        if type(self.domain) is Box:
            value = slope @ self._middle + slope.abs() @ self._radius
            return value, self.torch.copysign(self._radius, slope).add_(self._middle)
        points = self.tensor(self.domain.maximizer(slope.double().cpu().numpy()))
        return (slope * points).sum(1), points

"""Searches in which only pruned networks and the solver find points."""

from __future__ import annotations

import pytest

from netopt.problems.hunting import Hunt
from netopt.problems.maximum_search import MaximumSearch
from netopt.problems.settings import Settings
from netopt.problems.surrogate import portfolio as portfolio_module


def only_surrogates(patch: pytest.MonkeyPatch) -> None:
    """Leave finding points to the pruned networks and the solver."""
    patch.setattr(Hunt, "attack", lambda *_: None)
    patch.setattr(Settings, "native", False)
    patch.setattr(MaximumSearch, "_climb", lambda *_args, **_options: None)
    patch.setattr(MaximumSearch, "_sample", lambda self, bracket, _: bracket.offer(self.domain.center[None], "sample"))
    patch.setattr(portfolio_module, "portfolio", lambda *_args, **_options: None)

"""The table `PredictorConstraint.print_stats` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from formulations.milp import VANISHED
from netopt.embedding.fragment import Fragment
from netopt.network.network import Network
from netopt.reduction.statistics import NetworkSize

_HEAD = ("layer", "neurons", "active", "inactive", "unstable", "binaries")


def write_statistics(name: str, network: Network, fragments: Sequence[Fragment], file: TextIO) -> None:
    """Write the size of an embedded network, its ReLU layers summed over all rows of x."""
    first = fragments[0]
    models = [fragment.model for fragment in fragments]
    new_columns = sum(model.column_count - f.given.size for model, f in zip(models, fragments, strict=True))
    lines = [
        f"{name}: {network.input_size} inputs, {network.output_size} outputs, {network.relu_count} ReLUs,"
        f" {len(fragments)} row(s) of x",
        f"formulation {first.encoding.formulation.name}, bounds {first.bounds.level}",
    ]
    written = network if first.sparse is None else first.encoding.network
    table = [_HEAD, *(_layer_line(relu.name, relu.size, fragments) for relu in written.relus)]
    widths = [max(len(line[k]) for line in table) for k in range(len(_HEAD))]
    lines += [_aligned(line, widths) for line in table]
    lines += _surrogate_lines(fragments)
    lines.append(
        f"new columns {new_columns}, rows {sum(m.row_count for m in models)},"
        f" nonzeros {sum(m.matrix.nnz for m in models)}"
    )
    file.write("\n".join(lines) + "\n")


def _layer_line(relu: str, size: int, fragments: Sequence[Fragment]) -> tuple[str, ...]:
    neurons = size * len(fragments)
    inactive = sum(int((f.bounds.upper[relu] <= 0.0).sum()) for f in fragments)
    unstable = sum(int(f.bounds.unstable(relu).sum()) for f in fragments)
    binaries = sum(int((f.encoding.relus[relu].binary != VANISHED).sum()) for f in fragments)
    return (relu, *(str(count) for count in (neurons, neurons - inactive - unstable, inactive, unstable, binaries)))


def _aligned(line: tuple[str, ...], widths: Sequence[int]) -> str:
    return "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))])


def _surrogate_lines(fragments: Sequence[Fragment]) -> list[str]:
    """Return one line on what the surrogates, summed over all rows of x, keep of the dense networks and add to them."""
    sparse = [f.sparse for f in fragments if f.sparse is not None]
    if not sparse:
        return []
    sizes = [(s.size, NetworkSize.of(s.dense, s.dense_bounds)) for s in sparse]
    parts = [
        f"{sum(getattr(small, what) for small, _ in sizes)} of {sum(getattr(large, what) for _, large in sizes)} {what}"
        for what in ("weights", "neurons", "unstable")
    ]
    return [
        f"sparse surrogate: {', '.join(parts)}; added:"
        f" a linear function of x with {sum(s.correction for s in sparse)} weights"
    ]

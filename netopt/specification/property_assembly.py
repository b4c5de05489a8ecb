"""From linear rows and nested and/or formulas to a `Property`: one `Case` for each distinct domain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice

import numpy as np

from netopt.arrays import FloatArray, IntArray, sparse
from netopt.errors import InputError
from netopt.specification.box import Box
from netopt.specification.domain import Domain
from netopt.specification.implied_bounds import close_open_sides
from netopt.specification.linear_rows import LinearRows
from netopt.specification.normal_form import Clause, Formula, disjunctive_form
from netopt.specification.property import Case, Conjunction, Property


def build_property(formulas: Sequence[Formula], rows: LinearRows) -> Property:
    """Return the property "all formulas hold".

    Rows on one input become boxes, rows on several inputs polytopes, all others rows of conjunctions.

    Raises
    ------
    InputError
        The rows imply no finite lower or upper bound of an input in some disjunct, or the disjunctive normal form is
        too large.
    """
    common, clauses = disjunctive_form(formulas)
    return _Assembler(rows).run(common, clauses)


class _Assembler:
    """Sorts rows by what they mention and builds one `Case` for each distinct domain."""

    def __init__(self, rows: LinearRows) -> None:
        self.rows = rows
        count = rows.bound.size
        n = rows.input_size
        entry_row = rows.row
        on_input = rows.columns < n
        inputs = np.bincount(entry_row[on_input], minlength=count)
        outputs = np.bincount(entry_row[~on_input], minlength=count)
        self.constant = (inputs + outputs) == 0
        self.is_false = self.constant & (rows.bound < 0.0)
        self.is_box = (inputs == 1) & (outputs == 0)
        self.is_polytope = (inputs > 1) & (outputs == 0)
        self.is_conjunction = ~(self.constant | self.is_box | self.is_polytope)
        self._read_box_rows()
        self._read_conjunction_rows()

    def _read_box_rows(self) -> None:
        """For a box row ``c x_j <= b``: its input, its side and the value b / c."""
        self.variable = np.full(self.rows.bound.size, -1)
        self.value = np.zeros(self.rows.bound.size)
        self.is_upper = np.zeros(self.rows.bound.size, dtype=bool)
        picked = np.flatnonzero(self.is_box)
        entry = self.rows.starts[picked]
        self.variable[picked] = self.rows.columns[entry]
        self.value[picked] = self.rows.bound[picked] / self.rows.values[entry]
        self.is_upper[picked] = self.rows.values[entry] > 0.0

    def _read_conjunction_rows(self) -> None:
        picked = np.flatnonzero(self.is_conjunction)
        self.position = np.full(self.rows.bound.size, -1)
        self.position[picked] = np.arange(picked.size)
        n = self.rows.input_size
        place, columns = self.position[self.rows.row], self.rows.columns
        of_output, of_input = (place >= 0) & (columns >= n), (place >= 0) & (columns < n)
        self.output_matrix = np.zeros((picked.size, self.rows.output_size))
        self.output_matrix[place[of_output], columns[of_output] - n] = self.rows.values[of_output]
        self.mixes = np.bincount(place[of_input], minlength=picked.size) > 0
        self.any_mixes = bool(self.mixes.any())
        self.conjunction_bound = self.rows.bound[picked]

    def run(self, common: Clause, clauses: list[Clause]) -> Property:
        n, m = self.rows.input_size, self.rows.output_size
        if self.is_false[list(common)].any():
            return Property((), n, m)
        if self.is_false.any():
            clauses = [clause for clause in clauses if not self.is_false[list(clause)].any()]
        domain_clauses, members = self._group(clauses)
        shared_rows = tuple([row for row in common if self.is_polytope[row]])
        linear_rows = [shared_rows + tuple([k for k in clause if self.is_polytope[k]]) for clause in domain_clauses]
        boxes = self._boxes(common, domain_clauses, linear_rows)
        shared = tuple([row for row in common if self.is_conjunction[row]])
        conjunctions = self._conjunctions([shared + own for group in members for own in group])
        grouped: dict[tuple[bytes, bytes, Clause], tuple[Box, list[Conjunction]]] = {}
        for box, linear, group in zip(boxes, linear_rows, members, strict=True):
            key = (box.low.tobytes(), box.high.tobytes(), linear)
            grouped.setdefault(key, (box, []))[1].extend(islice(conjunctions, len(group)))
        cases = tuple(Case(self._domain(box, key[2]), tuple(disjuncts)) for key, (box, disjuncts) in grouped.items())
        return Property(cases, n, m)

    def _group(self, clauses: list[Clause]) -> tuple[list[Clause], list[list[Clause]]]:
        """Split each clause into domain rows and conjunction rows, and gather those with the same domain rows."""
        on_domain = (self.is_box | self.is_polytope).tolist()
        on_output = self.is_conjunction.tolist()
        groups: dict[Clause, list[Clause]] = {}
        for clause in clauses:
            key = tuple([row for row in clause if on_domain[row]])
            groups.setdefault(key, []).append(tuple([row for row in clause if on_output[row]]))
        return list(groups), list(groups.values())

    def _boxes(self, common: Clause, domain_clauses: list[Clause], linear_rows: list[Clause]) -> list[Box]:
        n = self.rows.input_size
        low, high = np.full((1, n), -np.inf), np.full((1, n), np.inf)
        self._tighten(low, high, [common])
        low, high = np.repeat(low, len(domain_clauses), axis=0), np.repeat(high, len(domain_clauses), axis=0)
        self._tighten(low, high, domain_clauses)
        is_open = ~(np.isfinite(low) & np.isfinite(high)).all(axis=1)
        for k in np.flatnonzero(is_open).tolist():
            if linear_rows[k]:
                matrix = self.rows.matrix[list(linear_rows[k])][:, :n]
                low[k], high[k] = close_open_sides(matrix, self.rows.bound[list(linear_rows[k])], low[k], high[k])
        for values, side in ((low, "lower"), (high, "upper")):
            open_ended = np.flatnonzero(~np.isfinite(values).all(axis=0))
            if open_ended.size:
                raise InputError(
                    f"input X_{open_ended[0]} has no {side} bound in the property; bound every input from both sides"
                )
        return Box.each(low, high)

    def _domain(self, box: Box, rows: Clause) -> Domain:
        """Return the box, cut by linear rows and integrality."""
        domain = self._polytope(box, rows) if rows else box
        integral = self.rows.integral
        if integral is None:
            return domain
        from netopt.specification.integer import IntegerPoints

        return IntegerPoints(domain, integral)

    def _polytope(self, box: Box, rows: Clause) -> Domain:
        """Return the box cut by linear rows; those of one direction (or opposite ones) become one two-sided row."""
        from netopt.specification.polytope import Polytope

        matrix = self.rows.matrix[list(rows)][:, : self.rows.input_size]
        sides: dict[bytes, tuple[int, list[float], list[float]]] = {}
        for k, row in enumerate(rows):
            entries = slice(matrix.indptr[k], matrix.indptr[k + 1])
            sign = float(np.sign(matrix.data[entries][0]))
            direction = matrix.indices[entries].tobytes() + (sign * matrix.data[entries]).tobytes()
            _, lower, upper = sides.setdefault(direction, (k, [-np.inf], [np.inf]))
            (upper if sign > 0.0 else lower).append(sign * float(self.rows.bound[row]))
        first = [k for k, _, _ in sides.values()]
        signs = np.array([np.sign(matrix.data[matrix.indptr[k]]) for k in first])
        directed = sparse.csr_array(sparse.diags_array(signs) @ matrix[first])
        row_lower = np.array([max(lower) for _, lower, _ in sides.values()])
        row_upper = np.array([min(upper) for _, _, upper in sides.values()])
        return Polytope(directed, row_lower, row_upper, box.low, box.high)

    def _tighten(self, low: FloatArray, high: FloatArray, clauses: list[Clause]) -> None:
        owner, row = _flat(clauses)
        boxed = self.is_box[row]
        owner, row = owner[boxed], row[boxed]
        upper = self.is_upper[row]
        np.minimum.at(high, (owner[upper], self.variable[row[upper]]), self.value[row[upper]])
        np.maximum.at(low, (owner[~upper], self.variable[row[~upper]]), self.value[row[~upper]])

    def _conjunctions(self, clauses: list[Clause]) -> Iterator[Conjunction]:
        """Yield the conjunction of each clause's rows; the arrays are views of one gathered block."""
        owner, row = _flat(clauses)
        picked = self.position[row]
        output, bound = self.output_matrix[picked], self.conjunction_bound[picked]
        inputs = self.rows.matrix[:, : self.rows.input_size] if self.any_mixes else None
        end = np.searchsorted(owner, np.arange(len(clauses)), side="right").tolist()
        first = 0
        for last in end:
            mixed = None
            if inputs is not None and self.mixes[picked[first:last]].any():
                mixed = inputs[row[first:last]]
            yield Conjunction(output[first:last], bound[first:last], mixed)
            first = last


def _flat(clauses: list[Clause]) -> tuple[IntArray, IntArray]:
    """Return (number of the clause, row) of every member."""
    sizes = np.fromiter(map(len, clauses), dtype=np.int64, count=len(clauses))
    row = np.fromiter(chain.from_iterable(clauses), dtype=np.int64, count=int(sizes.sum()))
    return np.repeat(np.arange(len(clauses)), sizes), row

"""Trails become forests: numbers of any process, in any order, without the trees that prove nothing."""

from __future__ import annotations

import pickle

import numpy as np

from netopt.proof.forest import Forest
from netopt.proof.gather import closed_by_trees, gather
from netopt.proof.recorder import ProofRecorder
from netopt.proof.trail import SILENT, Trail


def numbers(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_a_tree_is_numbered_level_by_level() -> None:
    recorder = ProofRecorder()
    trail = recorder.search(3, [5])
    root = trail.whole()
    halves = trail.split_axis(root, numbers(1), np.array([0.25]))
    quarters = trail.split_phase(halves[1:], numbers(7))
    trail.close(np.concatenate([quarters[::-1], halves[:1]]), numbers(0, 0, 0))
    forest, leaves = gather(recorder.trees)
    assert forest.case.tolist() == [3]
    assert forest.parent.tolist() == [0, 2]
    assert forest.variable.tolist() == [1, -8]
    assert forest.value.tolist() == [0.25, 0.0]
    assert sorted(leaves.node.tolist()) == [1, 3, 4]
    assert leaves.disjunct.tolist() == [5, 5, 5]
    assert forest.phases(numbers(3, 4, 1), 9)[:, 7].tolist() == [1, -1, 0]
    assert forest.tree.tolist() == [0] * 5
    assert forest.well_formed()


def test_parts_may_go_to_other_processes_and_come_back() -> None:
    recorder = ProofRecorder()
    trail = recorder.search(0, [0])
    halves = trail.split_axis(trail.whole(), numbers(0), np.zeros(1))
    forks: list[Trail] = [pickle.loads(pickle.dumps(trail.fork())) for _ in range(2)]
    for fork, part in zip(forks, halves, strict=True):
        quarters = fork.split_axis(numbers(part), numbers(1), np.zeros(1))
        fork.close(quarters[:1], numbers(0))
        trail.join(fork)
        trail.close(quarters[1:], numbers(0))
    forest, leaves = gather(recorder.trees)
    assert forest.nodes == 7
    assert np.unique(leaves.node).tolist() == [3, 4, 5, 6]
    assert closed_by_trees(forest, leaves) == {(0, 0)}


def test_trees_that_close_nothing_more_are_left_out() -> None:
    recorder = ProofRecorder()
    for number, closed in enumerate([1, 2, 2]):  # the first search was given up, the last repeats the second
        trail = recorder.search(0, [4])
        halves = trail.split_axis(trail.whole(), numbers(number), np.zeros(1))
        trail.close(halves[:closed], numbers(0, 0)[:closed])
    forest, _ = gather(recorder.trees)
    assert forest.variable.tolist() == [1]


def test_every_objective_may_have_a_tree_of_its_own() -> None:
    recorder = ProofRecorder()
    trail = recorder.search(0, [0, 1])
    roots = trail.whole(2)
    trail.close(roots[:1], numbers(0))
    halves = trail.split_axis(roots[1:], numbers(0), np.zeros(1))
    trail.close(halves, numbers(1, 1))
    forest, leaves = gather(recorder.trees)
    assert forest.case.size == 2
    assert closed_by_trees(forest, leaves) == {(0, 0), (0, 1)}


def test_slopes_of_different_neurons_are_put_side_by_side() -> None:
    recorder = ProofRecorder()
    for case, neurons in enumerate(([1, 3], [0, 3])):
        trail = recorder.search(case, [0])
        slope = np.array([[0.25, 0.5]])
        trail.close(trail.whole(), numbers(0), weights=np.ones((1, case + 1)), slope=slope, neurons=np.array(neurons))
    _, leaves = gather(recorder.trees)
    assert leaves.neurons.tolist() == [0, 1, 3]
    wanted = np.array([[np.nan, 0.25, 0.5], [0.25, np.nan, 0.5]])
    assert np.array_equal(leaves.slopes, wanted, equal_nan=True)
    assert leaves.weights.tolist() == [[1.0, 0.0], [1.0, 1.0]]
    assert leaves.multiplier_row.tolist() == [-1, -1]


def test_a_silent_trail_keeps_nothing() -> None:
    halves = SILENT.split_axis(SILENT.whole(), numbers(0), np.zeros(1))
    quarters = SILENT.split_phase(halves, numbers(0, 0))
    SILENT.close(quarters, np.zeros(4, dtype=np.int64))
    SILENT.join(SILENT.fork())
    assert quarters.size == 4
    assert [SILENT.roots, SILENT.splits, SILENT.leaves] == [[], [], []]
    assert pickle.loads(pickle.dumps(SILENT)).silent


def test_forests_that_are_no_trees_are_told() -> None:
    def forest(*parent: int) -> Forest:
        return Forest(numbers(0), numbers(*parent), np.zeros(len(parent), np.int32), np.zeros(len(parent)))

    assert forest(0, 1, 2).well_formed()
    assert not forest(0, 0).well_formed()  # split twice
    assert not forest(0, 3).well_formed()  # its own child
    assert not forest(0, 2, 1).well_formed()
    assert not forest(-1).well_formed()

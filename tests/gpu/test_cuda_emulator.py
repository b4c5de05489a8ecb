"""The emulator computes what a GPU would, and refuses what a GPU leaves undefined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cuda_emulator import EmulationError

from netopt.gpu.kernels import Kernels

EXAMPLES = Kernels(Path(__file__).with_name("examples.cu"))
pytestmark = pytest.mark.usefixtures("cuda_on_cpu")


@pytest.mark.parametrize("size", [1, 255, 256, 257, 5000])
def test_threads_and_blocks_cover_an_array(size: int) -> None:
    values = np.arange(size, dtype=np.float32)
    EXAMPLES.launch("scale", -(-size // 256), 256, (values, np.float32(3.0), np.int64(size)))
    assert np.array_equal(values, 6.0 * np.arange(size, dtype=np.float32))


def test_shuffles_barriers_and_atomics() -> None:
    values = np.random.default_rng(0).integers(-100, 100, 1000, dtype=np.int32)
    sums = np.zeros(5, dtype=np.int32)
    EXAMPLES.launch("block_sums", 4, 256, (values, sums, np.int32(1000)))
    assert sums.tolist() == [values.sum(), *(values[start : start + 256].sum() for start in range(0, 1000, 256))]


def test_dynamic_shared_memory() -> None:
    values = np.random.default_rng(1).integers(0, 256, 777, dtype=np.uint8)
    out = values.copy()
    EXAMPLES.launch("reversed", 1, 128, (out, np.int32(777)), shared=777)
    assert np.array_equal(out, values[::-1])


def test_votes_of_a_warp() -> None:
    values = np.random.default_rng(2).integers(0, 6, 32, dtype=np.int32)
    out = np.zeros((3, 32), dtype=np.uint32)
    EXAMPLES.launch("votes", 1, 32, (values, out))
    bits = 1 << np.arange(32, dtype=np.uint64)
    assert np.array_equal(out[0], ((values[:, None] == values) * bits).sum(1))
    assert (out[1] == ((values % 2) * bits).sum()).all()
    assert (out[2] == values.min() + (values > 3).sum()).all()


def test_a_missing_barrier_shows_in_some_order(request: pytest.FixtureRequest) -> None:
    values = np.arange(64, dtype=np.int32)
    EXAMPLES.launch("without_barrier", 1, 64, (values,))
    assert not np.array_equal(values, np.arange(64)[::-1])


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        ("barrier_in_a_branch", "which has returned"),
        ("two_barriers", "barriers|waits at line"),
        ("lane_missing", "waits at line|has returned"),
    ],
)
def test_threads_that_do_not_come_are_reported(kernel: str, words: str) -> None:
    with pytest.raises(EmulationError, match=words):
        EXAMPLES.launch(kernel, 1, 64, (np.zeros(64, dtype=np.int32),))


def test_accesses_beside_arrays_are_reported() -> None:
    sum_of = np.zeros(1, dtype=np.float32)
    with pytest.raises(EmulationError, match="outside its arrays"):
        EXAMPLES.launch("past_the_end", 1, 1, (np.ones(100, dtype=np.float32), sum_of, np.int32(120)))
    with pytest.raises(EmulationError, match="wrote beside argument 0"):
        EXAMPLES.launch("beside_the_end", 1, 1, (np.zeros(33, dtype=np.uint8), np.int32(33)))


def test_arguments_of_the_wrong_type_are_refused() -> None:
    values = np.zeros(8, dtype=np.float32)
    with pytest.raises(EmulationError, match="contiguous array"):
        EXAMPLES.launch("scale", 1, 8, (values.astype(np.float64), np.float32(1.0), np.int64(8)))
    with pytest.raises(EmulationError, match="contiguous array"):
        EXAMPLES.launch("scale", 1, 4, (values[::2], np.float32(1.0), np.int64(4)))
    with pytest.raises(EmulationError, match="of type int"):
        EXAMPLES.launch("scale", 1, 8, (values, np.float32(1.0), 8))
    with pytest.raises(EmulationError, match="takes 3 arguments"):
        EXAMPLES.launch("scale", 1, 8, (values,))


def test_launches_no_gpu_takes_are_refused() -> None:
    values = np.zeros(8, dtype=np.float32)
    with pytest.raises(EmulationError, match="no GPU launches"):
        EXAMPLES.launch("scale", 1, 2048, (values, np.float32(1.0), np.int64(8)))
    with pytest.raises(EmulationError, match="were not asked for"):
        EXAMPLES.launch("reversed", 1, 32, (np.zeros(8, dtype=np.uint8), np.int32(8)), shared=300 * 1024)

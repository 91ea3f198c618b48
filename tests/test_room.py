"""Memory of results that nobody refers to any more is used again, and no other."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import indicator_cache as ic
from indicator_cache import _groups, _room, _sweep
from indicator_cache._room import Room

pytestmark = pytest.mark.skipif(
    _room._FREE is None,
    reason="references are not counted here",
)

#: Values of a block that is large enough to be remembered.
LONG = 1 << 16


def place(array: Any) -> int:  # noqa: ANN401
    """Return the address of an array."""
    address: int = array.__array_interface__["data"][0]
    return address


def test_what_was_dropped_is_used_again() -> None:
    room = Room(1 << 22)
    first = room.empty(2, LONG)
    assert first.shape == (2, LONG)
    assert first.dtype == np.float64
    assert first.flags.writeable
    at = place(first)
    second = room.empty(2, LONG)
    assert not np.shares_memory(first, second)
    del first
    # Another shape, and a little more of it.
    third = room.empty(1, 2 * LONG + 1001)
    assert place(third) == at
    assert third.shape == (1, 2 * LONG + 1001)


@pytest.mark.parametrize("columns", [LONG, LONG + 1, LONG + 13, 3 * LONG - 1])
def test_rows_begin_at_lines_of_the_cache(columns: int) -> None:
    for room in (Room(1 << 26), Room(0)):
        rows = [*room.empty(3, columns), *room.empty(1, columns)]
        assert not [row for row in rows if place(row) % 64]
        assert all(row.flags.c_contiguous and len(row) == columns for row in rows)
        assert not any(
            np.shares_memory(row, other) for at, row in enumerate(rows) for other in rows[:at]
        )


HOLDS: dict[str, Callable[[Any], Any]] = {
    "array": lambda array: array,
    "row": lambda array: array[1],
    "slice": lambda array: array[1, 5:7],
    "step": lambda array: array[:, ::-3],
    "base": lambda array: array[0].base,
    "transposed": lambda array: array.T,
    "other type": lambda array: array.view(np.uint8),
    "subclass": lambda array: array.view(np.matrix),
    "masked": np.ma.masked_array,
    "field": lambda array: array.view([("a", "<f8")])["a"],
    "broadcast": lambda array: np.broadcast_to(array, (3, *array.shape)),
    "strides": lambda array: np.lib.stride_tricks.as_strided(array[0], (9,), (16,)),
    "read-only": lambda array: np.frombuffer(array.data.toreadonly()),
    "memoryview": memoryview,
    "part of a memoryview": lambda array: memoryview(array[0])[2:4],
    "iterator": lambda array: array[0].flat,
    "nditer": np.nditer,
    "dlpack": np.from_dlpack,
    "interface": lambda array: np.asarray(_Interface(array[0])),
    "pyarrow buffer": lambda array: pa.py_buffer(array[0]),
    "pyarrow array": lambda array: pa.array(array[1]),
    "pyarrow slice": lambda array: pa.chunked_array([pa.array(array[1])]).slice(4, 8),
    "closure": lambda array: lambda: array,
    "generator": lambda array: (value for value in array[0]),
}


class _Interface:
    def __init__(self, array: Any) -> None:  # noqa: ANN401
        self.array = array
        self.__array_interface__ = array.__array_interface__


@pytest.mark.parametrize("hold", HOLDS.values(), ids=HOLDS)
def test_what_somebody_refers_to_is_left_alone(hold: Callable[[Any], Any]) -> None:
    room = Room(1 << 24)
    array = room.empty(2, LONG)
    array[:] = 1.0
    start, end = place(array), place(array) + array.nbytes
    held = hold(array)
    del array
    others = [room.empty(2, LONG) for _ in range(6)]
    assert not [one for one in others if start <= place(one) < end]
    del others, held
    assert start in {place(one) for one in [room.empty(2, LONG) for _ in range(7)]}


def test_the_bound_holds() -> None:
    size = 8 * LONG
    room = Room(4 * size)
    tracemalloc.start()
    try:
        many = [room.empty(1, LONG) for _ in range(20)]
        more = [room.empty(3, LONG) for _ in range(3)]
        del many, more
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The one of the second size that was asked for last.
    assert 3 * size <= held < 4 * size


@pytest.mark.parametrize("length", [0, 1, 100, 1 << 20])
def test_what_is_small_or_larger_than_the_room_is_not_remembered(length: int) -> None:
    room = Room(1 << 22)
    assert room.empty(1, length).shape == (1, length)
    assert room._bytes == 0


def test_whoever_would_have_to_wait_gets_new_memory() -> None:
    room = Room(1 << 22)
    # As while a finalizer runs in the middle of it.
    with room._lock:
        assert room.empty(1, LONG).shape == (1, LONG)
    assert room._bytes == 0


def test_where_references_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_room, "_FREE", None)
    room = Room(1 << 22)
    assert room.empty(1, LONG).shape == (1, LONG)
    assert room._bytes == 0


def test_threads_do_not_share() -> None:
    room = Room(16 * 8 * LONG)
    wrong: list[int] = []

    def work(number: int) -> None:
        held: list[Any] = []
        for at in range(200):
            array = room.empty(1, LONG)[0]
            array[:] = value = number * 1000 + at
            held.append((array[::1000], value))
            if len(held) == 3:
                array, value = held.pop(0)
                if not (array == value).all():
                    wrong.append(value)

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# --- those who use it ---

CLOSE = 100 + np.sin(np.arange(40_000) / 50)


@pytest.mark.parametrize("threads", [1, 2])
def test_results_that_are_kept_keep_their_bits(threads: int) -> None:
    grid = {"ema": {"period": range(2, 80)}, "macd": {"fast": range(2, 20)}}
    kept = []
    places: set[int] = set()
    for at, one in enumerate(ic.sweep({"close": CLOSE}, grid, threads=threads)):
        arrays = [*one.columns.values()]
        places.update(map(place, arrays))
        if at % 3 == 0:
            kept.append((one.name, one.params, [arrays[0][100:], *arrays[1:]]))
    for name, params, arrays in kept:
        alone = getattr(ic, name)(CLOSE, **params)
        columns = alone if isinstance(alone, tuple) else [alone]
        columns = [columns[0][100:], *columns[1:]]
        assert [*map(bytes, arrays)] == [*map(bytes, columns)]
    # Those that were dropped have made room.
    assert len(places) < 78 + 18 * 3


def test_nothing_stays_of_a_sweep_with_a_bound_of_its_own() -> None:
    bound = 40 * CLOSE.nbytes
    tracemalloc.start()
    try:
        for one in ic.sweep({"close": CLOSE}, ["ema:2..80"], max_bytes=bound):
            del one
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < CLOSE.nbytes
    assert 16 * CLOSE.nbytes < peak < bound + CLOSE.nbytes


def test_tables_that_are_kept_keep_their_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_groups, "process_room", Room(1 << 26))
    wanted = ["ema:20", "macd", "roc:5"]
    tables = [ic.compute({"close": CLOSE + at}, wanted) for at in range(3)]
    part = tables[0].column("macd_12_26_9_signal").slice(100)
    places: set[int] = set()
    for at in range(20):
        fresh = ic.compute({"close": CLOSE + at}, wanted)
        places.update(column.chunk(0).buffers()[1].address for column in fresh.columns)
        if at < 3:
            assert fresh.equals(tables[at])
        del fresh
    assert part.equals(ic.compute({"close": CLOSE}, wanted).column("macd_12_26_9_signal")[100:])
    assert len(places) <= 20


def test_a_sweep_has_as_much_room_as_it_may_take() -> None:
    assert _sweep.MAX_BYTES == _room.MOST_BYTES

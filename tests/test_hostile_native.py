"""What the extension module is told that is not so: exceptions, and nothing else happens.

The package never says such things. These calls go around it, to what memory safety rests on.
"""

from __future__ import annotations

import ctypes
import gc
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import indicator_cache as ic
from indicator_cache import _native

EMA = ic.catalog()["ema"].position
MACD = ic.catalog()["macd"].position
BARS = 100

#: The path with the widest registers.
BEST = len(_native.paths()) - 1

#: The stubs know what is right, and these tests are about the rest.
run: Any = partial(_native.run, path=BEST)
machine: Any = partial(_native.Machine, path=BEST)
restore: Any = partial(_native.Machine.restore, path=BEST)
compute: Any = partial(_native.compute, BEST)
begin_new: Any = partial(_native.begin_new, path=BEST)
fill_columns: Any = _native.fill_columns


def prices() -> npt.NDArray[np.float64]:
    return np.linspace(1.0, 2.0, BARS)


def readonly() -> npt.NDArray[np.float64]:
    array = prices()
    array.flags.writeable = False
    return array


def misaligned() -> npt.NDArray[np.float64]:
    return np.zeros(8 * BARS + 8, np.uint8)[1 : 8 * BARS + 1].view(np.float64)


#: Neither an input nor an output.
NOT_COLUMNS: dict[str, Callable[[], object]] = {
    "float32": lambda: prices().astype(np.float32),
    "the other byte order": lambda: prices().astype(np.dtype(np.float64).newbyteorder()),
    "integers": lambda: prices().astype(np.int64),
    "complex": lambda: prices().astype(np.complex128),
    "objects": lambda: prices().astype(object),
    "times": lambda: np.zeros(BARS, "datetime64[ns]"),
    "records": lambda: np.zeros(BARS, [("x", np.float64)]),
    "strided": lambda: np.repeat(prices(), 2)[::2],
    "reversed": lambda: prices()[::-1],
    "broadcast": lambda: np.broadcast_to(np.float64(1.0), BARS),
    "two dimensions": lambda: prices().reshape(2, -1),
    "no dimension": lambda: np.array(1.0),
    "misaligned": misaligned,
    "longer": lambda: np.ones(BARS + 1),
    "shorter": lambda: np.ones(BARS - 1),
    "empty": lambda: np.ones(0),
    "bytes": lambda: b"\0" * 8 * BARS,
    "bytearray": lambda: bytearray(8 * BARS),
    "a list": lambda: [1.0] * BARS,
    "text": lambda: "x" * BARS,
    "nothing": lambda: None,
}

REFUSALS = (BufferError, TypeError, ValueError)


@pytest.mark.parametrize("path", range(BEST + 1))
@pytest.mark.parametrize("what", NOT_COLUMNS)
def test_what_is_no_column(what: str, path: int) -> None:
    bad, good = NOT_COLUMNS[what](), np.full(BARS, 7.0)
    taking = machine(EMA, [20.0], path=path)
    state = taking.save()
    for inputs, outputs in ([bad], [good]), ([good], [bad]):
        with pytest.raises(REFUSALS):
            run(EMA, [20.0], inputs, outputs, path=path)
        with pytest.raises(REFUSALS):
            taking.run(inputs, outputs)
    assert taking.save() == state
    assert (good == 7.0).all()


@pytest.mark.parametrize("path", range(BEST + 1))
@pytest.mark.parametrize("what", [*NOT_COLUMNS, "a mask", "a buffer", "a subclass"])
def test_what_is_left_to_python(what: str, path: int) -> None:
    """Of new columns only those are computed whose inputs are just as kernels read them."""
    others: dict[str, Callable[[], object]] = {
        "a mask": lambda: np.ma.masked_equal(prices(), 1.0),
        "a buffer": lambda: prices().data,
        "a subclass": lambda: prices().view(type("Metres", (np.ndarray,), {})),
    }
    bad = (NOT_COLUMNS | others)[what]()
    atr = ic.catalog()["atr"].position
    calls: list[tuple[int, tuple[object, ...]]] = [
        (atr, (bad, prices(), prices())),
        (atr, (prices(), prices(), bad)),
    ]
    if what not in {"longer", "shorter", "empty"}:
        calls.append((EMA, (bad,)))
    for index, inputs in calls:
        assert _native.compute(path, index, [20.0], inputs) is None
        with pytest.raises(ValueError, match="not columns of one length"):
            begin_new(index, [20.0], inputs, path=path)


@pytest.mark.parametrize("path", range(BEST + 1))
@pytest.mark.parametrize("bars", [0, 1, 15, 8191, 8192, 8193, 20_001])
@pytest.mark.parametrize("name", ic.catalog())
def test_new_columns(name: str, bars: int, path: int) -> None:
    """They are what fills given columns, whatever their place in memory."""
    spec = ic.catalog()[name]
    x = 100.0 + np.cumsum(np.sin(np.arange(bars) * 0.7))
    inputs, params = (x,) * len(spec.inputs), spec.numbers(spec.normalise({}))
    expected = [np.empty(bars) for _ in spec.outputs]
    run(spec.position, params, inputs, expected, path=path)
    new: Any = _native.compute(path, spec.position, params, inputs)
    machine, kept = begin_new(spec.position, params, inputs, path=path)
    assert type(new) is type(kept) is tuple
    for columns in new, kept:
        assert [type(column) for column in columns] == [np.ndarray] * len(expected)
        assert [column.tobytes() for column in columns] == [one.tobytes() for one in expected]
        assert [column.dtype for column in columns] == [np.float64] * len(expected)
    for column in new:
        column[:] = 0.0
    for column in kept:
        assert not column.flags.writeable
        with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
            column.flags.writeable = True
    assert [column.tobytes() for column in kept] == [one.tobytes() for one in expected]
    assert machine.bars == bars
    del new, expected
    gc.collect()
    # The memory stays as long as any of its columns.
    last = kept[-1]
    before = last.copy()
    del kept, columns, column
    gc.collect()
    _ = [np.zeros(bars) for _ in range(8)]
    assert last.tobytes() == before.tobytes()


def test_no_room_for_new_columns() -> None:
    # Of these bars there is one. Nothing is read before there is room for the results.
    huge = np.lib.stride_tricks.as_strided(np.zeros(1), (1 << 58,), (8,))
    for call in compute, begin_new:
        with pytest.raises(MemoryError):
            call(EMA, [20.0], (huge,))


def test_memory_that_is_no_array() -> None:
    expected, given = np.empty(BARS), (ctypes.c_double * BARS)()
    run(EMA, [20.0], [prices()], [expected])
    run(EMA, [20.0], [prices().data], [memoryview(given).cast("B").cast("d")])
    assert list(given) == expected.tolist()


def test_read_only() -> None:
    out = np.empty(BARS)
    run(EMA, [20.0], [readonly()], [out])
    with pytest.raises(ValueError, match="read-only"):
        run(EMA, [20.0], [prices()], [readonly()])


@pytest.mark.parametrize("shift", [0, 1, BARS - 1])
def test_an_output_over_an_input(shift: int) -> None:
    memory = np.ones(2 * BARS)
    before = memory.copy()
    low, high = memory[:BARS], memory[shift : shift + BARS]
    for inputs, outputs in ([low], [high]), ([high], [low]):
        with pytest.raises(ValueError, match="shares memory"):
            run(EMA, [20.0], inputs, outputs)
    assert (memory == before).all()
    run(EMA, [20.0], [memory[:BARS]], [memory[BARS:]])


def test_an_output_over_another() -> None:
    out, other = np.zeros(BARS), np.zeros(BARS)
    for outputs in [out, out, other], [out, other, out], [other, out, out[:]]:
        with pytest.raises(ValueError, match="shares memory"):
            run(MACD, [12.0, 26.0, 9.0], [prices()], outputs)
    assert not out.any()


def test_inputs_may_share_memory() -> None:
    x, out = prices(), np.empty(BARS)
    run(ic.catalog()["atr"].position, [14.0], [x, x, x], [out])
    assert out[13:] == pytest.approx(x[1] - x[0], rel=0.1)


@pytest.mark.parametrize("index", [-1, len(ic.catalog()), 2**31, 2**63, 2**64, 1.0, "ema", None])
def test_no_such_indicator(index: object) -> None:
    out = np.empty(BARS)
    with pytest.raises((IndexError, OverflowError, TypeError)):
        run(index, [20.0], [prices()], [out])
    for call in compute, begin_new:
        with pytest.raises((IndexError, OverflowError, TypeError)):
            call(index, [20.0], (prices(),))
    with pytest.raises((IndexError, OverflowError, TypeError)):
        machine(index, [20.0])


@pytest.mark.parametrize(
    "params",
    [
        [],
        [20.0, 20.0],
        [20.0] * 300,
        [0.0],
        [-1.0],
        [2.5],
        [float("nan")],
        [float("inf")],
        [2.0**40],
        [2**2000],
        ["20"],
        [None],
        "20",
        20.0,
        None,
    ],
)
def test_parameters(params: object) -> None:
    with pytest.raises((OverflowError, TypeError, ValueError)):
        run(EMA, params, [prices()], [np.empty(BARS)])
    for call in compute, begin_new:
        with pytest.raises((OverflowError, TypeError, ValueError)):
            call(EMA, params, (prices(),))
    with pytest.raises((OverflowError, TypeError, ValueError)):
        machine(EMA, params)


@pytest.mark.parametrize("width", [0, 2, 4, 5, 6, 1000])
def test_the_number_of_columns(width: int) -> None:
    out = np.empty(BARS)
    with pytest.raises(ValueError, match="columns"):
        run(EMA, [20.0], [prices()] * width, [out])
    for call in compute, begin_new:
        for inputs in (prices(),) * width, [prices()], None:
            if width == 0 and inputs == ():
                continue
            with pytest.raises((TypeError, ValueError)):
                call(EMA, [20.0], inputs)
    with pytest.raises(ValueError, match="columns"):
        run(EMA, [20.0], [prices()], [np.empty(BARS) for _ in range(width)])


@pytest.mark.parametrize("values", [(), (1.0, 2.0), (1.0,) * 1000, ("1",), (None,), (2**2000,)])
def test_the_values_of_a_bar(values: tuple[object, ...]) -> None:
    taking = machine(EMA, [20.0])
    for take in taking.update, taking.peek:
        with pytest.raises((OverflowError, TypeError, ValueError)):
            take(values)
    assert taking.bars == 0


@pytest.mark.parametrize("state", [b"", b"ICST", bytes(9), "text", None])
def test_what_is_no_state(state: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        restore(state)


def in_time(work: Callable[[], object]) -> None:
    """Run something that could wait for itself, without waiting for it."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "it hangs"


def test_a_value_that_asks_for_the_same_machine() -> None:
    taking = machine(EMA, [20.0])
    found = []

    class Sly:
        def __float__(self) -> float:
            taking.reset()
            found.append(taking.update((1.0,)))
            taking.reset()
            return 3.0

    in_time(lambda: found.append(taking.update((Sly(),))))
    in_time(lambda: found.append(taking.peek((Sly(),))))
    assert found == [(1.0,), (3.0,), (1.0,), (3.0,)]


def test_a_column_that_is_resized_meanwhile() -> None:
    memory = bytearray(8 * BARS)
    column = memoryview(memory).cast("d")
    run(EMA, [20.0], [column], [np.empty(BARS)])
    with pytest.raises(BufferError):
        memory.extend(b"more")


def test_one_machine_in_many_threads() -> None:
    taking = machine(EMA, [20.0])
    x = np.ones(5000)

    def work() -> None:
        out = np.empty(len(x))
        for _ in range(20):
            taking.run([x], [out])
            taking.update((1.0,))
            taking.copy().reset()
            restore(taking.save())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taking.bars == 8 * 20 * (len(x) + 1)
    assert taking.peek((1.0,)) == (1.0,)


def test_one_machine_in_long_and_short_calls() -> None:
    """Those release the interpreter while they hold the machine, and these hold both."""
    taking = machine(EMA, [20.0])
    lengths, calls = (1, 1024, 1025, 50_000), 50

    def work(bars: int) -> None:
        x, out = np.ones(bars), np.empty(bars)
        for _ in range(calls):
            taking.run([x], [out])

    def all_of_them() -> None:
        threads = [threading.Thread(target=work, args=(bars,), daemon=True) for bars in lengths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    in_time(all_of_them)
    assert taking.bars == calls * sum(lengths)
    assert taking.peek((1.0,)) == (1.0,)


class Candle:
    def __init__(self, close: object) -> None:
        self.close = close


FILLED = 4


def filled(candles: object, column: object, starts: object = None) -> object:
    starts = np.zeros(FILLED, np.uint8) if starts is None else starts
    return fill_columns(candles, ["close"], [column], starts)


@pytest.mark.parametrize("what", NOT_COLUMNS)
def test_what_cannot_be_filled(what: str) -> None:
    with pytest.raises(REFUSALS):
        filled([Candle(1.0)] * FILLED, NOT_COLUMNS[what]())


def test_flags_that_cannot_be_filled() -> None:
    candles = [Candle(1.0)] * FILLED
    for starts in np.zeros(FILLED), np.zeros(FILLED + 1, np.uint8), np.zeros(0, np.uint8), b"1234":
        with pytest.raises(REFUSALS):
            filled(candles, np.empty(FILLED), starts)


def test_fields_and_columns_of_different_number() -> None:
    columns = [np.empty(FILLED)] * 2
    with pytest.raises(ValueError, match="fields"):
        fill_columns([Candle(1.0)] * FILLED, ["close"], columns, np.zeros(FILLED, np.uint8))


def test_candles_that_change_the_list() -> None:
    candles: list[object] = []

    class Shrinks:
        @property
        def close(self) -> float:
            candles.clear()
            return 1.0

    class Grows:
        @property
        def close(self) -> float:
            if len(candles) < 1000:
                candles.append(Candle(1.0))
            return 1.0

    def with_one(candle: object) -> object:
        candles[:] = [candle, *(Candle(1.0) for _ in range(FILLED - 1))]
        return filled(candles, np.empty(FILLED))

    with pytest.raises(BufferError):
        with_one(Shrinks())
    assert with_one(Grows()) is True


def test_candles_that_raise() -> None:
    class Fails:
        @property
        def close(self) -> float:
            raise ZeroDivisionError

    column = np.full(FILLED, 7.0)
    with pytest.raises(ZeroDivisionError):
        filled([*[Candle(1.0)] * (FILLED - 1), Fails()], column)
    assert (column == 7.0).all()


@pytest.mark.parametrize("value", [2**2000, "1", True, 1j, [1.0], Candle(1.0), np.float32(1.0)])
def test_values_left_to_python(value: object) -> None:
    column = np.full(FILLED, 7.0)
    assert filled([Candle(value)] * FILLED, column) is False
    assert (column == 7.0).all()

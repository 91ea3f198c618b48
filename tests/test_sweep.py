"""Sweeps: their order, their bits, what they hold in memory, and their files."""

from __future__ import annotations

import itertools
import re
import sys
import threading
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import indicator_cache as ic
from indicator_cache import _parquet, _sweep, backends
from indicator_cache._many import compute_many
from indicator_cache._parquet import file_names
from indicator_cache.errors import StoreWarning

from .bars import with_gaps
from .panel import SERIES, expected, panel

BARS = with_gaps(400, 5)


def as_bytes(results: Any) -> list[tuple[object, ...]]:  # noqa: ANN401 - results of a sweep
    return [
        (one.series, name, array.tobytes())
        for one in results
        for name, array in one.columns.items()
    ]


@pytest.fixture
def nothing_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make any computation an error."""

    def refuse(*_: object) -> None:
        raise AssertionError("computed something")

    monkeypatch.setattr(_sweep, "compute_many", refuse)


# --- results ---


def test_order_and_bits(backend: str) -> None:
    grid: dict[str, Any] = {
        "bollinger": {"std_factor": [1.0, 2.5], "period": range(5, 7)},
        "atr": [{"period": 3}, {}],
        "ema": {"period": 4},
    }
    results = [*ic.sweep(BARS, grid, sources=["high", "close"])]
    asked = [(one.name, one.source, *one.params.values()) for one in results]
    assert asked == [
        *(
            ("bollinger", source, period, factor)
            for source in ("high", "close")
            for factor in (1.0, 2.5)
            for period in (5, 6)
        ),
        ("atr", None, 3),
        ("atr", None, 14),
        ("ema", "high", 4),
        ("ema", "close", 4),
    ]
    high, low, close = (BARS[name] for name in ("high", "low", "close"))
    assert {one.series for one in results} == {None}
    assert results[1].result.upper.tobytes() == ic.bollinger(high, 6, 1.0).upper.tobytes()
    assert results[7].result.lower.tobytes() == ic.bollinger(close, 6, 2.5).lower.tobytes()
    assert results[8].result.tobytes() == ic.atr(high, low, close, 3).tobytes()
    assert results[10].result.tobytes() == ic.ema(high, 4).tobytes(), backend
    assert [*results[0].columns] == [
        f"bollinger_5_1_high_{x}" for x in ("upper", "middle", "lower")
    ]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_indicator_over_many_series(backend: str, threads: int) -> None:
    grid: dict[str, dict[str, object]] = {name: {} for name in ic.catalog()}
    one_by_one = ic.sweep(panel("time"), grid, by="symbol", threads=threads)
    found = [*one_by_one]
    assert len(found) == len(one_by_one) == len(SERIES) * len(grid)
    # In order of appearance, which is another one in order of time.
    assert [symbol for symbol, _ in itertools.groupby(one.series for one in found)] == [
        *dict.fromkeys(panel("time")["symbol"].to_pylist())
    ]
    wanted = expected()
    for one in found:
        for name, column in one.columns.items():
            assert column.tobytes() == wanted[one.series][name].tobytes(), (backend, name)


def test_forms_of_bars() -> None:
    grid = ["ema:3..5", "atr:3"]
    several = {"M1": {"bid": BARS, "ask": BARS}, "H1": {"bid": BARS}}
    alone = as_bytes(ic.sweep(BARS, grid))
    assert [one[1:] for one in as_bytes(ic.sweep(several, grid))] == 3 * [one[1:] for one in alone]
    keys = dict.fromkeys(one.series for one in ic.sweep(several, grid))
    assert [*keys] == [("M1", "bid"), ("M1", "ask"), ("H1", "bid")]
    table = pa.table({**BARS, "a": ["x"] * 400, "b": [1] * 400})
    assert as_bytes(ic.sweep(table, grid)) == alone
    assert {one.series for one in ic.sweep(table, grid, by=["a", "b"])} == {("x", 1)}
    candles = [
        None if np.isnan(row[3]) else dict(zip(BARS, row, strict=True))
        for row in zip(*(column.tolist() for column in BARS.values()), strict=True)
    ]
    assert as_bytes(ic.sweep(candles, grid)) == alone


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("ema", [20]),
        ("ema:7", [7]),
        ("ema:7,14, 21", [7, 14, 21]),
        ("ema:5..8", [5, 6, 7, 8]),
        ("ema:5..11..3", [5, 8, 11]),
        ("ema:5..10..3", [5, 8]),
        ("ema:period=5,7..8,5", [5, 7, 8]),
    ],
)
def test_grids_in_words(text: str, points: list[int]) -> None:
    assert [one.params["period"] for one in ic.sweep(BARS, [text])] == points


def test_ranges_of_fractions_are_decimal() -> None:
    text = "bollinger:period=10,std_factor=0.1..0.5..0.1@HIGH"
    found = [*ic.sweep(BARS, [text, "macd:fast=3,5,slow=20"], sources="open")]
    assert [one.params["std_factor"] for one in found[:5]] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert [(one.source, one.params.get("fast")) for one in found[4:]] == [
        ("high", None),
        ("open", 3),
        ("open", 5),
    ]


def test_words_for_values_that_are_no_numbers() -> None:
    spec = next(spec for spec in ic.catalog().values() if any(p.options for p in spec.parameters))
    choice = next(p for p in spec.parameters if p.options)
    found = [*ic.sweep(BARS, [f"{spec.name}:{choice.name}={','.join(choice.options)}"])]
    assert [one.params[choice.name] for one in found] == [*choice.options]


# --- refusals ---


@pytest.mark.usefixtures("nothing_computed")
def test_all_that_is_wrong_is_said_at_once() -> None:
    grid: dict[str, Any] = {
        "hull": {"period": [3]},
        "ema": {"period": [0, 5, 2.5], "alpha": 1},
        "rsi": [{"period": 7}, {"length": 7}],
        "sma": 20,
        "atr": {"period": []},
    }
    with pytest.raises(ic.PlanError) as caught:
        ic.sweep({"close": ["a"], "high": [1.0]}, grid, sources=["close", "typical"])
    said = [str(problem) for problem in caught.value.problems]
    words = [
        "source must be one of open, high, low, close, volume, got 'typical'",
        "indicator must be one of",
        "ema with period=0, alpha=1: alpha must be one of the parameters of ema (period), got 1",
        "ema with period=5, alpha=1",
        "ema with period=2.5, alpha=1",
        "rsi with length=7: length must be one of the parameters of rsi",
        "sma must be values by parameter, or a list of parameters by name, got 20",
        "atr: period has no values",
        "close: bars: expected real numbers",
    ]
    for word in words:
        assert any(word in text for text in said), (word, said)


@pytest.mark.usefixtures("nothing_computed")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("macd:12,26,9", "macd has several parameters (fast, slow, signal), so values need names"),
        ("ema:5..", "period: expected a range FIRST..LAST or FIRST..LAST..STEP, got '5..'"),
        ("ema:9..5", "expected a range"),
        ("ema:5..9..0", "expected a range"),
        ("ema:5..9..0.5", "expected a range"),
        ("ema:1..99999999999", "expected a range"),
        ("ema:1..inf", "expected a range"),
        ("ema:1..nan", "expected a range"),
        ("ema:x", "period must be a whole number from 1 to 1000000, got 'x'"),
        ("ema:5,period=6", "period is given twice"),
        ("ema:length=6", "no parameter 'length': period"),
        ("atr:5@close", "atr takes no source, since it reads high, low, close"),
        ("ema:5@typical", "the source must be one of"),
        ("true_range:5", "true_range has no parameters, got '5'"),
        ("hull:5", "unknown indicator 'hull'"),
        ("ema:0..3", "ema with period=0: period must be"),
    ],
)
def test_words_that_are_not_understood(text: str, words: str) -> None:
    with pytest.raises(ic.PlanError, match=re.escape(words)):
        ic.sweep(BARS, ["sma:3", text])


@pytest.mark.usefixtures("nothing_computed")
@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"grid": {}}, ic.PlanError, "at least one indicator, got none"),
        ({"grid": {"ema": []}}, ic.PlanError, "at least one set of parameters"),
        ({"sources": []}, ic.PlanError, "sources must be at least one column"),
        ({"by": "symbol"}, ic.PlanError, "symbol: no such column"),
        ({"bars": {"high": [1.0]}}, ic.PlanError, "close: bars: no such column; there are: high"),
        ({"bars": {"M1": {"bid": BARS, "ask": 5}}}, ic.PlanError, "M1 ask: expected a sequence"),
        ({"threads": 0}, ic.ParameterError, "threads must be a whole number above zero"),
        ({"threads": 1.0}, ic.ParameterError, "threads must be a whole number above zero"),
        ({"max_bytes": 3199}, ic.ParameterError, "max_bytes must be a number of bytes from 3200"),
        ({"max_bytes": 9599, "threads": 2}, ic.ParameterError, "from 9600 on, what 3 results take"),
        ({"max_bytes": None}, ic.ParameterError, "max_bytes must be a number of bytes"),
    ],
)
def test_refusals(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    arguments: dict[str, Any] = {"bars": BARS, "grid": ["ema:5"], **changes}
    with pytest.raises(error, match=re.escape(words)):
        ic.sweep(**arguments)


# --- laziness, memory, interrupts ---


def test_nothing_is_computed_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []

    def counted(name: str, columns: Any, params: Sequence[Any], room: Any) -> Any:  # noqa: ANN401
        computed.append(len(params))
        return compute_many(name, columns, params, room)

    monkeypatch.setattr(_sweep, "compute_many", counted)
    planned = ic.sweep(BARS, ["ema:1..100"], max_bytes=5 * 3200)
    assert computed == []
    results = iter(planned)
    next(results)
    assert computed == [5]
    results = iter(ic.sweep(BARS, ["ema:1..100"], max_bytes=4 * 3200, threads=3))
    next(results)
    results.close()  # type: ignore[attr-defined]
    # One was handed out, and three more had begun at most.
    assert computed[1:] in [[1] * begun for begun in range(1, 5)]
    assert not [one for one in threading.enumerate() if one.name.startswith("indicator-cache")]


@pytest.mark.parametrize("threads", [1, 2])
def test_memory_is_bounded(threads: int) -> None:
    close, bound = np.ones(20_000), 4_000_000
    # What a backend takes besides its results is no result: next to nothing, but for NumPy's.
    tracemalloc.start()
    ic.sma(close, 255)
    _, alone = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    scratch = max(0, alone - close.nbytes)
    planned = ic.sweep({"close": close}, ["sma:1..300"], max_bytes=bound, threads=threads)
    total = 0
    tracemalloc.start()
    for one in planned:
        total += one.result.nbytes
        del one
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 300 * 160_000
    assert 100_000 < peak < bound + threads * scratch + 500_000


def test_a_sweep_may_be_left_and_begun_again() -> None:
    planned = ic.sweep(BARS, ["ema:1..50"], threads=2)
    for _ in planned:
        break
    assert as_bytes(planned) == as_bytes(ic.sweep(BARS, ["ema:1..50"]))


# --- a store ---

STORED: dict[str, dict[str, object]] = {
    "ema": {"period": range(2, 20)},
    "macd": {"fast": [5, 8]},
    "atr": {},
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("backend", ["native", "wasm", "python"])
def test_what_was_computed_once_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, threads: int
) -> None:
    plain = ic.sweep(BARS, STORED, sources=["close", "high"])
    with ic.use_backend(backend):
        first = ic.Store(tmp_path)
        options: dict[str, Any] = {"sources": ["close", "high"], "threads": threads}
        kept = as_bytes(ic.sweep(BARS, STORED, store=first, **options))
    assert kept == as_bytes(plain)
    assert first.stats()[:3] == (0, len(plain), len(plain))

    def refuse(*_: object) -> None:
        raise AssertionError("computed something")

    second = ic.Store(tmp_path)
    monkeypatch.setattr(type(backends.active()), "begin", refuse)
    results = [*ic.sweep(BARS, STORED, store=second, **options)]
    assert as_bytes(results) == kept
    assert second.stats()[:3] == (len(plain), 0, 0)
    assert not any(array.flags.writeable for one in results for array in one.columns.values())


def test_sweeps_and_caches_share_a_store(tmp_path: Path) -> None:
    for one in ic.sweep(BARS, ["ema:20", "macd"], store=tmp_path):
        assert not any(array.flags.writeable for array in one.columns.values())
    first = {name: column[:-50] for name, column in BARS.items()}
    [*ic.sweep(first, ["macd"], store=tmp_path)]
    cache = ic.IndicatorCache({"M1": {"bid": BARS}}, store=tmp_path)
    assert cache.store is not None
    ema = cache.ema("M1", "bid", "close", 20)
    assert cache.store.stats()[:3] == (1, 0, 0)
    cache.atr("M1", "bid", 14)
    found, _ = ic.sweep({"M1": {"bid": BARS}}, ["ema:20", "atr:14"], store=cache.store)
    assert found.result.tobytes() == ema.tobytes()
    assert cache.store.stats()[:3] == (3, 1, 1)
    # The state is there too, from which a cache goes on.
    cache = ic.IndicatorCache({"M1": {"bid": first}}, store=tmp_path)
    cache.macd("M1", "bid", "close", 12, 26, 9)
    assert cache.store is not None
    assert cache.store.stats().hits == 1
    cache.append({"M1": {"bid": {name: column[-50:] for name, column in BARS.items()}}})
    got = cache.macd("M1", "bid", "close", 12, 26, 9)
    (wanted,) = ic.sweep(BARS, ["macd"])
    assert [*map(bytes, got)] == [*map(bytes, wanted.result)]


def test_a_damaged_file_is_no_reason_to_fail(tmp_path: Path) -> None:
    store = tmp_path / "store"
    wanted = as_bytes(ic.sweep(BARS, ["ema:20", "sma:5"], store=store))
    damaged = next(store.glob("??/*.npy"))
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with pytest.warns(StoreWarning, match="computed anew"):
        assert as_bytes(ic.sweep(BARS, ["ema:20", "sma:5"], store=store)) == wanted
    assert as_bytes(ic.sweep(BARS, ["ema:20", "sma:5"], store=store)) == wanted


def test_a_store_for_files_and_for_no_bars(tmp_path: Path) -> None:
    planned = ic.sweep(panel(), ["ema:5..7"], by="symbol", store=tmp_path / "store")
    planned.to_parquet(tmp_path / "first")
    again = ic.sweep(panel(), ["ema:5..7"], by="symbol", store=tmp_path / "store")
    again.to_parquet(tmp_path / "second")
    names = {path.name for path in (tmp_path / "first").iterdir()}
    assert names == {path.name for path in (tmp_path / "second").iterdir()}
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    files = len([*(tmp_path / "store").glob("??/*.npy")])
    assert files == len(again)
    (nothing,) = ic.sweep({"close": []}, ["ema"], store=tmp_path / "store")
    assert len(nothing.result) == 0
    assert len([*(tmp_path / "store").glob("??/*.npy")]) == files


# --- progress ---


def test_progress_by_a_function() -> None:
    told: list[tuple[int, int]] = []
    for _ in ic.sweep(BARS, ["ema:1..3"], progress=lambda done, total: told.append((done, total))):
        pass
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_progress_by_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    assert len([*ic.sweep(BARS, ["ema:1..3"], progress=True)]) == 3
    assert "3/3" in capsys.readouterr().err


def test_progress_by_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    class Progress:
        done = 0

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def add_task(self, _: str, total: int) -> int:
            return total

        def advance(self, task: int, more: int) -> None:
            assert task == 3
            Progress.done += more

    module = type(sys)("rich.progress")
    module.Progress = Progress  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "rich.progress", module)
    assert len([*ic.sweep(BARS, ["ema:1..3"], progress=True)]) == 3
    assert Progress.done == 3


def test_progress_by_nothing_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with pytest.raises(ImportError, match=r"indicator-cache\[progress\]"):
        next(iter(ic.sweep(BARS, ["ema"], progress=True)))


# --- files ---


def read(path: Path) -> dict[str, bytes]:
    """Return the values of every result in a file."""
    found: dict[str, list[float]] = {}
    table = pq.read_table(path)
    arrays = zip(table["result"].to_pylist(), table["value"].to_pylist(), strict=True)
    for name, value in arrays:
        found.setdefault(name, []).append(np.nan if value is None else value)
    return {name: np.array(values).tobytes() for name, values in found.items()}


@pytest.mark.parametrize("threads", [1, 2])
def test_files_have_the_results(tmp_path: Path, threads: int) -> None:
    grid = ["ema:5", "macd", "bollinger:period=10,std_factor=2.5", "atr"]
    planned = ic.sweep(panel(), grid, by="symbol", threads=threads)
    done = planned.to_parquet(tmp_path / "new" / "out")
    assert [path.name for path in done.written] == [
        "symbol=AAPL.parquet",
        "symbol=BRK.B.parquet",
        "symbol=CON.parquet",
        "symbol=GE.parquet",
        "symbol=MSFT.parquet",
        "symbol=X%20Y%2FZ.parquet",
    ]
    assert done.kept == []
    assert sorted(done.written) == sorted((tmp_path / "new" / "out").iterdir())
    wanted = expected()
    for symbol, path in zip(SERIES, done.written, strict=True):
        found = read(path)
        assert found.pop("ema_5") == wanted[symbol]["ema_5"].tobytes()
        assert all(column == wanted[symbol][name].tobytes() for name, column in found.items())
        file = pq.ParquetFile(path)
        # One row group for each indicator, whose statistics tell readers which one it is.
        statistics = [
            file.metadata.row_group(at).column(1).statistics for at in range(file.num_row_groups)
        ]
        assert [(one.min, one.max) for one in statistics[::3]] == [
            ("ema_5", "ema_5"),
            ("atr_14", "atr_14"),
        ]
        assert statistics[1].min == "macd_12_26_9_histogram"
    table = pq.read_table(tmp_path / "new" / "out")
    names = ["symbol", "result", "bar", "timestamp", "value"]
    assert table.column_names == names
    one = table.filter(
        (pa.compute.field("symbol") == "GE") & (pa.compute.field("result") == "ema_5")
    )
    source = panel().filter(pa.compute.field("symbol") == "GE")
    assert one["timestamp"].equals(source["timestamp"])
    assert one["bar"].to_pylist() == [*range(256)]


def test_files_of_other_forms(tmp_path: Path) -> None:
    (path,) = ic.sweep(BARS, ["ema:5"]).to_parquet(tmp_path).written
    assert path.name == "series.parquet"
    assert pq.read_table(path).column_names == ["result", "bar", "value"]
    (path,) = ic.sweep({"M1": {"bid": BARS}}, ["ema:5"]).to_parquet(tmp_path).written
    assert path.name == "timeframe=M1,price_type=bid.parquet"
    assert pq.read_table(path).column_names[:2] == ["timeframe", "price_type"]
    keyed = pa.table({**BARS, "a": ["x"] * 400, "b": [1] * 400})
    (path,) = ic.sweep(keyed, ["ema:5"], by=["a", "b"]).to_parquet(tmp_path).written
    assert path.name == "a=x,b=1.parquet"
    assert pq.read_schema(path).field("b").type == pa.int64()


def test_names_of_files_differ_and_fit_everywhere() -> None:
    keys = ["aapl", "AAPL", "../x", "a" * 400, "a" * 399 + "b", ""]
    names = file_names(["symbol"], keys)
    assert len({name.casefold() for name in names.values()}) == len(keys)
    assert all(len(name) < 200 and "/" not in name for name in names.values())
    assert names["../x"] == "symbol=..%2Fx.parquet"
    assert names[""] == "symbol=.parquet"


def test_a_sweep_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = ic.sweep(panel(), ["ema:5", "atr"], by="symbol")
    whole = planned.to_parquet(tmp_path / "whole").written

    stopped = iter([False] * 5 + [True])

    def failing(*arguments: Any) -> Any:  # noqa: ANN401
        if next(stopped):
            raise KeyboardInterrupt
        return compute_many(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(_sweep, "compute_many", failing)
        with pytest.raises(KeyboardInterrupt):
            planned.to_parquet(tmp_path / "out")
    # Two series were done, and the third one was half done.
    names = [path.name for path in whole]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names[:2])
    # A process that is killed cannot clean up.
    (tmp_path / "out" / f".{names[2]}.0123abcd.tmp").write_bytes(b"half")
    (tmp_path / "out" / ".notes.tmp").write_bytes(b"somebody's")
    told: list[int] = []
    again = ic.sweep(
        panel(), ["ema:5", "atr"], by="symbol", progress=lambda done, _: told.append(done)
    )
    done = again.to_parquet(tmp_path / "out")
    assert [path.name for path in done.kept] == names[:2]
    assert [path.name for path in done.written] == names[2:]
    assert told[-1] == len(again)
    assert (tmp_path / "out" / ".notes.tmp").exists()
    (tmp_path / "out" / ".notes.tmp").unlink()
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        path.name: path.read_bytes() for path in whole
    }


def test_other_bars_are_computed_anew(tmp_path: Path) -> None:
    bars = {name: {"bid": columns} for name, columns in SERIES.items()}
    ic.sweep(bars, ["ema:5"]).to_parquet(tmp_path)
    close = SERIES["GE"]["close"].copy()
    close[-10] = np.nextafter(close[100], 1e9)
    bars["GE"] = {"bid": {"close": close}}
    done = ic.sweep(bars, ["ema:5"]).to_parquet(tmp_path)
    assert [path.name for path in done.written] == ["timeframe=GE,price_type=bid.parquet"]
    assert read(done.written[0]) == {"ema_5": ic.ema(close, 5).tobytes()}


@pytest.mark.usefixtures("nothing_computed")
def test_files_of_another_sweep_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "series.parquet").write_bytes(b"mine")
    with pytest.raises(
        ic.PlanError, match=r"1 files are of another sweep, series\.parquet the first"
    ):
        ic.sweep(BARS, ["ema:5"]).to_parquet(tmp_path)
    assert (tmp_path / "series.parquet").read_bytes() == b"mine"


def test_a_kernel_that_has_changed_is_another_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = ic.sweep(BARS, ["ema:5"])
    planned.to_parquet(tmp_path)
    (request,) = planned.requests
    newer = request._replace(spec=request.spec._replace(revision=request.spec.revision + 1))
    monkeypatch.setattr(planned, "requests", [newer])
    with pytest.raises(ic.PlanError, match="of another sweep"):
        planned.to_parquet(tmp_path)


def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_parquet, "pyarrow_column", full)
    with pytest.raises(OSError, match="No space left"):
        ic.sweep(BARS, ["ema:5"]).to_parquet(tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_a_slow_reader_does_not_make_threads_run_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []

    def counted(name: str, columns: Any, params: Sequence[Any], room: Any) -> Any:  # noqa: ANN401
        begun.append(len(params))
        return compute_many(name, columns, params, room)

    monkeypatch.setattr(_sweep, "compute_many", counted)
    room = 3 * 3200
    for at, _ in enumerate(ic.sweep(BARS, ["sma:1..20"], threads=2, max_bytes=room), 1):
        time.sleep(0.01)
        assert len(begun) <= at + 2

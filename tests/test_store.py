"""Results on disk: the same bits, for whoever asks; and never a reason to fail or to lie."""
# ruff: noqa: ANN401 - results are of any shape
# ruff: noqa: S603 - this interpreter, with code that stands here

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

import indicator_cache as ic
from indicator_cache import store as stores
from indicator_cache.errors import StoreWarning
from indicator_cache.store import _directory, _files, _identity, _store

from .bars import Array, Bars, as_columns, walk, with_gaps

#: Where a file that is mapped can be replaced and removed, and where rights and limits are these.
posix = pytest.mark.skipif(os.name != "posix", reason="it is about files, limits, kills of POSIX")

NAMES = tuple(ic.catalog())
BARS = 300
BID: Bars = with_gaps(BARS, 5)


def cache_of(
    store: ic.Store | Path | None, columns: Bars = BID, *, backend: str | None = None
) -> ic.IndicatorCache:
    return ic.IndicatorCache({"M1": {"bid": columns}}, store=store, backend=backend)


def bits(result: Any) -> dict[str, bytes]:
    return {name: column.tobytes() for name, column in as_columns(result).items()}


def get(cache: ic.IndicatorCache, name: str = "ema", **params: Any) -> dict[str, bytes]:
    return bits(cache.get("M1", "bid", name, **params))


def expected(name: str = "ema", columns: Bars = BID, **params: Any) -> dict[str, bytes]:
    return get(cache_of(None, columns), name, **params)


def the_file(folder: Path) -> Path:
    (found,) = folder.glob("??/*.npy")
    return found


def first(bars: int, columns: Bars = BID) -> Bars:
    return {name: column[:bars] for name, column in columns.items()}


def kinds(folder: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for _, kind, _ in stores.verify(folder):
        found[kind] = found.get(kind, 0) + 1
    return found


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def no_computing(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what forbids computing whole series from when it is called."""

    def refuse(*_: object) -> NoReturn:
        pytest.fail("this was to come from the store")

    def forbid() -> None:
        for method in ("begin", "begin_new"):
            monkeypatch.setattr(type(ic.backends.active()), method, refuse)

    return forbid


# --- the same bits ---


@pytest.mark.parametrize("name", NAMES)
def test_what_one_backend_leaves_the_others_take(tmp_path: Path, backend: str, name: str) -> None:
    wanted = expected(name)
    with ic.use_backend("native"):
        assert get(cache_of(tmp_path), name) == wanted
    store = ic.Store(tmp_path)
    cache = cache_of(store)
    assert get(cache, name) == wanted
    assert store.stats() == (1, 0, 0, 0, 0, 0)
    # And the other way round.
    shutil.rmtree(tmp_path)
    assert get(cache_of(tmp_path), name) == wanted
    other = cache_of(tmp_path, backend="native")
    assert get(other, name) == wanted
    assert other.store is not None
    assert other.store.stats().hits == 1
    assert backend in ic.backends.NAMES


def test_files_are_the_same_to_the_byte_whoever_writes_them(tmp_path: Path) -> None:
    contents = set()
    for backend in ic.backends.NAMES:
        get(cache_of(tmp_path / backend, backend=backend), "macd")
        contents.add(the_file(tmp_path / backend).read_bytes())
    assert len(contents) == 1


def test_arrays_are_mapped_and_nobody_can_write_to_them(tmp_path: Path) -> None:
    get(cache_of(tmp_path), "macd")
    cache = cache_of(tmp_path)
    before = len(_files._maps)
    result = cache.macd("M1", "bid")
    assert len(_files._maps) == before + 1
    assert cache.macd("M1", "bid") is result
    for column in result:
        assert column.dtype == np.float64
        assert column.flags.aligned
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1.0
        with pytest.raises(ValueError, match="WRITEABLE"):
            column.flags.writeable = True


@pytest.mark.parametrize("name", NAMES)
def test_bars_are_appended_to_what_came_from_a_store(
    tmp_path: Path, backend: str, name: str, no_computing: Callable[[], None]
) -> None:
    before, after = BARS - 40, {field: column[-40:] for field, column in BID.items()}
    with ic.use_backend("native"):
        get(cache_of(tmp_path, first(before)), name)
    wanted, whole = expected(name, first(BARS - 39)), expected(name)
    no_computing()
    cache = cache_of(tmp_path, first(before))
    assert get(cache, name) == expected_first(whole, before)
    one = {field: column[:1] for field, column in after.items()}
    assert get(cache.peek({"M1": {"bid": one}}), name) == wanted
    cache.append({"M1": {"bid": after}})
    assert get(cache, name) == whole
    assert cache.stats().misses == 1
    assert backend in ic.backends.NAMES


def expected_first(whole: dict[str, bytes], bars: int) -> dict[str, bytes]:
    return {name: column[: 8 * bars] for name, column in whole.items()}


def test_stepwise_results(tmp_path: Path) -> None:
    close = np.repeat(walk(50, 3)["close"], 4)
    new_bar = np.arange(200) % 4 == 0
    table = {"close": close, "new_bar": new_bar}
    more = {"close": [7.0, 7.0, 8.0], "new_bar": [True, False, True]}
    wanted = ic.IndicatorCache({"M1": {"bid": table}}).ema_stepwise("M1", "bid", "close", 5)
    ic.IndicatorCache({"M1": {"bid": table}}, store=tmp_path).ema_stepwise("M1", "bid", "close", 5)
    cache = ic.IndicatorCache({"M1": {"bid": table}}, store=tmp_path)
    assert cache.ema_stepwise("M1", "bid", "close", 5).tobytes() == wanted.tobytes()
    assert cache.store is not None
    assert cache.store.stats().hits == 1
    # Neither of all bars, nor of other candles.
    cache.ema("M1", "bid", "close", 5)
    others = {"close": close, "new_bar": np.arange(200) % 2 == 0}
    shifted = ic.IndicatorCache({"M1": {"bid": others}}, store=cache.store)
    shifted.ema_stepwise("M1", "bid", "close", 5)
    assert cache.store.stats()[:3] == (1, 2, 2)
    cache.append({"M1": {"bid": more}})
    both = {
        "close": np.append(close, [7.0, 7.0, 8.0]),
        "new_bar": np.append(new_bar, [True, False, True]),
    }
    fresh = ic.IndicatorCache({"M1": {"bid": both}}).ema_stepwise("M1", "bid", "close", 5)
    assert cache.ema_stepwise("M1", "bid", "close", 5).tobytes() == fresh.tobytes()


def test_prefetch_by_threads(tmp_path: Path) -> None:
    bars = {tf: {pt: walk(700, 2 * seed) for pt in ("bid",)} for seed, tf in enumerate("abc")}
    asked = ["ema:20", "ema:9@high", "macd", "atr:14", "dmi", "bollinger:20,2.5"]
    store = ic.Store(tmp_path)
    ic.IndicatorCache(bars, store=store).prefetch(asked, threads=8)
    assert store.stats()[:3] == (0, 18, 18)
    again = ic.IndicatorCache(bars, store=store)
    again.prefetch(asked, threads=8)
    assert store.stats()[:3] == (18, 18, 18)
    plain = ic.IndicatorCache(bars)
    for tf in "abc":
        assert bits(again.dmi(tf, "bid")) == bits(plain.dmi(tf, "bid"))


def test_caches_over_several_timeframes(tmp_path: Path) -> None:
    minutes = np.datetime64("2024-01-02T09:30") + np.arange(300)
    bars = {"timestamp": minutes, **walk(300, 1)}
    for hits in (0, 2):
        cache = ic.IndicatorCache.from_bars(bars, ["M1", "H1"], store=tmp_path)
        cache.view("H1", "bid", stepwise=True).ema()
        cache.ema("M1", "bid")
        assert cache.store is not None
        assert cache.store.stats().hits == hits


# --- names ---


def test_a_result_is_named_by_what_it_was_made_of(tmp_path: Path) -> None:
    store = ic.Store(tmp_path)
    get(cache_of(store), "ema")
    for same in (
        cache_of(store),
        cache_of(store, {"close": BID["close"]}),
        cache_of(store, {**BID, "volume": BID["volume"] + 1}),
    ):
        get(same, "ema", period=20)
    get(cache_of(store, {"high": BID["close"]}), "ema", source="high")
    assert store.stats()[:3] == (4, 1, 1)
    close = BID["close"].copy()
    at = int(np.flatnonzero(~np.isnan(close))[0])
    close[at] = np.nextafter(close[at], np.inf)
    get(cache_of(store, {"close": close}), "ema")
    get(cache_of(store), "ema", period=21)
    get(cache_of(store), "sma")
    get(cache_of(store, first(BARS - 1)), "ema")
    assert store.stats()[:3] == (4, 5, 5)
    assert kinds(tmp_path) == {"sound": 5}


def test_a_new_revision_has_another_name() -> None:
    spec = ic.catalog()["kalman_zscore"]
    params, inputs = spec.normalise({}), {"x": "00"}
    names = {
        _identity.name_of(_identity.describe(*arguments))
        for arguments in (
            (spec, params, inputs, None),
            (spec._replace(revision=spec.revision + 1), params, inputs, None),
            (spec, spec.normalise({"window": 101}), inputs, None),
            (spec, params, {"x": "01"}, None),
            (spec, params, inputs, "00"),
            (spec, params, inputs, None, "skip"),
        )
    }
    assert len(names) == 6


@pytest.mark.parametrize("backend", ic.backends.NAMES)
def test_policies_for_missing_bars_share_a_store(tmp_path: Path, backend: str) -> None:
    """Each finds its own results again, and goes on from them."""
    bars = with_gaps(BARS)
    policies: list[ic.MissingPolicy] = ["default", "propagate", "skip"]

    def results_of(folder: str | None) -> list[dict[str, bytes]]:
        given = []
        for policy in policies:
            cache = ic.IndicatorCache(
                {"M1": {"bid": first(BARS - 5, bars)}}, store=folder, missing=policy
            )
            given.append(get(cache))
            cache.append({"M1": {"bid": {name: x[BARS - 5 :] for name, x in bars.items()}}})
            given.append(get(cache))
        return given

    alone = results_of(None)
    assert len({result[""] for result in alone}) == len(alone)
    with ic.use_backend(backend):
        for _ in range(2):
            assert results_of(str(tmp_path)) == alone
    assert kinds(tmp_path) == {"sound": len(policies)}


def test_every_parameter_is_part_of_the_name() -> None:
    for spec in ic.catalog().values():
        params = spec.normalise({})
        names = {_identity.describe(spec, params, {}, None)}
        for at, value in enumerate(params):
            changed = (*params[:at], f"not {value}", *params[at + 1 :])
            names.add(_identity.describe(spec, changed, {}, None))
        assert len(names) == len(params) + 1


def test_digests_of_a_growing_column_are_those_of_the_whole() -> None:
    digests = _identity.ColumnDigests()
    values = np.random.default_rng(0).random(100)
    for length in (0, 10, 10, 100, 50, 100):
        fresh = _identity.ColumnDigests().of("x", values[:length])
        assert digests.of("x", values[:length]) == fresh
    assert digests.of("y", values[:50]) == digests.of("x", values[:50])
    # The bytes are those of a little-endian machine.
    assert digests.of("z", values.astype(">f8")) == digests.of("x", values)


def test_each_byte_of_a_column_is_digested_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    original = _identity._bytes

    def counted(column: Array) -> memoryview:
        read.append(len(column))
        return original(column)

    monkeypatch.setattr(_identity, "_bytes", counted)
    cache = cache_of(tmp_path)
    for name in NAMES:
        get(cache, name)
    assert read == [BARS] * 3
    cache.append({"M1": {"bid": dict.fromkeys(BID, 1.0)}})
    get(cache, "ema", period=7)
    assert read == [BARS] * 3 + [1]


def test_results_after_an_append_are_found_by_a_cache_of_all_bars(tmp_path: Path) -> None:
    store = ic.Store(tmp_path)
    cache = cache_of(store, first(BARS - 5))
    cache.append({"M1": {"bid": {field: column[-5:] for field, column in BID.items()}}})
    get(cache)
    assert get(cache_of(store)) == expected()
    assert store.stats().hits == 1


def test_what_is_extended_or_forming_is_not_written(tmp_path: Path) -> None:
    store = ic.Store(tmp_path)
    cache = cache_of(store)
    get(cache)
    bar = {"M1": {"bid": dict.fromkeys(BID, 1.0)}}
    get(cache.peek(bar))
    get(cache.peek(bar), "sma")
    cache.append(bar)
    get(cache)
    assert store.stats().written == 1


def test_no_bars_need_no_store(tmp_path: Path) -> None:
    store = ic.Store(tmp_path)
    assert get(cache_of(store, first(0))) == expected("ema", first(0))
    assert store.stats() == (0, 0, 0, 0, 0, 0)


# --- the form of a file ---


def test_files_are_opened_by_numpy_alone(tmp_path: Path) -> None:
    get(cache_of(tmp_path), "bollinger")
    record = np.load(the_file(tmp_path), mmap_mode="r", allow_pickle=False)
    assert record.shape == ()
    assert record.dtype.names == ("upper", "middle", "lower", "_state", "_about", "_checksum")
    for name, column in expected("bollinger").items():
        assert record[name].tobytes() == column
    stream = ic.restore(record["_state"].tobytes())
    assert (stream.spec.name, stream.bars) == ("bollinger", BARS)
    assert b'"std_factor":2.0' in record["_about"].item()


def test_the_header_is_that_of_numpy(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    columns = {"a": np.arange(3.0), "b": np.arange(3.0)}
    _files.write(path, b"about", columns, b"state")
    record = np.load(path)
    np.save(path, record)
    assert _files._header(["a", "b"], 3, 5, 5) == path.read_bytes()[:-74]
    assert _files.size_of(b"about", columns, b"state") == path.stat().st_size


def test_results_too_large_for_a_record_are_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="C int"):
        np.dtype([("x", "<f8", (2**28,))])
    np.dtype([("x", "<f8", (2**28 - 1,)), ("y", "u1", (7,))])
    assert _files.MOST_BYTES == 2**31 - 1
    monkeypatch.setattr(_files, "MOST_BYTES", 1000)
    store = ic.Store(tmp_path)
    assert get(cache_of(store)) == expected()
    assert (store.stats().written, kinds(tmp_path)) == (0, {})


# --- damage ---


def damaged(folder: Path, content: bytes | bytearray) -> ic.Store:
    """Put other content under the only name, and see that it is told, and mended."""
    the_file(folder).write_bytes(content)
    store = ic.Store(folder)
    with pytest.warns(StoreWarning, match="computed anew") as told:
        found = get(cache_of(store, first(40)))
    assert len(told) == 1
    assert found == expected("ema", first(40))
    assert store.stats() == (0, 1, 1, 0, 1, 0)
    return store


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    get(cache_of(tmp_path, first(40)))
    sound = the_file(tmp_path).read_bytes()
    for at in range(len(sound)):
        content = bytearray(sound)
        content[at] ^= 1 << at % 8
        damaged(tmp_path, content)
        assert the_file(tmp_path).read_bytes() == sound


def test_every_other_length_is_found(tmp_path: Path) -> None:
    get(cache_of(tmp_path, first(40)))
    sound = the_file(tmp_path).read_bytes()
    for length in range(len(sound)):
        damaged(tmp_path, sound[:length])
    damaged(tmp_path, sound + b"\0")
    damaged(tmp_path, sound + sound)
    damaged(tmp_path, sound[: len(sound) // 2] + bytes(len(sound) // 2))


def test_foreign_files_are_found(tmp_path: Path) -> None:
    get(cache_of(tmp_path, first(40)))
    path = the_file(tmp_path)
    sound = path.read_bytes()
    np.save(path, np.arange(40.0))
    damaged(tmp_path, path.read_bytes())
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    damaged(tmp_path, path.read_bytes())
    damaged(tmp_path, b"PK\3\4" + sound)
    # A sound result, and of the same size, but another one.
    get(cache_of(tmp_path / "other", first(40)), "ema", period=19)
    other = the_file(tmp_path / "other").read_bytes()
    shutil.rmtree(tmp_path / "other")
    assert len(other) == len(sound)
    path.write_bytes(other)
    assert [finding.reason for finding in stores.verify(tmp_path)] == [
        "it is not the result that its name stands for"
    ]
    damaged(tmp_path, other)
    assert path.read_bytes() == sound


def test_verify_finds_what_reading_finds(tmp_path: Path) -> None:
    get(cache_of(tmp_path, first(10)))
    path = the_file(tmp_path)
    sound = path.read_bytes()
    for at in range(len(sound)):
        content = bytearray(sound)
        content[at] ^= 1 << at % 8
        path.write_bytes(content)
        assert kinds(tmp_path) == {"damaged": 1}
        path.write_bytes(sound[:at])
        assert kinds(tmp_path) == {"damaged": 1}
    path.write_bytes(sound)
    assert kinds(tmp_path) == {"sound": 1}
    for other in (np.arange(3.0), np.zeros((), [("x", "f8")]), np.zeros((), [("_about", "f8")])):
        np.save(path, other)
        saved = path.read_bytes()
        path.write_bytes(saved + _files.library_of_checksums().xxh3_128_digest(saved))
        assert kinds(tmp_path) == {"damaged": 1}


class Checksums:
    """Counts those that are compared."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.compared = 0
        original = _files._sound

        def counted(content: Any) -> bool:
            self.compared += 1
            return original(content)

        monkeypatch.setattr(_files, "_sound", counted)


@pytest.mark.parametrize(("verify", "compared"), [("first", 1), ("always", 3), ("never", 0)])
def test_when_checksums_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verify: Any, compared: int
) -> None:
    get(cache_of(tmp_path))
    checksums = Checksums(monkeypatch)
    store = ic.Store(tmp_path, verify=verify)
    for _ in range(3):
        get(cache_of(store))
    assert store.stats().hits == 3
    assert checksums.compared == compared


def flip_last_value(path: Path) -> None:
    with path.open("r+b") as file:
        at = file.read().index(b'{"store"') - 600
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def test_a_file_that_has_changed_since_is_compared_again(tmp_path: Path) -> None:
    get(cache_of(tmp_path))
    store = ic.Store(tmp_path)
    get(cache_of(store))
    time.sleep(0.02)
    flip_last_value(the_file(tmp_path))
    with pytest.warns(StoreWarning, match="checksum"):
        assert get(cache_of(store)) == expected()
    assert get(cache_of(store)) == expected()
    assert store.stats() == (2, 1, 1, 0, 1, 0)


def test_never_means_that_values_are_believed(tmp_path: Path) -> None:
    get(cache_of(tmp_path))
    flip_last_value(the_file(tmp_path))
    store = ic.Store(tmp_path, verify="never")
    assert get(cache_of(store)) != expected()
    assert store.stats().hits == 1
    content = the_file(tmp_path).read_bytes()
    the_file(tmp_path).write_bytes(content[:-1])
    with pytest.warns(StoreWarning, match="computed anew"):
        assert get(cache_of(store)) == expected()


def test_a_state_that_is_of_no_use_costs_a_computation(tmp_path: Path) -> None:
    get(cache_of(tmp_path, first(100)))
    path = the_file(tmp_path)
    record = np.load(path)
    about, state = record["_about"].item(), record["_state"].tobytes()
    bar = {"M1": {"bid": {field: column[100:101] for field, column in BID.items()}}}
    longer = ic.stream("ema")
    longer.update_many(BID["close"][:99])
    for other in (b"?" * len(state), ic.stream("sma").save(), longer.save()):
        _files.write(path, about, {"ema": record["ema"]}, other)
        cache = cache_of(tmp_path, first(100))
        get(cache)
        assert cache.store is not None
        assert cache.store.stats().hits == 1
        assert get(cache.peek(bar)) == expected("ema", first(101))
        cache.append(bar)
        assert get(cache) == expected("ema", first(101))
        shutil.rmtree(tmp_path)
        get(cache_of(tmp_path, first(100)))


# --- when the directory cannot be used ---


@contextlib.contextmanager
def saying_so_once(reason: str, store: Callable[[], ic.Store]) -> Iterator[ic.Store]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield (opened := store())
        # Ask for more, to see that it says no more.
        for period in range(2, 9):
            assert get(cache_of(opened), "ema", period=period) == expected("ema", period=period)
    assert [warning.category for warning in told] == [StoreWarning], [*map(str, told)]
    assert reason in str(told[0].message)
    assert "going on without the store" in str(told[0].message)
    assert opened.stats().written == 0
    assert opened.stats().failures == 1


def full(*_: object, **__: object) -> NoReturn:
    raise OSError(28, "No space left on device")


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        # All bytes were written, and the directory has no room for the name.
        patched.setattr(_files, "_rename", full)
        with saying_so_once("No space left", lambda: ic.Store(tmp_path / "store")):
            pass
        assert files_in(tmp_path) == []
    ic.Store(tmp_path / "other")
    with monkeypatch.context() as patched:
        patched.setattr(_files, "put", full)
        with saying_so_once("No space left", lambda: ic.Store(tmp_path / "other")):
            pass
    assert files_in(tmp_path) == ["CACHEDIR.TAG"]


#: Files of this process end where the system says so, as on a full disk.
LIMITED = """
import resource, signal, sys, warnings
import numpy as np
import indicator_cache as ic
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
close = np.random.default_rng(1).random(50_000)
plain = ic.IndicatorCache({"M1": {"bid": {"close": close}}})
cache = ic.IndicatorCache({"M1": {"bid": {"close": close}}}, store=sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    for period in (5, 6, 7):
        found, wanted = (one.ema("M1", "bid", "close", period) for one in (cache, plain))
        assert found.tobytes() == wanted.tobytes()
assert [one.category for one in told] == [ic.StoreWarning], told
assert "File too large" in str(told[0].message)
assert cache.store.stats() == (0, 3, 0, 0, 0, 1), cache.store.stats()
"""


@posix
def test_a_disk_that_is_full_halfway_through_a_file(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], check=True)
    assert files_in(tmp_path) == ["CACHEDIR.TAG"]


def test_writing_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ic.Store(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(_files, "_rename", full)
        with pytest.warns(StoreWarning):
            get(cache_of(store), period=5)
    get(cache_of(store), period=5)
    assert store.stats().written == 0
    monkeypatch.setattr(store, "_rest_until", time.monotonic())
    get(cache_of(store), period=5)
    assert store.stats()[2:] == (1, 0, 0, 1)


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A directory of somebody without rights to others' files, as whom this test goes on."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    folder.chmod(0o755)
    if root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755)
        shutil.rmtree(folder)


@posix
def test_a_read_only_directory(nobody: Path) -> None:
    folder = nobody / "store"
    get(cache_of(folder), "sma")
    for path in [folder, *folder.iterdir()]:
        path.chmod(0o555)
    with saying_so_once("Permission denied", lambda: ic.Store(folder)) as store:
        # What is there can still be read.
        assert get(cache_of(store), "sma") == expected("sma")
        assert store.stats().hits == 1
        before = the_file(folder).stat()
    assert the_file(folder).stat().st_mtime_ns == before.st_mtime_ns


@posix
def test_a_directory_that_cannot_be_made(nobody: Path) -> None:
    nobody.chmod(0o555)
    with saying_so_once("cannot be opened", lambda: ic.Store(nobody / "store")):
        pass
    assert list(nobody.iterdir()) == []


@posix
def test_files_that_cannot_be_read(nobody: Path) -> None:
    get(cache_of(nobody))
    the_file(nobody).chmod(0)
    ((_, kind, reason),) = stores.verify(nobody)
    assert (kind, reason) == ("damaged", "it cannot be read: Permission denied")
    store = ic.Store(nobody)
    with pytest.warns(StoreWarning, match="cannot be read"):
        assert get(cache_of(store)) == expected()
    # It could be replaced.
    assert get(cache_of(store)) == expected()
    assert store.stats() == (1, 1, 1, 0, 0, 1)


@posix
def test_a_vanished_directory(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    cache = cache_of(folder)
    get(cache, "sma")
    kept = cache_of(cache.store).sma("M1", "bid")

    def vanish() -> ic.Store:
        store = ic.Store(folder)
        shutil.rmtree(folder)
        return store

    with saying_so_once("No such file", vanish):
        pass
    assert not folder.exists()
    # Those who have a result keep it.
    assert bits(kept) == expected("sma")


def test_a_directory_whose_place_something_else_has_taken(tmp_path: Path) -> None:
    def usurp() -> ic.Store:
        store = ic.Store(tmp_path / "store")
        shutil.rmtree(tmp_path / "store")
        (tmp_path / "store").mkdir()
        (tmp_path / "store" / "letters").touch()
        return store

    with saying_so_once("No such file", usurp):
        pass
    assert [path.name for path in tmp_path.rglob("*")] == ["store", "letters"]


def test_a_store_is_no_reason_to_take_other_directories(tmp_path: Path) -> None:
    (tmp_path / "letters").touch()
    with pytest.raises(ic.ParameterError, match=r"empty directory, or none yet \(it has 'letters'"):
        ic.Store(tmp_path)
    with pytest.raises(ic.ParameterError, match="a directory, or none yet"):
        ic.Store(tmp_path / "letters")
    (tmp_path / "letters").rename(tmp_path / "CACHEDIR.TAG")
    with pytest.raises(ic.ParameterError, match=r"'CACHEDIR\.TAG'"):
        ic.Store(tmp_path)
    for function in (stores.usage, stores.verify, stores.clear, lambda path: stores.prune(path, 0)):
        with pytest.raises(ic.ParameterError, match="the directory of a store"):
            function(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["CACHEDIR.TAG"]


def test_many_may_make_one_store_at_once(tmp_path: Path) -> None:
    for attempt in range(20):
        folder = tmp_path / str(attempt) / "store"
        barrier = threading.Barrier(8)

        def opened(folder: Path = folder, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            ic.Store(folder)

        with ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(opened) for _ in range(8)]:
                done.result()
        assert [path.name for path in folder.iterdir()] == ["CACHEDIR.TAG"]


# --- writers that end early ---

#: A process that is killed when all of a file has been written but its name.
KILLED = """
import os, signal, sys
import indicator_cache as ic
from indicator_cache.store import _files
_files._rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
ic.IndicatorCache({"M1": {"bid": {"close": [1.0, 2.0]}}}, store=sys.argv[1]).ema("M1", "bid")
"""


@posix
def test_a_killed_writer(tmp_path: Path) -> None:
    ic.Store(tmp_path)
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert ended.returncode == -9
    ((path, kind, reason),) = stores.verify(tmp_path)
    assert kind == "unfinished"
    assert "being written, or its writer died" in reason
    assert stores.usage(tmp_path)[2:4] == (1, path.stat().st_size)
    assert stores.prune(tmp_path, 10**9).unfinished == 0
    hours_ago = time.time() - 2 * 3600
    os.utime(path, (hours_ago, hours_ago))
    ((_, _, reason),) = stores.verify(tmp_path)
    assert reason.startswith("its writer was killed")
    assert stores.prune(tmp_path, 10**9) == (0, 0, 1, 0, 0, 0)
    assert kinds(tmp_path) == {}


def test_an_interrupted_writer_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    cache = cache_of(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(_files, "_rename", interrupt)
        with pytest.raises(KeyboardInterrupt):
            get(cache)
    assert kinds(tmp_path) == {}
    assert get(cache) == expected()
    assert kinds(tmp_path) == {"sound": 1}


def test_where_mapped_files_cannot_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get(cache_of(tmp_path))
    before = the_file(tmp_path).stat().st_ino
    record = np.load(the_file(tmp_path))
    arguments = record["_about"].item(), {"ema": record["ema"]}, record["_state"].tobytes()

    def refuse(*_: object) -> NoReturn:
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(_files, "_REPLACES_MAPPED", False)
    store = ic.Store(tmp_path)
    store.save(*arguments)
    assert store.stats().written == 1
    assert the_file(tmp_path).stat().st_ino == before
    assert kinds(tmp_path) == {"sound": 1}
    monkeypatch.setattr(_files, "_REPLACES_MAPPED", True)
    with pytest.warns(StoreWarning, match="Access is denied"):
        store.save(*arguments)
    assert kinds(tmp_path) == {"sound": 1}


# --- bounds ---


def test_the_bound_is_kept_and_the_least_recently_used_go_first(tmp_path: Path) -> None:
    size = 3_000
    bound = 10 * size
    store = ic.Store(tmp_path, max_bytes=bound)
    get(cache_of(store), "ema", period=2)
    for period in range(3, 60):
        assert get(cache_of(store), "ema", period=period) == expected("ema", period=period)
        # In use all the time.
        assert get(cache_of(store), "ema", period=2) == expected("ema", period=2)
        assert stores.usage(tmp_path).bytes <= bound
        time.sleep(0.002)
    stats = store.stats()
    assert (stats.hits, stats.misses, stats.written) == (57, 58, 58)
    left = stores.usage(tmp_path).entries
    assert stats.evictions == 58 - left
    assert left > 5
    for period in range(60 - left + 2, 60):
        get(cache_of(store), "ema", period=period)
    assert store.stats().misses == stats.misses


def test_what_is_larger_than_the_bound_is_not_stored(tmp_path: Path) -> None:
    store = ic.Store(tmp_path, max_bytes=1000)
    assert get(cache_of(store)) == expected()
    assert (store.stats().written, kinds(tmp_path)) == (0, {})
    get(cache_of(store, first(3)))
    assert store.stats().written == 1


def test_several_processes_exceed_the_bound_by_a_sixteenth_each(tmp_path: Path) -> None:
    bound = 64 * 1024
    together = [ic.Store(tmp_path, max_bytes=bound) for _ in range(4)]
    most = 0
    for period in range(2, 100):
        for at, store in enumerate(together):
            get(cache_of(store), "ema", period=4 * period + at)
        most = max(most, stores.usage(tmp_path).bytes)
    assert most <= bound + 3 * bound // 16


def test_pruning_to_a_size(tmp_path: Path) -> None:
    for period in range(2, 12):
        get(cache_of(tmp_path), "ema", period=period)
        time.sleep(0.002)
    (tmp_path / "letters").touch()
    (tmp_path / "00").mkdir(exist_ok=True)
    (tmp_path / "00" / "letters").touch()
    entries, held, *_, foreign, oldest = stores.usage(tmp_path)
    assert (entries, foreign) == (10, 2)
    assert oldest is not None
    pruned = stores.prune(tmp_path, held // 2 + 100)
    assert (pruned.entries, pruned.left_entries, pruned.failures) == (5, 5, 0)
    assert pruned.bytes + pruned.left_bytes == held
    store = ic.Store(tmp_path)
    for period in range(7, 12):
        get(cache_of(store), "ema", period=period)
    assert store.stats().hits == 5
    assert stores.clear(tmp_path).left_entries == 0
    assert kinds(tmp_path) == {"foreign": 2}
    with pytest.raises(ic.ParameterError, match="max_bytes"):
        stores.prune(tmp_path, -1)


def test_verifying_is_no_use(tmp_path: Path) -> None:
    get(cache_of(tmp_path))
    long_ago = 1_000_000_000
    os.utime(the_file(tmp_path), (long_ago, long_ago))
    assert kinds(tmp_path) == {"sound": 1}
    assert stores.usage(tmp_path).oldest == long_ago
    get(cache_of(tmp_path))
    assert stores.usage(tmp_path).oldest != long_ago
    assert the_file(tmp_path).stat().st_mtime == long_ago


def test_files_that_cannot_be_removed_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get(cache_of(tmp_path))

    def refuse(*_: object, **__: object) -> NoReturn:
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    cleared = stores.clear(tmp_path)
    assert (cleared.entries, cleared.left_entries, cleared.failures) == (0, 1, 1)
    store = ic.Store(tmp_path, max_bytes=the_file(tmp_path).stat().st_size + 100)
    get(cache_of(store), period=5)
    assert store.stats() == (0, 1, 0, 0, 0, 0)


# --- the process ---


#: More results than files that may be open.
MANY = """
import resource, sys
import numpy as np
import indicator_cache as ic
resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))
close = np.random.default_rng(1).random(1000)
caches = [ic.IndicatorCache({"M1": {"bid": {"close": close}}}, store=sys.argv[1]) for _ in "ab"]
for cache in caches:
    for period in range(1, 600):
        cache.ema("M1", "bid", "close", period)
assert caches[1].store.stats() == (599, 0, 0, 0, 0, 0), caches[1].store.stats()
plain = ic.IndicatorCache({"M1": {"bid": {"close": close}}})
for period in range(1, 600):
    found, wanted = (one.ema("M1", "bid", "close", period) for one in (caches[1], plain))
    assert found.tobytes() == wanted.tobytes()
"""


@posix
def test_more_results_than_file_descriptors(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", MANY, str(tmp_path)], check=True)


def test_a_map_that_cannot_be_had_is_a_file_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get(cache_of(tmp_path))
    monkeypatch.setattr(mmap, "mmap", full)
    store = ic.Store(tmp_path)
    result = cache_of(store).ema("M1", "bid")
    assert bits(result) == expected()
    assert not result.flags.writeable
    assert result.flags.aligned
    assert store.stats().hits == 1


def test_results_of_threads_that_drop_denormal_numbers_are_kept_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_store, "flushes_to_zero", lambda: True)
    store = ic.Store(tmp_path)
    get(cache_of(store))
    assert store.stats() == (0, 1, 0, 0, 0, 0)


def test_a_store_goes_to_other_processes_as_its_settings(tmp_path: Path) -> None:
    store = ic.Store(tmp_path, max_bytes=12345, verify="always")
    get(cache_of(store))
    other: ic.Store = pickle.loads(pickle.dumps(store))  # noqa: S301 - written in this line
    assert (
        repr(other) == repr(store) == f"Store({str(tmp_path)!r}, max_bytes=12345, verify='always')"
    )
    assert other.stats() == (0, 0, 0, 0, 0, 0)


def test_a_relative_path_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = ic.Store("store")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    get(cache_of(store))
    assert kinds(tmp_path / "store") == {"sound": 1}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"store": 5}, "store must be a path, or a Store, got 5"),
        ({"store": True}, "store must be a path"),
    ],
)
def test_what_is_no_store(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ic.ParameterError, match=words):
        ic.IndicatorCache({"M1": {"bid": BID}}, **arguments)


@pytest.mark.parametrize(
    "settings",
    [{"max_bytes": -1}, {"max_bytes": 1.5}, {"max_bytes": True}, {"verify": "often"}],
)
def test_settings_that_there_are_not(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(ic.ParameterError, match=next(iter(settings))):
        ic.Store(tmp_path / "store", **settings)
    assert list(tmp_path.iterdir()) == []


def test_a_store_needs_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xxhash", None)
    with pytest.raises(ImportError, match=r"pip install 'indicator-cache\[store\]'"):
        ic.Store(tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


def test_a_cache_without_a_store_has_none() -> None:
    assert cache_of(None).store is None


def test_importing_the_package_does_not_bring_the_store() -> None:
    code = "import sys, indicator_cache; print('indicator_cache.store' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_layout_and_tag(tmp_path: Path) -> None:
    get(cache_of(tmp_path))
    path = the_file(tmp_path)
    name = path.parent.name + path.stem
    assert len(name) == 64
    assert _directory.entry_path(tmp_path, name) == path
    assert (
        (tmp_path / "CACHEDIR.TAG")
        .read_text()
        .startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    )

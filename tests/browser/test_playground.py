"""The playground: the bits of Python, refusals that tell why, keys, small and dark screens."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Browser, Page, expect

import indicator_cache as ic

from .conftest import PLAYGROUND, ROOT, SCREENSHOTS, SITE, Open

SAMPLE = SITE / "docs/playground/aapl.csv"
FIELDS = ("open", "high", "low", "close", "volume")

Columns = dict[str, npt.NDArray[np.float64]]


def sample() -> Columns:
    table = np.genfromtxt(SAMPLE, delimiter=",", names=True)
    return {name: np.ascontiguousarray(table[name]) for name in FIELDS}


def digest(name: str, columns: Columns, source: str = "close", **params: object) -> str:
    spec = ic.catalog()[name]
    inputs = [columns[source if column == "x" else column] for column in spec.inputs]
    result: Any = getattr(ic, name)(*inputs, **params)
    outputs = result if isinstance(result, tuple) else (result,)
    return hashlib.sha256(b"".join(output.tobytes() for output in outputs)).hexdigest()


def printed(line: str, folder: Path) -> str:
    """Return what a line of Python prints in a folder."""
    out = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out):
        exec(line, {})  # noqa: S102 - the page's claim is that this very text works
    return out.getvalue().strip()


def remove_all(page: Page) -> None:
    while page.locator(".study .close").count():
        page.locator(".study .close").first.click()


def add(page: Page, name: str) -> None:
    page.select_option("#indicator", name)
    page.click("#add button")


def only(page: Page, name: str) -> None:
    remove_all(page)
    add(page, name)


def shown_digests(page: Page) -> list[str]:
    found: list[str] = page.locator("#results .digest").all_inner_texts()
    return found


def shown_lines(page: Page) -> list[str]:
    found: list[str] = page.locator("#results .python").all_inner_texts()
    return found


def read(page: Page) -> None:
    """Wait until the file that was chosen has been read, which the page does by the way."""
    expect(page.locator("#prices")).to_have_attribute("aria-busy", "false")


def give(page: Page, name: str, content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content
    page.set_input_files("#file", {"name": name, "mimeType": "text/csv", "buffer": data})
    read(page)


def drop(page: Page, name: str, content: str) -> None:
    """Drop a file on the page, as with a mouse."""
    page.evaluate(
        """([name, content]) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([content], name, { type: "text/csv" }));
            for (const kind of ["dragover", "drop"]) {
                document.body.dispatchEvent(
                    new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
            }
        }""",
        [name, content],
    )
    read(page)


# --- the same bits ---


def test_every_indicator_has_the_digest_of_python(playground: Page, tmp_path: Path) -> None:
    options = playground.locator("#indicator option").evaluate_all("all => all.map(o => o.value)")
    assert sorted(options) == sorted(ic.catalog())
    playground.click("#use-sample")
    remove_all(playground)
    for name in ic.catalog():
        add(playground, name)
    columns = sample()
    assert shown_digests(playground) == [digest(name, columns) for name in ic.catalog()]

    (tmp_path / SAMPLE.name).write_bytes(SAMPLE.read_bytes())
    lines = shown_lines(playground)
    assert [printed(line, tmp_path) for line in lines] == shown_digests(playground)

    playground.select_option("#speed", "Infinity")
    playground.click("#play")
    playground.wait_for_selector("#replayed.good")
    assert "750 bars, every bit equal" in playground.inner_text("#replayed")
    streamed = playground.locator("#results .streamed.good").all_inner_texts()
    assert streamed == ["Bar by bar: the same digest"] * len(ic.catalog())


def test_the_sample_that_is_saved_is_the_one_computed(playground: Page) -> None:
    with playground.expect_download() as download:
        playground.click("#save-sample")
    assert download.value.suggested_filename == SAMPLE.name
    assert Path(download.value.path()).read_bytes() == SAMPLE.read_bytes()


def test_parameters_and_source(playground: Page, tmp_path: Path) -> None:
    (tmp_path / SAMPLE.name).write_bytes(SAMPLE.read_bytes())
    only(playground, "bollinger")
    playground.get_by_label("period").fill("7")
    playground.get_by_label("std_factor").fill("1e-3")
    playground.get_by_label("source").select_option("high")
    expected = digest("bollinger", sample(), "high", period=7, std_factor=1e-3)
    assert shown_digests(playground) == [expected]
    assert printed(shown_lines(playground)[0], tmp_path) == expected

    only(playground, "residual_zscore")
    playground.get_by_label("mean_source").select_option("ema")
    playground.get_by_label("ema_period").fill("9")
    expected = digest("residual_zscore", sample(), mean_source="ema", ema_period=9)
    assert shown_digests(playground) == [expected]
    assert printed(shown_lines(playground)[0], tmp_path) == expected
    playground.get_by_label("ema_period").fill("")
    assert shown_digests(playground) == [digest("residual_zscore", sample(), mean_source="ema")]

    only(playground, "garch_volatility")
    playground.get_by_label("use_log_returns").uncheck()
    expected = digest("garch_volatility", sample(), use_log_returns=False)
    assert shown_digests(playground) == [expected]
    assert printed(shown_lines(playground)[0], tmp_path) == expected


def test_a_parameter_is_refused_in_the_words_of_python(playground: Page) -> None:
    only(playground, "ema")
    playground.get_by_label("period").fill("0")
    with pytest.raises(ic.ParameterError) as refusal:
        ic.ema([1.0], period=0)
    assert playground.inner_text(".study .refused") == str(refusal.value)
    assert shown_digests(playground) == []
    playground.get_by_label("period").fill("3")
    assert shown_digests(playground) == [digest("ema", sample(), period=3)]
    assert not playground.locator(".study .refused").is_visible()


def test_what_belongs_on_the_prices(playground: Page) -> None:
    """Averages share the prices' panel, an oscillator gets one of its own."""
    height = "document.querySelector('#chart').clientHeight"
    only(playground, "sma")
    alone = playground.evaluate(height)
    add(playground, "bollinger")
    assert playground.evaluate(height) == alone
    add(playground, "rsi")
    assert playground.evaluate(height) > alone
    only(playground, "sma")
    playground.get_by_label("source").select_option("volume")
    assert playground.evaluate(height) > alone


def test_replay_in_steps(playground: Page) -> None:
    playground.click("#step")
    playground.click("#step")
    assert playground.inner_text("#replayed").startswith("2 of 750 bars. Every bit equal")
    assert playground.inner_text("#legend").startswith("2010-03-11")
    playground.click("#rewind")
    assert playground.inner_text("#replayed").startswith("0 of 750 bars.")
    playground.click("#play")
    assert playground.inner_text("#play") == "Pause"
    expect(playground.locator("#replayed")).to_have_text(re.compile(r"^[1-9]\d+ of 750 bars"))
    playground.click("#play")
    assert playground.inner_text("#play") == "Play"
    # A change of what is computed ends it.
    add(playground, "ema")
    assert playground.inner_text("#replayed") == ""


def test_no_indicator_is_named_in_the_sources() -> None:
    """What the registry gets, the playground has, with no other edit."""
    names = re.compile(rf"\b({'|'.join(ic.catalog())})\b")
    sources = sorted((ROOT / "docs/playground/src").iterdir())
    assert len(sources) > 5
    assert {path.name: names.findall(path.read_text(encoding="utf-8")) for path in sources} == {
        path.name: [] for path in sources
    }


# --- files ---

GOOD = """\
date,open,high,low,close,volume
2024-01-02,10,11,9,10.5,1000
2024-01-03,10.5,12,10,0.1,1100
2024-01-04,11,13,11,1e-7,900
"""

FORMS = {
    "plain": GOOD,
    "crlf and a mark at the start": "\ufeff" + GOOD.replace("\n", "\r\n"),
    "semicolons": GOOD.replace(",", ";"),
    "tabs": GOOD.replace(",", "\t"),
    "upper case and blanks": GOOD.replace("close", " Close ").replace("1e-7", " 1E-7 "),
    "empty lines": "\n" + GOOD.replace("\n", "\n\n"),
    "gaps": GOOD.replace(",12,10,0.1,", ",,,,").replace(",900", ",NaN"),
    "quotes": GOOD.replace("2024-01-02", '"Tue, Jan 2"').replace("10.5,1000", '"10.5","1,000"')
    .replace("1,000", "1000"),
    "no times": "".join(line.split(",", 1)[1] + "\n" for line in GOOD.splitlines()),
    "times twice": GOOD.replace("01-03", "01-02"),
    "unix times": GOOD.replace("2024-01-02", "1704153600").replace("2024-01-03", "1704240000")
    .replace("2024-01-04", "1704326400"),
    "one bar": "\n".join(GOOD.splitlines()[:2]),
    "other columns": GOOD.replace("volume", "note").replace(",1000", ",good").replace(",900", ","),
}  # fmt: skip


@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS.keys())
def test_forms_of_files(playground: Page, tmp_path: Path, content: str) -> None:
    remove_all(playground)
    give(playground, "own prices.csv", content)
    add(playground, "ema")
    add(playground, "atr")
    assert not playground.locator("#error").is_visible(), playground.inner_text("#error")
    (tmp_path / "own prices.csv").write_bytes(content.encode())
    lines = shown_lines(playground)
    assert len(lines) == 2
    assert [printed(line, tmp_path) for line in lines] == shown_digests(playground)


def test_a_long_file(playground: Page) -> None:
    """More bars than the chart has room for: all are computed, streamed and compared."""
    close = [f"{1000 + bar % 977}.{bar % 89}" for bar in range(45_000)]
    give(playground, "long.csv", "\n".join(["close", *close]))
    only(playground, "ema")
    assert "Digests are of all bars" in playground.inner_text("#loaded")
    columns = {"close": np.array(close, np.float64)}
    assert shown_digests(playground) == [digest("ema", columns)]
    playground.locator("#chart").focus()
    playground.keyboard.press("End")
    expect(playground.locator("#legend")).to_contain_text("bar 44999")
    playground.keyboard.press("Home")
    expect(playground.locator("#legend")).to_contain_text("bar 30000")
    playground.select_option("#speed", "Infinity")
    playground.click("#play")
    playground.wait_for_selector("#replayed.good")
    assert "all 45,000 bars" in playground.inner_text("#replayed")


REFUSED = {
    "": "Line 1: the file is empty.",
    "date,price\n2024-01-02,1\n": "Line 1: no column is named open, high, low, close, volume. "
    "Found: date, price.",
    "close,close\n1,2\n": "Line 1: two columns are named close.",
    "date,close\n": "Line 2: there are no bars after the header.",
    GOOD.replace("0.1", "ten"): "Line 3: close is “ten”, which is not a number. "
    "Leave the field empty where a bar is missing.",
    GOOD.replace(",", ";").replace("0.1", "0,1"): "Line 3: close is “0,1”, which is not a number. "
    "Decimals need a point.",
    GOOD.replace("0.1", "0x1"): "Line 3: close is “0x1”, which is not a number.",
    GOOD.replace("1e-7", "inf"): "Line 4: close is “inf”, which is not a number.",
    GOOD.replace(",900", ""): "Line 4: 5 fields, but the header has 6.",
    GOOD.replace("01-04", "01-01"): "Line 4: 2024-01-01 comes after 2024-01-03. "
    "The oldest bar has to be the first.",
    GOOD.replace("2024-01-03", '"2024'): "Line 3: a quotation mark is opened and not closed.",
    "close\n1\n\0\n": "Line 3: this is not text. Is it a CSV file?",
}


@pytest.mark.parametrize(("content", "message"), REFUSED.items(), ids=range(len(REFUSED)))
def test_a_bad_file_is_told_the_line_and_the_reason(
    playground: Page, content: str, message: str
) -> None:
    before = shown_digests(playground)
    drop(playground, "bad.csv", content)
    playground.wait_for_selector("#error:visible")
    assert playground.inner_text("#error").startswith(f"bad.csv was not read. {message}")
    # Nothing else changed.
    assert shown_digests(playground) == before
    playground.click("#use-sample")
    assert not playground.locator("#error").is_visible()


def test_a_file_that_is_no_text(playground: Page) -> None:
    give(playground, "bad.bin", b"date,close\n2024-01-02,1\n2024-01-03,\xff\n")
    message = "bad.bin was not read. Line 3: this is not text in UTF-8. Is it a CSV file?"
    assert playground.inner_text("#error") == message


def test_a_file_that_cannot_be_read(playground: Page) -> None:
    """It was a folder, or was deleted after it was chosen."""
    before = shown_digests(playground)
    playground.evaluate(
        """() => {
            File.prototype.arrayBuffer = async () => {
                throw new DOMException("It is gone.", "NotFoundError");
            };
        }"""
    )
    drop(playground, "gone.csv", GOOD)
    assert playground.inner_text("#error") == "gone.csv was not read. It is gone."
    assert shown_digests(playground) == before


def test_what_was_chosen_last_is_shown(playground: Page) -> None:
    """A file that takes long to read does not replace what was chosen while it was read."""
    playground.evaluate(
        """() => {
            const read = File.prototype.arrayBuffer;
            const released = new Promise((release) => (window.release = release));
            File.prototype.arrayBuffer = function () {
                if (this.name !== "slow.csv") return read.call(this);
                return (window.slow = released.then(() => read.call(this)));
            };
        }"""
    )
    slow = {"name": "slow.csv", "mimeType": "text/csv", "buffer": b"close\n1\n"}
    playground.set_input_files("#file", slow)
    expect(playground.locator("#prices")).to_have_attribute("aria-busy", "true")
    give(playground, "quick.csv", GOOD)
    assert "quick.csv" in playground.inner_text("#loaded")
    # After what the page does with the bytes, which it awaits as well.
    playground.evaluate("async () => { release(); await slow; await new Promise(setTimeout); }")
    assert "quick.csv" in playground.inner_text("#loaded")


def test_a_column_that_the_file_lacks(playground: Page) -> None:
    remove_all(playground)
    drop(playground, "close.csv", "close\n1\n2\n")
    add(playground, "atr")
    add(playground, "ema")
    reason = "close.csv has no column high. It has: close."
    assert playground.locator(".study .refused").first.inner_text() == reason
    assert len(shown_digests(playground)) == 1


# --- nothing leaves ---


def test_the_page_cannot_ask_anybody(browser: Browser, address: str) -> None:
    """Not even its own server: the policy forbids it."""
    # Not by `visit`: the browser complains of what is refused here.
    page = browser.new_page()
    page.goto(f"{address}/{PLAYGROUND}")
    attempt = "fetch(location.href).then(() => 'fetched', () => 'refused')"
    assert page.evaluate(attempt) == "refused"
    image = """new Promise(resolve => {
        const image = new Image();
        image.onload = image.onerror = event => resolve(event.type);
        image.src = 'style.css';
    })"""
    assert page.evaluate(image) == "error"
    page.close()


def test_from_a_disk(visit: Open) -> None:
    page = visit(base=SITE.as_uri())
    only(page, "ema")
    assert shown_digests(page) == [digest("ema", sample())]


# --- people and their screens ---


def focused(page: Page) -> str:
    found: str = page.evaluate("document.activeElement.id || document.activeElement.textContent")
    return found


def test_by_keyboard_alone(playground: Page) -> None:
    reached = []
    for _ in range(60):
        playground.keyboard.press("Tab")
        reached.append(focused(playground))
        if reached[-1] == "indicator":
            break
    assert {"theme", "file", "use-sample", "save-sample"} <= set(reached)
    playground.keyboard.type("Simple")
    playground.keyboard.press("Tab")
    playground.keyboard.press("Enter")
    assert digest("sma", sample()) in shown_digests(playground)

    while focused(playground) != "chart":
        playground.keyboard.press("Tab")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert playground.evaluate(outline) != "none"
    playground.keyboard.press("Home")
    expect(playground.locator("#legend")).to_contain_text("2010-03-10")
    playground.keyboard.press("Shift+ArrowRight")
    playground.keyboard.press("ArrowRight")
    expect(playground.locator("#legend")).to_contain_text("2010-03-25")
    assert playground.inner_text("#spoken").startswith("2010-03-25")
    for key in ("+", "-", "End", "Escape"):
        playground.keyboard.press(key)
    playground.keyboard.press("Tab")
    assert focused(playground) == "play"
    playground.keyboard.press("Tab")
    playground.keyboard.press("Enter")
    assert playground.inner_text("#replayed").startswith("1 of 750 bars")

    playground.locator(".study .close").first.focus()
    playground.keyboard.press("Enter")
    assert playground.locator(".study").count() == 2
    assert playground.evaluate("document.activeElement.className") == "close"


def test_everything_has_a_name(playground: Page) -> None:
    for name in ic.catalog():
        add(playground, name)
    nameless = """[...document.querySelectorAll("button, input, select, a, [role]")].filter(one =>
        !one.labels?.length && !one.getAttribute("aria-label")
        && !one.getAttribute("aria-labelledby") && !one.textContent.trim()
        && !["alert", "status"].includes(one.role)).length"""
    assert playground.evaluate(nameless) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("screen", "width", "height"), [("desk", 1360, 1000), ("phone", 360, 780)])
def test_screens(visit: Open, screen: str, width: int, height: int, scheme: str) -> None:
    options = {"viewport": {"width": width, "height": height}, "has_touch": screen == "phone"}
    page = visit(color_scheme=scheme, **options)
    for name in ("macd", "rsi"):
        add(page, name)
    drop(page, "prices.csv", "date,close\n2024-01-02,ten\n")
    page.wait_for_selector("#error:visible")
    page.select_option("#speed", "Infinity")
    page.click("#play")
    page.wait_for_selector("#replayed.good")
    page.wait_for_timeout(300)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"playground-{screen}-{scheme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    too_wide = """[...document.querySelectorAll("main *")].filter(one =>
        one.getBoundingClientRect().right > innerWidth + 1 && !one.closest("#chart")).length"""
    assert page.evaluate(too_wide) == 0
    light = page.evaluate(BRIGHTNESS)
    assert (light > 200) == (scheme == "light")


#: Of the page behind its cards, 0 to 255.
BRIGHTNESS = """(() => {
    const canvas = document.createElement("canvas").getContext("2d");
    canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data[0];
})()"""


def test_the_theme_can_be_chosen_and_is_kept(visit: Open) -> None:
    page = visit(color_scheme="light")
    page.click("#theme")
    page.click("#theme")
    assert page.inner_text("#theme") == "Theme: dark"
    assert page.evaluate(BRIGHTNESS) < 60
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.evaluate(BRIGHTNESS) < 60


def test_nothing_is_kept_but_the_theme(playground: Page) -> None:
    playground.click("#theme")
    kept = playground.evaluate("[document.cookie, Object.keys(localStorage).join()]")
    assert kept == ["", "theme"]

"""The built site in a real browser, served to it on this machine and by nobody else.

`make test-browser` runs this folder, and `pytest` by itself leaves it out: it needs Chromium and
`make docs`.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
SITE = ROOT / "target/site"
SCREENSHOTS = ROOT / "target/screenshots"
PLAYGROUND = "docs/playground/index.html"

#: Of the last, a browser left alone would look up its maker's hosts at every start.
FLAGS = (
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

Open = Callable[..., Page]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base
        pass


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Where the site is."""
    assert (SITE / PLAYGROUND).exists(), "the site is not built: make docs"
    handler = partial(Quiet, directory=str(SITE))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    # Playwright knows where Chrome is on every system, and of Chromium only what it brings itself.
    chromium = shutil.which("chromium")
    channel = None if chromium else "chrome"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium, channel=channel, args=list(FLAGS)
        )
        yield running
        running.close()


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Open]:
    """Open a page; at the end, nothing was asked of another host and nothing went wrong in it."""
    asked: list[str] = []
    complaints: list[str] = []
    contexts = []

    def visit(path: str = PLAYGROUND, base: str = address, **options: object) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                complaints.append(f"{message.text} {message.location}")
                if message.type == "error"
                else None
            ),
        )
        page.goto(f"{base}/{path}")
        if path == PLAYGROUND:
            page.wait_for_selector("html[data-ready]")
        return page

    yield visit
    for context in contexts:
        context.close()
    here = (address, SITE.as_uri(), "data:", "blob:")
    assert [url for url in asked if not url.startswith(here)] == []
    assert complaints == []


@pytest.fixture
def playground(visit: Open) -> Page:
    return visit(viewport={"width": 1360, "height": 900})

"""The pages of the site: complete, linked, and without a request to anybody else."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import indicator_cache as ic

from .conftest import SCREENSHOTS, SITE, Open

PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))


class Links(HTMLParser):
    """What a page links to, and what it loads."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.linked: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if "src" in given:
            self.loaded.append(given["src"])
        if "href" in given:
            (self.linked if tag == "a" else self.loaded).append(given["href"])


def test_there_is_a_page_for_every_indicator_and_guide() -> None:
    expected = {f"docs/indicators/{name}.html" for name in ic.catalog()}
    expected |= {"index.html", "README.html", "CHANGELOG.html", "docs/api.html"}
    expected |= {"docs/accuracy.html", "docs/performance.html", "docs/playground/index.html"}
    assert expected <= set(PAGES)


def test_links_lead_somewhere() -> None:
    pages = {page: Links(SITE / page) for page in PAGES}
    broken = []
    for page, links in pages.items():
        for link in (*links.linked, *links.loaded):
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (SITE / page).parent / unquote(parts.path) if parts.path else SITE / page
            if not target.is_file():
                broken.append(f"{page}: {link}")
                continue
            there = pages.get(target.resolve().relative_to(SITE).as_posix())
            fragment = unquote(parts.fragment)
            if there and fragment and page != "genindex.html" and fragment not in there.anchors:
                broken.append(f"{page}: {link}")
    assert broken == []


def test_no_page_loads_anything_from_elsewhere() -> None:
    for page in PAGES:
        schemes = {urlsplit(link).scheme for link in Links(SITE / page).loaded}
        assert schemes <= {"", "data"}, page


def test_pages_in_the_browser(visit: Open) -> None:
    # One of each kind; requests and errors are looked at when the test is over.
    for path in ("index.html", "README.html", "docs/api.html", "docs/performance.html"):
        page = visit(path)
        page.wait_for_load_state("networkidle")
        assert page.title()


def test_search_works_without_a_server_of_its_own(visit: Open) -> None:
    page = visit("search.html?q=bollinger")
    page.wait_for_selector("#search-results li a")
    links = page.locator("#search-results li a").evaluate_all("all => all.map(one => one.href)")
    assert any("indicators/bollinger" in link for link in links)


def test_looks(visit: Open) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        page = visit(
            "docs/indicators/bollinger.html",
            viewport={"width": 1360, "height": 900},
            color_scheme=scheme,
        )
        page.screenshot(path=SCREENSHOTS / f"site-{scheme}.png")
    page = visit("docs/index.html", viewport={"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360

"""How Sphinx makes the site: `make docs`.

The source directory is the root of the repository, so that README.md and the pages link to each
other here as they do anywhere else. The tables of the index pages are the site's contents: a page
that none of them names is a warning, and warnings are errors.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent

with (ROOT / "Cargo.toml").open("rb") as manifest:
    release = tomllib.load(manifest)["workspace"]["package"]["version"]

project = "indicator-cache"
author = "The indicator-cache developers"
project_copyright = author
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = ["docs/**.md", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
# Not even looked into.
exclude_patterns = [".*", "target", "dist", "crates", "fuzz", "tests", "**/node_modules"]

myst_heading_anchors = 4
autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
napoleon_google_docstring = False
napoleon_use_rtype = False
python_maximum_signature_line_length = 88

html_theme = "furo"
html_favicon = "_static/icon.svg"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
# The first page of the server leads to that of the documentation.
html_extra_path = ["_extra"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"footer_icons": [], "top_of_page_buttons": []}

TABLE_LINK = re.compile(r"^\|[^(]*?\]\(([\w/-]+)\.md\)", re.MULTILINE)
SESSION = re.compile(r"^```python\n(?=>>> )", re.MULTILINE)


def prepare(_app: Sphinx, page: str, source: list[str]) -> None:
    """Make a table of contents of an index page's table, and sessions of examples with prompts."""
    text = SESSION.sub("```pycon\n", source[0])
    if page.endswith("/index"):
        entries = TABLE_LINK.findall(text)
        if page == root_doc:
            entries += ["/README", "/CONTRIBUTING", "/CHANGELOG"]
        text += "\n```{toctree}\n:hidden:\n\n" + "\n".join(entries) + "\n```\n"
    source[0] = text


def setup(app: Sphinx) -> None:
    """Connect the above, as Sphinx asks extensions to."""
    app.connect("source-read", prepare)

"""Print the errors in valgrind's XML with a frame of the extension module; fail if there are any."""

from __future__ import annotations

import sys
from xml.etree import ElementTree as ET

EXTENSION = "indicator_cache/_native"


def main() -> None:
    errors = ET.parse(sys.argv[1]).getroot().findall("error")  # noqa: S314 - our own file
    ours = [
        error
        for error in errors
        if any(EXTENSION in (place.text or "") for place in error.iterfind("stack/frame/obj"))
    ]
    for error in ours:
        print(error.findtext("kind"), error.findtext("what") or error.findtext("xwhat/text"))
        for frame in error.iterfind("stack/frame"):
            print("   ", frame.findtext("fn") or "?", "in", frame.findtext("obj"))
    print(f"valgrind: {len(errors)} errors, {len(ours)} with a frame of the extension module")
    sys.exit(bool(ours))


if __name__ == "__main__":
    main()

"""Print what valgrind says of the extension module in a short and in a longer run of the same.

Fails at any error, and at leaks that are larger in the longer run. What is lost once and never
again belongs to the interpreter's life: PyO3 keeps the definitions of a class for ever.
"""

from __future__ import annotations

import sys
from xml.etree import ElementTree as ET

EXTENSION = "indicator_cache/_native"


def read(path: str) -> tuple[list[ET.Element], int, int]:
    """Return the module's errors, the bytes it lost, and the number of errors of anyone."""
    every = ET.parse(path).getroot().findall("error")  # noqa: S314 - our own file
    ours = [
        error
        for error in every
        if any(EXTENSION in (place.text or "") for place in error.iterfind("stack/frame/obj"))
    ]
    lost = sum(int(error.findtext("xwhat/leakedbytes") or 0) for error in ours)
    wrong = [error for error in ours if not (error.findtext("kind") or "").startswith("Leak_")]
    return wrong, lost, len(every)


def main() -> None:
    errors = []
    losses = []
    for path in sys.argv[1:]:
        wrong, lost, every = read(path)
        errors += wrong
        losses.append(lost)
        print(f"valgrind: {every} records, of the module {len(wrong)} errors, {lost} bytes lost")
    for error in errors:
        print(error.findtext("kind"), error.findtext("what"))
        for frame in error.iterfind("stack/frame"):
            print("   ", frame.findtext("fn") or "?", "in", frame.findtext("obj"))
    if losses[-1] > losses[0]:
        print("a leak that grows")
    sys.exit(bool(errors) or losses[-1] > losses[0])


if __name__ == "__main__":
    main()

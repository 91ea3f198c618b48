"""Which program imports the package."""

from __future__ import annotations

import os.path
import sys

__all__ = ["is_command_line"]


def is_command_line() -> bool:
    """Whether this process is ``indicator-cache`` or ``python -m indicator_cache``."""
    program = sys.argv[0] if sys.argv else ""
    if program != "-m":
        # Without pathlib, whose import takes as long as that of half the package.
        return os.path.splitext(os.path.basename(program))[0] == "indicator-cache"  # noqa: PTH119, PTH122
    # Python is still looking for the module to run. Its name precedes the program's arguments.
    module = sys.orig_argv[-len(sys.argv)]
    return module.removeprefix("-m") in {"indicator_cache", "indicator_cache.__main__"}

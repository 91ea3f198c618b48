"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["TEMPORARY", "whole_file"]

#: What the names of unfinished files look like: hidden, with the name to come and a random part.
TEMPORARY = ".{}.{}.tmp"


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears under `path` when the block ends without an error, or never.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    temporary = path.with_name(TEMPORARY.format(path.name, secrets.token_hex(4)))
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path)
    except BaseException:
        # It may not be there; and no failure to remove it is worth hiding the reason.
        with suppress(OSError):
            temporary.unlink()
        raise

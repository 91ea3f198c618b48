"""What the command line says when a request cannot be met."""

from __future__ import annotations

__all__ = ["CommandError", "one_line"]


class CommandError(Exception):
    """The request cannot be met. The message is all that the person gets to see."""


def one_line(error: object) -> str:
    """Return the message of an error without line breaks."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__

"""``indicator-cache store``: what is in a store of results, whether it is sound, what may go."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
from typing import Any

from ..errors import ParameterError
from .errors import CommandError, one_line

__all__ = ["add_to", "run"]

_FACTORS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}

#: What they do in a few words, and what else there is to know.
_ACTIONS = {
    "stats": ("tell what is in a store", "Nothing is read but sizes and times."),
    "verify": (
        "examine every file of a store",
        (
            "Names those that are not sound results. Exit code 0 when nothing is damaged or "
            "foreign, 1 when something is. What is being written, or was when its writer was "
            "killed, is named too, and does no harm."
        ),
    ),
    "prune": (
        "remove what was used least recently",
        (
            "Until the store has at most so many bytes; and what writers left unfinished more than "
            "a minute ago."
        ),
    ),
    "clear": ("remove all results", "Files that no store makes are left alone."),
}

#: ``verify`` found damage, or a file could not be removed.
_FAILED = 1


def add_to(command: argparse.ArgumentParser) -> None:
    """Add the commands under ``store``."""
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, (summary, more) in _ACTIONS.items():
        description = f"{summary[0].upper()}{summary[1:]}. {more}"
        action = actions.add_parser(name, help=summary, description=description, allow_abbrev=False)
        action.add_argument("path", metavar="PATH", help="the directory of the store")
        action.add_argument("--json", action="store_true", help="print it as JSON")
        if name == "prune":
            action.add_argument(
                "--max-bytes",
                type=_size,
                required=True,
                metavar="SIZE",
                help="bytes to keep, as 500M, 2G or 1.5Gi",
            )


def _size(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(k|M|G|Ki|Mi|Gi|)B?", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"expected a size as 500M, 2G or 1.5Gi, got {text!r}")
    return int(float(found[1]) * _FACTORS[found[2]])


def run(options: argparse.Namespace) -> int:
    """Do what is asked; return the exit code."""
    try:
        if options.action == "stats":
            return _stats(options.path, as_json=options.json)
        if options.action == "verify":
            return _verify(options.path, as_json=options.json)
        return _remove(options)
    except ParameterError as error:
        raise CommandError(str(error)) from error
    except ImportError as error:
        raise CommandError(one_line(error)) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is None:
            raise
        raise CommandError(f"cannot read {error.filename}: {one_line(error)}") from error


def _print_json(content: dict[str, Any]) -> None:
    print(json.dumps(content, indent=2))


def _stats(path: str, *, as_json: bool) -> int:
    from ..store import usage

    found = usage(path)
    if as_json:
        _print_json(found._asdict())
        return 0
    print(f"results     {found.entries:,}, {found.bytes:,} bytes")
    print(f"unfinished  {found.unfinished:,}, {found.unfinished_bytes:,} bytes")
    print(f"foreign     {found.foreign:,}")
    if found.oldest is not None:
        time = dt.datetime.fromtimestamp(found.oldest, dt.UTC)
        print(f"oldest use  {time.isoformat(sep=' ', timespec='seconds')}")
    return 0


def _verify(path: str, *, as_json: bool) -> int:
    from ..store import verify

    counts = dict.fromkeys(("sound", "damaged", "unfinished", "foreign"), 0)
    files: list[dict[str, str]] = []
    for path_found, kind, reason in verify(path):
        counts[kind] += 1
        if kind == "sound":
            continue
        files.append({"path": str(path_found), "kind": kind, "reason": reason})
        if not as_json:
            print(f"{kind}: {path_found}: {reason}")
    if as_json:
        _print_json({**counts, "files": files})
    else:
        print(", ".join(f"{count:,} {kind}" for kind, count in counts.items()))
    return _FAILED if counts["damaged"] or counts["foreign"] else 0


def _remove(options: argparse.Namespace) -> int:
    from ..store import clear, prune

    if options.action == "prune":
        removed = prune(options.path, options.max_bytes)
    else:
        removed = clear(options.path)
    if options.json:
        _print_json(removed._asdict())
    else:
        print(f"removed     {removed.entries:,} results, {removed.bytes:,} bytes")
        print(f"unfinished  {removed.unfinished:,} removed")
        print(f"left        {removed.left_entries:,} results, {removed.left_bytes:,} bytes")
        if removed.failures:
            print(f"failed      {removed.failures:,} files could not be removed")
    return _FAILED if removed.failures else 0

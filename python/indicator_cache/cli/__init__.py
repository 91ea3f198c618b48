"""The command ``indicator-cache``: ``doctor``, ``list``, ``compute``, ``sweep`` and ``store``.

Exit codes: 0 done; 1 the machine is at fault (``doctor`` found something broken, a computation
failed, a store has damaged files); 2 the request cannot be met, with one line that says why; 130
interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from .._frames import FIELDS
from .._generated.catalog import VERSION
from .._missing import DEFAULT, POLICIES
from ..errors import (
    BackendUnavailableError,
    IndicatorCacheError,
    MissingBarError,
    PlanError,
    RequestError,
)
from . import compute, doctor, listing, store, sweep
from .errors import CommandError, one_line

__all__ = ["main"]

_FAILED, _REFUSED, _INTERRUPTED, _BROKEN_PIPE = 1, 2, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    arguments
        Arguments of the command; those of the process unless given.
    """
    options = _parser().parse_args(arguments)
    try:
        code = _run(options)
        # Here rather than when Python ends, where nobody could handle an error.
        sys.stdout.flush()
    except (
        CommandError,
        PlanError,
        RequestError,
        BackendUnavailableError,
        MissingBarError,
    ) as error:
        return _fail(_REFUSED, error)
    except (IndicatorCacheError, MemoryError) as error:
        return _fail(_FAILED, error)
    except KeyboardInterrupt:
        return _fail(_INTERRUPTED, "interrupted")
    except BrokenPipeError:
        # The reader, `head` for one, has had enough.
        _abandon_output()
        return _BROKEN_PIPE
    except OSError as error:
        _abandon_output()
        return _fail(_REFUSED, f"cannot write to standard output: {one_line(error)}")
    return code


def _run(options: argparse.Namespace) -> int:
    if options.command == "doctor":
        return doctor.run(as_json=options.json)
    if options.command == "list":
        return listing.run(options.name)
    if options.command == "sweep":
        return sweep.run(
            options.dataset,
            options.indicator,
            options.output,
            by=options.by,
            source=options.source,
            threads=options.threads,
            dask=options.dask,
        )
    if options.command == "store":
        return store.run(options)
    return compute.run(
        options.file, options.indicator, options.output, options.source, options.missing
    )


def _fail(code: int, error: object) -> int:
    print(f"indicator-cache: {one_line(error)}", file=sys.stderr)
    return code


def _abandon_output() -> None:
    """Keep Python from trying, and complaining, once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line; the usage is what ``--help`` is for."""
        self.exit(_REFUSED, f"{self.prog}: {one_line(message)} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="indicator-cache",
        description="Technical indicators with one answer, whatever computes them.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"indicator-cache {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    command = commands.add_parser(
        "doctor",
        help="tell what computes here, and what does not and why",
        description="Probe every backend and tell whether it works, and why not if it does not. "
        "Exit code 0 when the one asked for by INDICATOR_CACHE_BACKEND works and all that work "
        "agree to the bit.",
        allow_abbrev=False,
    )
    command.add_argument("--json", action="store_true", help="print it as JSON")

    command = commands.add_parser(
        "list",
        help="list the indicators, or describe one",
        description="List the indicators with their parameters, defaults and outputs; or print "
        "the whole declaration of one of them.",
        allow_abbrev=False,
    )
    command.add_argument("name", nargs="?", metavar="NAME", help="the indicator to describe")

    command = commands.add_parser(
        "compute",
        help="compute indicators over the bars of a file",
        description="Compute indicators over the bars of a CSV or Parquet file, and add them to "
        "its columns.",
        epilog="An indicator is NAME[:VALUE,...][@SOURCE], for example ema, ema:20, "
        "ema:period=20@high or bollinger:20,2.5. Values are in the order of the parameters, or "
        "named; those left out have their defaults.",
        allow_abbrev=False,
    )
    command.add_argument("file", metavar="FILE", help="bars: .csv, .csv.gz or .parquet")
    command.add_argument(
        "-i",
        "--indicator",
        action="append",
        required=True,
        metavar="INDICATOR",
        help="what to compute; may be given many times",
    )
    command.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="where to write the result: .csv or .parquet (CSV to standard output)",
    )
    _add_source(command)
    command.add_argument(
        "--missing",
        default=DEFAULT,
        metavar="POLICY",
        help=f"what to do about missing bars: {', '.join(POLICIES)} (default)",
    )

    _add_sweep(commands)
    store.add_to(
        commands.add_parser(
            "store",
            help="look after a store of results on disk",
            description="Look after a directory that was given to IndicatorCache as its store.",
            allow_abbrev=False,
        )
    )
    return parser


def _add_source(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--source",
        type=str.lower,
        choices=FIELDS,
        default="close",
        help="column for indicators that read a single one (close)",
    )


def _add_sweep(commands: Any) -> None:  # noqa: ANN401 - argparse has no public name for it
    command = commands.add_parser(
        "sweep",
        help="compute indicators for many parameters over many series",
        description="Compute indicators for many parameters over every series of a dataset, and "
        "write a Parquet file for each. What is there from a sweep that was stopped is not made "
        "again.",
        epilog="An indicator is NAME[:[PARAMETER=]VALUE,...][@SOURCE]. A value is a number, a "
        "range FIRST..LAST that includes both, or FIRST..LAST..STEP: ema:5..200, rsi:7,14,21, "
        "bollinger:period=10..50,std_factor=1.5..2.5..0.5. Every combination is computed.",
        allow_abbrev=False,
    )
    command.add_argument(
        "dataset", metavar="DATASET", help="bars: .parquet, .csv, .csv.gz, or a folder of .parquet"
    )
    command.add_argument(
        "-i",
        "--indicator",
        action="append",
        required=True,
        metavar="INDICATOR",
        help="what to compute; may be given many times",
    )
    command.add_argument(
        "-o", "--output", required=True, metavar="FOLDER", help="where to write the files"
    )
    command.add_argument(
        "--by",
        action="append",
        default=[],
        metavar="COLUMN",
        help="column that tells the series apart; may be given many times",
    )
    _add_source(command)
    command.add_argument(
        "--threads", type=int, default=1, metavar="N", help="results computed at once (1)"
    )
    command.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="have it done by the workers of this Dask scheduler, which see the same files",
    )

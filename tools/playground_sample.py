"""Write the playground's sample: the last bars of prices that the demonstration uses, as CSV.

python tools/playground_sample.py FILE
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from bokeh_sampledata import stocks

STOCK = cast("Mapping[str, Sequence[Any]]", stocks.AAPL)
COLUMNS = ("date", "open", "high", "low", "close", "volume")

#: Three years of days, after the last split.
BARS = 750


def main(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(zip(*(STOCK[name][-BARS:] for name in COLUMNS), strict=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

#!/usr/bin/env bash
# The extension module under valgrind: invalid reads and writes, use of what was never written, leaks.
# valgrind's own copies of malloc replace Python's arenas, so that it sees every object. Only errors with a
# frame of the extension count: what Python and numpy do among themselves is theirs.
# Arguments go to tools/exercise.py.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

command -v valgrind >/dev/null || { echo 'valgrind is missing (Debian: apt-get install valgrind)' >&2; exit 1; }

# `definite` leaks only: an interpreter that ends leaves most of itself behind, reachable.
PYTHONMALLOC=malloc valgrind --quiet --xml=yes --xml-file="$work/valgrind.xml" \
    --leak-check=full --show-leak-kinds=definite --num-callers=40 --keep-debuginfo=yes \
    "$python" "$root/tools/exercise.py" "$@"
"$python" "$root/tools/valgrind_report.py" "$work/valgrind.xml"

#!/usr/bin/env bash
# The extension module under valgrind: no invalid read or write, no use of what was never written, no leak
# that grows. Only errors with a frame of the module count: what Python and numpy do among themselves is
# theirs. Options go to tools/exercise.py; `tools/valgrind.sh --sabotage` has to fail.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

command -v valgrind >/dev/null || { echo 'valgrind is missing (Debian: apt-get install valgrind)' >&2; exit 1; }

# PYTHONMALLOC: without Python's arenas, every object is a block that valgrind knows.
for rounds in 1 3; do
    PYTHONMALLOC=malloc valgrind --quiet --xml=yes --xml-file="$work/$rounds.xml" \
        --leak-check=full --show-leak-kinds=definite,possible --num-callers=40 --keep-debuginfo=yes \
        "$python" "$root/tools/exercise.py" --rounds "$rounds" "$@"
done
"$python" "$root/tools/valgrind_report.py" "$work/1.xml" "$work/3.xml"

#!/bin/sh
# What runs on a GPU, and how fast? At most 8 minutes; writes benchmarks/results/gpu.md.
#
#   sh benchmarks/gpu.sh            # with .venv, which `make .venv/.test` builds where it is missing
#   sh benchmarks/gpu.sh PYTHON     # with a Python that has this library and pytest
#
# Each part has a limit of time (440 seconds in all, without building .venv); one that fails or is stopped says so in the table, and the next one runs.
set -u
cd "$(dirname "$0")/.." || exit 1

if [ $# -gt 0 ]; then
    PYTHON=$1
else
    PYTHON=.venv/bin/python
    [ -x "$PYTHON" ] && [ -e .venv/.test ] || make .venv/.test || { echo "gpu.sh: make .venv/.test failed; give a Python with this library" >&2; exit 1; }
fi
"$PYTHON" -c "import torch" 2>/dev/null || { echo "gpu.sh: $PYTHON must be a Python with torch; give another" >&2; exit 1; }
"$PYTHON" -c "import sys, torch; sys.exit(not torch.cuda.is_available())" || {
    echo "gpu.sh: no GPU is at hand: torch.cuda.is_available() is False with $PYTHON. Nothing was run or written" >&2
    exit 2
}

OUT=benchmarks/results/gpu.md
LOG=$(mktemp -d) || exit 1
trap 'rm -rf "$LOG"' EXIT

# part NAME LIMIT COMMAND...: run within so many seconds; keep what it prints, and one row of the table.
part() {
    name=$1 limit=$2 begun=$(date +%s)
    shift 2
    timeout "$limit" "$@" >"$LOG/said" 2>&1
    code=$?
    case $code in 0) ended=done ;; 124) ended="stopped after its limit" ;; *) ended="failed ($code)" ;; esac
    echo "| $name | $ended | $(($(date +%s) - begun)) of $limit |" >>"$LOG/rows"
    { printf '\n## %s\n\n' "$name"; if [ $code -eq 0 ]; then cat "$LOG/said"; else printf '```\n'; tail -n 25 "$LOG/said"; printf '```\n'; fi; } >>"$LOG/parts"
    echo "$name: $ended"
}

DEVICE=$("$PYTHON" benchmarks/gpu.py device) || exit 1
echo "$DEVICE"
part "tests that need a GPU" 120 "$PYTHON" -m pytest -q -p no:cacheprovider -k "a_gpu or caches" tests/test_sculpt.py tests/test_memory.py
part "chains of layers" 100 "$PYTHON" benchmarks/gpu.py chains
part "chains of layers, members of MNIST size" 60 "$PYTHON" benchmarks/gpu.py mnist
part "modules of any kind" 100 "$PYTHON" benchmarks/gpu.py modules
part "language model" 60 "$PYTHON" benchmarks/gpu.py language

{
    printf '# On a GPU\n\n`sh benchmarks/gpu.sh`. %s\n\n| part | how it ended | seconds |\n|---|---|---|\n' "$DEVICE"
    cat "$LOG/rows" "$LOG/parts"
} >"$OUT"
echo "written: $OUT"
! grep -qv "| done |" "$LOG/rows"

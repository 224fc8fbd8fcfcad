#!/bin/sh
# `make demo`: builds trailship and ships the sample trail through real servers; where these cannot be had, through the
# embedded default.
#   run.sh             TRAILSHIP names a binary that is to be used instead of building one
#   run.sh REASON      the embedded default at once
set -eu
cd "$(dirname "$0")/../.."

embedded() {
    echo "demo: $1"
    echo "demo: so the embedded default is run instead, from the files in samples/ into a file, without any server"
    # In a folder of its own: with the state of an earlier run there would be nothing left to ship.
    out=$(mktemp -d)
    "$TRAILSHIP" run -c config.example.yml --once --path.data "$out/data" --path.logs "$out/logs" -E output.file.path="$out/output"
    echo "demo: the documents are in $out/output"
    exit
}

if [ -z "${TRAILSHIP:-}" ]; then
    cargo build --release
    TRAILSHIP=${CARGO_TARGET_DIR:-target}/release/trailship
fi
export TRAILSHIP
[ $# -eq 0 ] || embedded "$1"
command -v python3 > /dev/null || embedded "Python 3 is not installed"
exec python3 tests/demo/run.py

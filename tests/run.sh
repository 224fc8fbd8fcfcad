#!/bin/sh
# `make test`: every test of the crate, then what was skipped and why. Environment: CARGO_PROFILE, ENGINES.
# A test that cannot have its server here passes without testing and says so in the file TRAILSHIP_SKIPS.
set -u
cd "$(dirname "$0")/.."

TRAILSHIP_SKIPS=${TRAILSHIP_SKIPS:-$(mktemp)}
export TRAILSHIP_SKIPS
: > "$TRAILSHIP_SKIPS"

# Also the crates of other systems: the licence of each is looked at.
cargo fetch --locked --quiet || true
cargo test --profile "${CARGO_PROFILE:-release}" --no-fail-fast
status=$?

tests=$(cut -d ' ' -f 2 "$TRAILSHIP_SKIPS" | sort -u | wc -l)
echo "tests skipped, entirely or for one engine: $((tests))"
sort -u "$TRAILSHIP_SKIPS"
exit $status

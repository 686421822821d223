#!/usr/bin/env bash
# cargo with the flags of the engine: scripts/cargo.sh build …, test …, run … -- …
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ENGINE=${ENGINE:-$(scripts/engine.sh)}
subcommand=$1
shift
flags=()
if [ "$ENGINE" = quickjs ]; then
  # A target folder of its own, so that going from one engine to the other rebuilds nothing.
  flags=(--no-default-features --features quickjs,cli --target-dir "${CARGO_TARGET_DIR:-target}/quickjs")
  export CMAKE_TOOLCHAIN_FILE="${CMAKE_TOOLCHAIN_FILE:-$PWD/scripts/simde.cmake}"
fi
exec cargo "$subcommand" ${flags[@]+"${flags[@]}"} "$@"

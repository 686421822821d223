#!/usr/bin/env bash
# Runs cargo with the flags of the JavaScript engine: scripts/cargo.sh build …, test …, run … -- …
# `-p tailor-idp-core` selects the package without an engine: it gets no features, and shares the engine's target folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ENGINE=${ENGINE:-$(scripts/engine.sh)}
subcommand=$1
shift
flags=()
if [ "$ENGINE" = quickjs ]; then
  # With a target folder for each engine, switching engines rebuilds nothing.
  flags=(--target-dir "${CARGO_TARGET_DIR:-target}/quickjs")
  case " $* " in
    *" -p tailor-idp-core "*) ;;
    *) flags+=(--no-default-features --features "quickjs,cli") ;;
  esac
  export CMAKE_TOOLCHAIN_FILE="${CMAKE_TOOLCHAIN_FILE:-$PWD/scripts/simde.cmake}"
fi
exec cargo "$subcommand" ${flags[@]+"${flags[@]}"} "$@"

#!/usr/bin/env bash
# Runs cargo with the flags of the JavaScript engine: scripts/cargo.sh build …, test …, run … -- …
# `-p tailor-idp-…` selects a package without an engine: it gets no flags, so that both engines share its build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ENGINE=${ENGINE:-$(scripts/engine.sh)}
subcommand=$1
shift
flags=()
case "$ENGINE $* " in
  *" -p tailor-idp-"*) ;;
  quickjs*)
    # With a target folder for each engine, switching engines rebuilds nothing.
    flags=(--no-default-features --features "quickjs,cli" --target-dir "${CARGO_TARGET_DIR:-target}/quickjs")
    export CMAKE_TOOLCHAIN_FILE="${CMAKE_TOOLCHAIN_FILE:-$PWD/scripts/simde.cmake}"
    ;;
esac
exec cargo "$subcommand" ${flags[@]+"${flags[@]}"} "$@"

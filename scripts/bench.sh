#!/usr/bin/env bash
# Runs the benchmarks.
#
#   bench.sh                    all of them; writes the results into docs/performance.md and docs/performance.jsonl
#   bench.sh quick [REVISION]   compares this tree with another build: REVISION, else the kept one, else the last commit
#   bench.sh keep [REVISION]    keeps the build of REVISION, else of this tree, for later comparisons
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/tools.sh
ENGINE=$(scripts/engine.sh)
export ENGINE
[ "$ENGINE" = v8 ] || die "the benchmarks need V8: QuickJS is a preview"
base=target/bench-base
target=${CARGO_TARGET_DIR:-$PWD/target}

# Installs the runtimes to compare with, at the exact version in package.json. A lock file would have to list the packages of
# every platform.
peers() {
  cd benches/peers || return
  local wanted installed
  wanted=$(sed -n 's/.*"deno": "\(.*\)".*/\1/p' package.json)
  installed=$(sed -n 's/.*"version": "\(.*\)".*/\1/p' node_modules/deno/package.json 2>/dev/null || true)
  [ "$wanted" = "$installed" ] && [ -d node_modules/@deno ] && return
  have npm || apt_get nodejs npm
  npm install --no-save --no-package-lock --ignore-scripts --no-audit --no-fund
}

# Builds the benchmarks and the program, and sets `bench` to the path of the benchmarks' executable.
build() {
  local log
  log=$(mktemp)
  scripts/cargo.sh bench --locked --bench bench --no-run 2>&1 | tee "$log" >&2
  bench=$(sed -n 's/^ *Executable .*(\(.*\))$/\1/p' "$log")
  rm -f "$log"
  [ -x "$bench" ] || die "cargo did not print the path of the benchmarks' executable"
}

# Keeps the build of a revision, or of the working tree, as the base of later comparisons.
keep() {
  local revision=${1:-}
  mkdir -p "$base"
  if [ -n "$revision" ]; then
    rm -rf "$base/source"
    git worktree prune
    git worktree add --quiet --detach "$PWD/$base/source" "$revision"
    # A shared target folder builds the dependencies once.
    cd "$base/source"
    CARGO_TARGET_DIR="$target" build
    cd - >/dev/null
    git worktree remove --force "$base/source"
  else
    build
  fi
  cp "$bench" "$base/bench"
  cp "$target/release/tailor-idp" "$base/tailor-idp"
  echo "${revision:-by hand}" > "$base/revision"
  # Cargo compares only the modification times of the two trees' files, and might not rebuild this one.
  local packages=(--package tailor-idp)
  [ ! -d crates/idp ] || packages+=(--package tailor-idp-core)
  [ -z "$revision" ] || CARGO_TARGET_DIR="$target" cargo clean --quiet --profile bench "${packages[@]}"
  say "kept ${revision:-this tree} in $base"
}

case "${1:-}" in
  '')
    (peers) >&2 || say "note: Deno cannot be installed and is not measured"
    (npm_ci benches/workos --ignore-scripts) >&2 || say "note: WorkOS's client for Node.js cannot be installed and is not measured"
    have node || apt_get nodejs || say "note: Node.js is not installed and is not measured"
    step build
    build
    step measure
    "$bench" --json docs/performance.jsonl --page docs/performance.md
    step "see docs/performance.md"
    ;;
  keep) keep "${2:-}" ;;
  quick)
    # The named revision, else the build that was kept by hand, else the last commit.
    kept=$(cat "$base/revision" 2>/dev/null || true)
    wanted=$(git rev-parse "${2:-HEAD}^{commit}")
    if [ -n "${2:-}" ] || [ "$kept" != "by hand" ]; then
      [ "$kept" = "$wanted" ] || keep "$wanted"
    fi
    build
    say "base: $(cat "$base/revision")"
    "$bench" --compare "$base"
    ;;
  *) say "usage: bench.sh [keep [REVISION] | quick [REVISION]]"; exit 2 ;;
esac

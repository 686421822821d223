#!/usr/bin/env bash
# The benchmarks: everything, with the tables of docs/performance.md; or, as `bench.sh quick`, this tree beside another build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/tools.sh
ENGINE=$(scripts/engine.sh)
export ENGINE
[ "$ENGINE" = v8 ] || { echo "error: only V8 is measured: QuickJS is for a first try" >&2; exit 1; }
base=target/bench-base
target=${CARGO_TARGET_DIR:-$PWD/target}

# The runtimes to be held against. Of one exact version, whose packages for other systems a lock file would have to name.
peers() {
  cd benches/peers || return
  local wanted installed
  wanted=$(sed -n 's/.*"deno": "\(.*\)".*/\1/p' package.json)
  installed=$(sed -n 's/.*"version": "\(.*\)".*/\1/p' node_modules/deno/package.json 2>/dev/null || true)
  [ "$wanted" = "$installed" ] && [ -d node_modules/@deno ] && return
  have npm || apt_get nodejs npm
  npm install --no-save --no-package-lock --ignore-scripts --no-audit --no-fund
}

# Builds the benchmarks and the program, and sets `bench` to where the benchmarks are.
build() {
  local log
  log=$(mktemp)
  scripts/cargo.sh bench --locked --bench bench --no-run 2>&1 | tee "$log" >&2
  bench=$(sed -n 's/^ *Executable .*(\(.*\))$/\1/p' "$log")
  rm -f "$log"
  [ -x "$bench" ] || { echo "error: cargo did not say where the benchmarks are" >&2; exit 1; }
}

# Keeps the build of a revision, or of the tree as it is, to compare others with.
keep() {
  local revision=${1:-}
  mkdir -p "$base"
  if [ -n "$revision" ]; then
    rm -rf "$base/source"
    git worktree prune
    git worktree add --quiet --detach "$PWD/$base/source" "$revision"
    # What both need is built once.
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
  # Cargo tells the two apart by the age of their files, and would take the one for the other.
  [ -z "$revision" ] || CARGO_TARGET_DIR="$target" cargo clean --quiet --profile bench --package tailor-idp
  echo "kept ${revision:-this tree} in $base" >&2
}

case "${1:-}" in
  '')
    (peers) >&2 || echo "note: Deno cannot be installed: no figures of it" >&2
    have node || apt_get nodejs >&2 || echo "note: Node.js is not there: no figures of it" >&2
    step build
    build
    step measure
    "$bench" --json docs/performance.jsonl --page docs/performance.md
    step "see docs/performance.md"
    ;;
  keep) keep "${2:-}" ;;
  quick)
    # What was named, else what was kept by hand, else the last commit.
    kept=$(cat "$base/revision" 2>/dev/null || true)
    wanted=$(git rev-parse "${2:-HEAD}^{commit}")
    if [ -n "${2:-}" ] || [ "$kept" != "by hand" ]; then
      [ "$kept" = "$wanted" ] || keep "$wanted"
    fi
    build
    echo "base: $(cat "$base/revision")" >&2
    "$bench" --compare "$base"
    ;;
  *) echo "error: bench.sh [keep [REVISION] | quick [REVISION]]" >&2; exit 2 ;;
esac

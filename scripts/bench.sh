#!/usr/bin/env bash
# The benchmarks: everything, with the tables of docs/performance.md; or, as `bench.sh quick`, this tree beside another build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/tools.sh
ENGINE=$(scripts/engine.sh)
export ENGINE
[ "$ENGINE" = v8 ] || { echo "error: only V8 is measured: QuickJS is for a first try" >&2; exit 1; }
base=target/bench-base

# The runtimes to be held against. Of one exact version, whose packages for other systems a lock file would have to name.
peers() {
  cd benches/peers || return
  [ -d node_modules/@deno ] && return
  have npm || apt_get nodejs npm
  npm install --no-save --no-package-lock --ignore-scripts --no-audit --no-fund
}

# Builds the benchmarks and the program, and prints where the benchmarks are.
build() {
  scripts/cargo.sh bench --locked --bench bench --no-run 2> >(tee /dev/stderr | sed -n 's/^ *Executable .*(\(.*\))$/\1/p' >&3) 3>&1
}

# Keeps the build of a revision, or of the tree as it is, to compare others with.
keep() {
  local revision=${1:-} bench
  mkdir -p "$base"
  if [ -n "$revision" ]; then
    rm -rf "$base/source"
    git worktree prune
    git worktree add --quiet --detach "$PWD/$base/source" "$revision"
    # What both need is built once.
    bench=$(CARGO_TARGET_DIR="$PWD/target" && export CARGO_TARGET_DIR && cd "$base/source" && build)
    git worktree remove --force "$base/source"
  else
    bench=$(build)
  fi
  cp "$bench" "$base/bench"
  cp target/release/tailor-idp "$base/tailor-idp"
  echo "kept ${revision:-this tree} in $base: change something, then \`make bench-quick\`" >&2
}

case "${1:-}" in
  '')
    (peers) >&2 || echo "note: Deno cannot be installed: no figures of it" >&2
    have node || apt_get nodejs >&2 || echo "note: Node.js is not there: no figures of it" >&2
    step build
    bench=$(build)
    step measure
    "$bench" --json docs/performance.jsonl --page docs/performance.md
    step "see docs/performance.md"
    ;;
  keep) keep "${2:-}" ;;
  quick)
    [ -f "$base/bench" ] || keep "${2:-HEAD}"
    bench=$(build)
    "$bench" --compare "$base"
    ;;
  *) echo "error: bench.sh [keep [REVISION] | quick [REVISION]]" >&2; exit 2 ;;
esac

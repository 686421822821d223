#!/usr/bin/env bash
# Packs the npm package for this platform into target/npm/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/tools.sh

(npm_ci npm --ignore-scripts) || die "Node.js (20.19 or newer) and npm are required"
target=$(mkdir -p "${CARGO_TARGET_DIR:-target}/npm" && cd "${CARGO_TARGET_DIR:-target}" && pwd)
cargo build --locked --release -p tailor-idp-node
(cd npm && CARGO_TARGET_DIR=$target node build.mjs release)
packed=$(cd npm && npm pack --silent --pack-destination "$target/npm")
say "packed: $target/npm/$packed"

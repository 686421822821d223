#!/usr/bin/env bash
# Chooses the JavaScript engine, prepares its build, and prints its name to stdout: `v8` or `quickjs`.
# ENGINE=v8 or ENGINE=quickjs overrides the choice. All other output goes to stderr.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/tools.sh

have cargo || die "cargo is missing: install Rust first"
have cc || die "a C compiler is missing (Debian: gcc and libc6-dev)"

# The release file that the v8 crate's build script downloads, and the file's name in cargo's cache.
# deno_core enables the crate's feature `simdutf`, which is part of the name.
version=$(awk '$0 == "name = \"v8\"" { getline; gsub(/[^0-9.]/, ""); print; exit }' Cargo.lock)
[ -n "$version" ] || die "Cargo.lock has no crate v8"
target=${CARGO_BUILD_TARGET:-$(rustc -vV | sed -n 's/^host: //p')}
release=${RUSTY_V8_MIRROR:-https://github.com/denoland/rusty_v8/releases/download}
url="$release/v$version/librusty_v8_simdutf_release_$target.a.gz"
cached="${CARGO_HOME:-$HOME/.cargo}/.rusty_v8/$(printf %s "$url" | sed 's/[^A-Za-z0-9]/_/g')"

# The build script's own variables name a source of V8. Only a missing local file is refused here.
v8_configured() {
  case "${RUSTY_V8_ARCHIVE:-}" in
    '') ;;
    http:* | https:*) return 0 ;;
    /*) [ -f "$RUSTY_V8_ARCHIVE" ] || die "RUSTY_V8_ARCHIVE=$RUSTY_V8_ARCHIVE: no such file" ; return 0 ;;
    *) die "RUSTY_V8_ARCHIVE=$RUSTY_V8_ARCHIVE: use an absolute path; the build reads it from another folder" ;;
  esac
  [ -n "${RUSTY_V8_MIRROR:-}" ] || [ -n "${V8_FROM_SOURCE:-}" ]
}

# An earlier build downloaded and unpacked V8.
v8_unpacked() {
  local sum="${CARGO_TARGET_DIR:-target}/debug/gn_out/obj/librusty_v8.sum"
  [ -f "$sum" ] && [ "$(cat "$sum")" = "$url" ]
}

# A folder next to the checkout has V8, for machines that cannot download it.
v8_in_shared_folder() {
  [ -x ../shared/v8/install.sh ] && ../shared/v8/install.sh >&2 && [ -f "$cached" ]
}

v8_local() { v8_configured || [ -f "$cached" ] || v8_unpacked || v8_in_shared_folder; }

v8_downloadable() { have curl && curl -fsIL --max-time 5 "$url" >/dev/null 2>&1; }

simde_installed() { echo '#include <simde/simde-common.h>' | cc -E -x c - >/dev/null 2>&1; }

prepare_quickjs() {
  local missing=()
  have cmake || missing+=(cmake)
  simde_installed || missing+=(libsimde-dev)
  [ ${#missing[@]} = 0 ] || apt_get "${missing[@]}" || true
  have cmake || die "QuickJS needs cmake to build (Debian: apt install cmake libsimde-dev)"
  simde_installed || have git || die "QuickJS needs the SIMDe headers to build (Debian: apt install libsimde-dev)"
  simde_installed || say "The SIMDe headers are not installed (Debian: libsimde-dev): the build will try to clone them."
}

case "${ENGINE:-}" in
  v8) v8_local || true ;; # Where this fails, the build downloads V8 or reports why it cannot.
  quickjs) prepare_quickjs ;;
  '')
    if v8_local || v8_downloadable; then
      ENGINE=v8
    else
      ENGINE=quickjs
      say "V8 is neither installed nor downloadable: using QuickJS, a preview for a first try only."
      say "To use V8, download $url and set RUSTY_V8_ARCHIVE to that file, or store it as $cached."
      prepare_quickjs
    fi ;;
  *) die "ENGINE=$ENGINE: use v8 or quickjs" ;;
esac
echo "$ENGINE"

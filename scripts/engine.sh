#!/usr/bin/env bash
# Decides which engine to build with, prepares it, and prints its name: `v8` or `quickjs`.
# ENGINE=v8 or ENGINE=quickjs decides it beforehand. Everything else it has to say goes to stderr.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }
have() { command -v "$1" >/dev/null; }

have cargo || die "cargo is missing: install Rust first"
have cc || die "a C compiler is missing (Debian: gcc and libc6-dev)"

# The release file that the v8 crate's build script asks for, and the name under which cargo's cache holds it.
# deno_core turns the crate's feature `simdutf` on; it is part of the name.
version=$(awk '$0 == "name = \"v8\"" { getline; gsub(/[^0-9.]/, ""); print; exit }' Cargo.lock)
[ -n "$version" ] || die "Cargo.lock names no crate v8"
target=${CARGO_BUILD_TARGET:-$(rustc -vV | sed -n 's/^host: //p')}
release=${RUSTY_V8_MIRROR:-https://github.com/denoland/rusty_v8/releases/download}
url="$release/v$version/librusty_v8_simdutf_release_$target.a.gz"
cached="${CARGO_HOME:-$HOME/.cargo}/.rusty_v8/$(printf %s "$url" | sed 's/[^A-Za-z0-9]/_/g')"

# Named by hand: taken at its word, but for a file that is not there.
v8_named() {
  case "${RUSTY_V8_ARCHIVE:-}" in
    '') ;;
    http:* | https:*) return 0 ;;
    /*) [ -f "$RUSTY_V8_ARCHIVE" ] || die "RUSTY_V8_ARCHIVE=$RUSTY_V8_ARCHIVE: there is no such file" ; return 0 ;;
    *) die "RUSTY_V8_ARCHIVE=$RUSTY_V8_ARCHIVE: give an absolute path, the build reads it from another folder" ;;
  esac
  [ -n "${RUSTY_V8_MIRROR:-}" ] || [ -n "${V8_FROM_SOURCE:-}" ]
}

v8_unpacked() { # by an earlier build, which downloaded it
  local sum="${CARGO_TARGET_DIR:-target}/debug/gn_out/obj/librusty_v8.sum"
  [ -f "$sum" ] && [ "$(cat "$sum")" = "$url" ]
}

v8_beside() { # a folder beside the checkout, for machines that cannot download
  [ -x ../shared/v8/install.sh ] && ../shared/v8/install.sh >&2 && [ -f "$cached" ]
}

v8_here() { v8_named || [ -f "$cached" ] || v8_unpacked || v8_beside; }

v8_downloadable() { have curl && curl -fsIL --max-time 5 "$url" >/dev/null 2>&1; }

# Debian and its kin, as root; elsewhere the caller says what is missing.
install_packages() {
  [ "$(id -u)" = 0 ] && have apt-get || return 1
  say "installing: $*"
  { apt-get update -qq || true; DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"; } >&2
}

has_simde() { echo '#include <simde/simde-common.h>' | cc -E -x c - >/dev/null 2>&1; }

prepare_quickjs() {
  local missing=()
  have cmake || missing+=(cmake)
  has_simde || missing+=(libsimde-dev)
  [ ${#missing[@]} = 0 ] || install_packages "${missing[@]}" || true
  have cmake || die "QuickJS needs cmake to build (Debian: apt install cmake libsimde-dev)"
  has_simde || have git || die "QuickJS needs the SIMDe headers to build (Debian: apt install libsimde-dev)"
  has_simde || say "The SIMDe headers are not installed (Debian: libsimde-dev): the build will try to clone them."
}

case "${ENGINE:-}" in
  v8) v8_here || true ;; # else the build downloads it, or says why it cannot
  quickjs) prepare_quickjs ;;
  '')
    if v8_here || v8_downloadable; then
      ENGINE=v8
    else
      ENGINE=quickjs
      say "V8 is neither here nor to be downloaded: taking QuickJS, a preview that serves for a first try and nothing more."
      say "For V8, get $url and set RUSTY_V8_ARCHIVE=<that file>, or store it as $cached."
      prepare_quickjs
    fi ;;
  *) die "ENGINE=$ENGINE: it is v8 or quickjs" ;;
esac
echo "$ENGINE"

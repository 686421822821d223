#!/usr/bin/env bash
# Checks formatting and lints, and runs all tests. Leaves out what this machine lacks the tools for, and lists it at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/tools.sh
ENGINE=$(scripts/engine.sh)
export ENGINE

left_out=()
list_left_out() {
  local left
  for left in ${left_out[@]+"${left_out[@]}"}; do
    say "left out: $left"
  done
}
# The list is printed after a failure too.
trap list_left_out EXIT

# rustup's minimal profile has neither rustfmt nor clippy.
component_installed() { cargo "$1" --version >/dev/null 2>&1 || { have rustup && rustup component add "$2"; }; }

smtp_server_installed() { npm_ci tests/mail --omit=optional; }
# The emulator does not run with every version of Node.js.
workos_installed() {
  npm_ci tests/workos --ignore-scripts --omit=optional && node --input-type=module --eval 'await import("workos/emulate")'
}
typescript_installed() { npm_ci tests/types --omit=optional; }
# `esbuild` and `vitest` have a program for each platform.
npm_package_installed() {
  npm_ci npm --ignore-scripts && have npm && node --eval 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
}

# Debian does not put the server's programs on the path.
postgres_installed() { have postgres || compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null; }

chromium_installed() { have chromium || have chromium-browser || have google-chrome; }
# Only CI installs Chromium, because it is large. Node.js drives it.
browser_installed() {
  chromium_installed || { [ -n "${CI:-}" ] && apt_get chromium; }
  chromium_installed && { have node || apt_get nodejs; }
}

# The test of a full disk mounts a small file system in a namespace of its own. The test passes without it.
mount_permitted() {
  local folder result=0
  folder=$(mktemp -d)
  unshare --map-root-user --mount mount -t tmpfs tmpfs "$folder" || result=$?
  rmdir "$folder"
  return "$result"
}

if component_installed fmt rustfmt; then
  step formatting
  cargo fmt --all --check
else
  left_out+=("formatting: rustfmt is not installed")
fi

(smtp_server_installed) >&2 || export TAILOR_IDP_SKIP_SMTP=1
[ -z "${TAILOR_IDP_SKIP_SMTP:-}" ] || left_out+=("mails to an SMTP server: Node.js, npm or the server's packages are not available")

(workos_installed) >&2 || export TAILOR_IDP_SKIP_WORKOS=1
[ -z "${TAILOR_IDP_SKIP_WORKOS:-}" ] || left_out+=("users at WorkOS's emulator: Node.js (20 or newer), npm or the emulator's package is not available")
npm_package=1
(npm_package_installed) >&2 || npm_package=
[ -n "$npm_package" ] || left_out+=("the npm package: Node.js (20.19 or newer), npm or the packages that build it are not available")
postgres_installed || apt_get postgresql || export TAILOR_IDP_SKIP_POSTGRES=1
[ -z "${TAILOR_IDP_SKIP_POSTGRES:-}" ] || left_out+=("the store over PostgreSQL: its server is not installed (Debian: postgresql)")
[ -n "${TAILOR_IDP_SKIP_POSTGRES:-}" ] || have pgbouncer || [ -x /usr/sbin/pgbouncer ] || apt_get pgbouncer || export TAILOR_IDP_SKIP_PGBOUNCER=1
[ -z "${TAILOR_IDP_SKIP_PGBOUNCER:-}" ] || left_out+=("the store through PgBouncer: it is not installed (Debian: pgbouncer)")
[ -d ../shared/spec/openapi ] || left_out+=("checks of requests against published descriptions of services: they are not available")

if [ "$ENGINE" = quickjs ]; then
  # QuickJS supports few runtimes in one process: run only the tests that start a process for each case.
  lint_targets=(--lib --bins --test golden)
  test_targets=(--test golden)
  left_out+=("unit, integration, type and documentation tests of the package tailor-idp: they need V8")
else
  lint_targets=(--all-targets)
  test_targets=()
  (browser_installed) >&2 || export TAILOR_IDP_SKIP_BROWSER=1
  [ -z "${TAILOR_IDP_SKIP_BROWSER:-}" ] || left_out+=("the password-reset page in a browser: Chromium or Node.js is not installed")
  (typescript_installed) >&2 || export TAILOR_IDP_SKIP_TYPES=1
  [ -z "${TAILOR_IDP_SKIP_TYPES:-}" ] || left_out+=("the TypeScript compiler's check of tailor.d.ts: Node.js, npm or the compiler's package is not available")
  (mount_permitted) 2>/dev/null || left_out+=("writes to a full disk: a file system cannot be mounted here")
fi

if component_installed clippy clippy; then
  step "lints ($ENGINE)"
  scripts/cargo.sh clippy --locked "${lint_targets[@]}" -- --deny warnings
  # With the addon for Node.js, which has the same features of all dependencies: they are built once.
  scripts/cargo.sh clippy --locked -p tailor-idp-core -p tailor-idp-settings -p tailor-idp-fetch-policy -p tailor-idp-node \
    --lib --tests -- --deny warnings
else
  left_out+=("lints: clippy is not installed")
fi

step "builds without default features"
# V8 alone. All other builds of this package enable `cli`, and with it most features.
[ "$ENGINE" = quickjs ] || cargo check --locked --lib --no-default-features --features v8
# The identity side alone. With `-p`, resolver 1 would ignore the flag.
cargo check --locked --manifest-path crates/idp/Cargo.toml --no-default-features

step "tests ($ENGINE)"
# These packages need no engine: all of their tests run with both.
scripts/cargo.sh test --locked -p tailor-idp-core
scripts/cargo.sh test --locked -p tailor-idp-settings -p tailor-idp-fetch-policy
# What runs over any store, again over PostgreSQL.
[ -n "${TAILOR_IDP_SKIP_POSTGRES:-}" ] || TAILOR_IDP_TEST_STORE=postgres scripts/cargo.sh test --locked -p tailor-idp-core \
  --test core -- mail:: events:: permission:: names:: import:: foreign_hashes:: --skip backends:: --skip postgres::
scripts/cargo.sh test --locked ${test_targets[@]+"${test_targets[@]}"}

if [ -n "$npm_package" ]; then
  step "npm package"
  scripts/cargo.sh build --locked -p tailor-idp-core -p tailor-idp-node
  (cd npm && node build.mjs && npm test)
fi

step "all passed with $ENGINE"

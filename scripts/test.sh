#!/usr/bin/env bash
# The whole test: formatting, lints, tests. What cannot be had on this machine is left out, and said at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/tools.sh
ENGINE=$(scripts/engine.sh)
export ENGINE
left_out=()

# rustup's minimal profile comes without rustfmt and clippy.
component() { cargo "$1" --version >/dev/null 2>&1 || { have rustup && rustup component add "$2"; }; }

# The real compiler checks tailor.d.ts; a test runs it where it is installed.
typescript() { npm_ci tests/types --omit=optional; }
# Mails are sent to a real SMTP server.
smtp_server() { npm_ci tests/mail --omit=optional; }

# The page behind a reset link is walked through in a real browser. It is large: only CI installs it unasked.
browser() {
  chromium && return
  [ -n "${CI:-}" ] && apt_get chromium
  chromium
}
chromium() { have chromium || have chromium-browser || have google-chrome; }

if component fmt rustfmt; then
  step formatting
  cargo fmt --check
else
  left_out+=("formatting: rustfmt is not installed")
fi

# QuickJS bears few runtimes in one process, so there only the tests that start the program for each case run.
if [ "$ENGINE" = quickjs ]; then
  what=(--lib --bins --test golden)
  tests=(--test golden)
  left_out+=("unit, integration, type and documentation tests: they want V8")
else
  what=(--all-targets)
  tests=()
  (smtp_server) >&2 || export TAILOR_IDP_SKIP_SMTP=1
  [ -z "${TAILOR_IDP_SKIP_SMTP:-}" ] || left_out+=("mails to a real SMTP server: npm, or what it downloads, is not at hand")
  (browser) >&2 || export TAILOR_IDP_SKIP_BROWSER=1
  [ -z "${TAILOR_IDP_SKIP_BROWSER:-}" ] || left_out+=("the reset page in a browser: Chromium is not installed")
  (typescript) >&2 || export TAILOR_IDP_SKIP_TYPES=1
  [ -z "${TAILOR_IDP_SKIP_TYPES:-}" ] || left_out+=("the TypeScript compiler's check of tailor.d.ts: npm, or what it downloads, is not at hand")
fi

if component clippy clippy; then
  step "lints ($ENGINE)"
  scripts/cargo.sh clippy --locked "${what[@]}" -- --deny warnings
else
  left_out+=("lints: clippy is not installed")
fi

step "tests ($ENGINE)"
scripts/cargo.sh test --locked ${tests[@]+"${tests[@]}"}

step "all passed with $ENGINE"
for left in ${left_out[@]+"${left_out[@]}"}; do
  echo "left out: $left" >&2
done

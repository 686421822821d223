# Functions shared by the scripts in this folder. Source it; do not run it.

say() { printf '%s\n' "$*" >&2; }
step() { printf '\n== %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# Whether a program is on PATH. `type -P` ignores shell functions of the same name; `command -v` finds them.
have() { type -P "$1" >/dev/null; }

# Installs Debian packages. Fails on other systems and for users other than root. Prints to stderr only.
apt_get() {
  [ "$(id -u)" = 0 ] && have apt-get || return 1
  say "installing: $*"
  {
    apt-get update -qq || true
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"
  } >&2
}

# Installs the packages of a folder's package-lock.json unless they are up to date. Fails where Node.js or npm is missing.
# Changes the working directory: call it in a subshell.
npm_ci() {
  local folder=$1
  shift
  cd "$folder" || return
  if [ node_modules/.package-lock.json -nt package-lock.json ] && have node; then return 0; fi
  have npm || apt_get nodejs npm
  have node && have npm && npm ci --no-audit --no-fund "$@"
}

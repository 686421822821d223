# For the scripts here: finding and installing what they need. To be sourced.
have() { command -v "$1" >/dev/null; }
step() { printf '\n== %s\n' "$*" >&2; }

# Debian and its kin, as root.
apt_get() {
  [ "$(id -u)" = 0 ] && have apt-get || return
  apt-get update -qq || true
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"
}

# What a folder's package-lock.json names, if it is not there yet.
npm_ci() {
  local folder=$1
  shift
  cd "$folder" || return
  [ node_modules/.package-lock.json -nt package-lock.json ] && return
  have npm || apt_get nodejs npm
  have npm && npm ci --no-audit --no-fund "$@"
}

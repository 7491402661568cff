#!/usr/bin/env bash
# Runs tests with the services they need: test, race PACKAGES, bench, soak.
# URLs given in PETREL_TEST_POSTGRES and PETREL_TEST_REDIS are used; otherwise
# scripts/services.sh starts private servers, which are stopped at the end when
# this script started them.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=${CGO_ENABLED:-0}
mode=${1:-test}
shift || true

# need PROGRAM PACKAGE: what tests run besides Go. Debian's package is installed
# when the program is missing and this machine can install it.
need() {
  command -v "$1" >/dev/null 2>&1 && return
  if command -v apt-get >/dev/null 2>&1; then
    local sudo=
    [ "$(id -u)" = 0 ] || sudo='sudo -n'
    { $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "$2"; } >/dev/null 2>&1 && return
  fi
  echo "scripts/test.sh: $1 is missing; install it (Debian: apt-get install $2)" >&2
  exit 1
}
need python3 python3
need git git
if [ "$mode" = race ]; then need cc gcc; fi

started=no
if ! scripts/services.sh status >/dev/null 2>&1; then
  started=yes
fi
scripts/services.sh start
stop() { if [ "$started" = yes ]; then scripts/services.sh stop; fi; }
trap stop EXIT
eval "$(scripts/services.sh env)"

case $mode in
  test) go test -timeout 15m "$@" ./... ;;
  race) CGO_ENABLED=1 go test -race -short -timeout 20m "$@" ;;
  bench) go test -run '^$' -bench . -benchmem -count 1 -timeout 30m ./... ;;
  soak) PETREL_SOAK=1 go test -run 'Kill' -count 1 -timeout 120m -v ./test/... ;;
  *) echo "usage: scripts/test.sh test|race|bench|soak [packages]" >&2; exit 2 ;;
esac

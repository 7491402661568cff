#!/usr/bin/env bash
# All linters; each prints what it found, the script fails when one did.
set -u
cd "$(dirname "$0")/.."
status=0
step() {
  local name=$1
  shift
  local out
  if out=$("$@" 2>&1); then
    printf 'ok    %s\n' "$name"
  else
    printf 'FAIL  %s\n%s\n' "$name" "$out"
    status=1
  fi
}
formatted() { local files; files=$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l); [ -z "$files" ] || { echo "$files"; return 1; }; }
unused() { local found; found=$(go tool deadcode -test -filter '^petrel($|/)' ./... 2>&1); [ -z "$found" ] || { echo "$found"; return 1; }; }
scripts_ok() { local f; for f in scripts/*.sh .ci/run; do bash -n "$f" || return 1; done; }
step gofmt formatted
step 'go vet' go vet ./...
step 'go vet (hooks)' go vet -tags hooks ./engine/... ./bot/... ./cmd/... ./test/...
step 'import order' go run ./scripts/imports
step staticcheck go tool staticcheck ./...
step 'unused code' unused
step 'shell scripts' scripts_ok
step 'go.mod is tidy' go mod tidy -diff
exit $status

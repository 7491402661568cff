# Petrel. `make help` explains the targets.
SHELL := /bin/bash
GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unversioned)
LDFLAGS := -s -w -X petrel/cmd/petrel/cli.Version=$(VERSION)
# Packages whose tests are about concurrency; the race detector is slow, so it runs where it pays.
RACE := ./storage/... ./queue/... ./engine/... ./bot/... ./runners/... ./auth/... ./expr/... ./app/...
FUZZTIME ?= 10s
# One static binary; building and testing alike shares the compiler's cache.
export CGO_ENABLED ?= 0

.PHONY: help run build test race lint bench fuzz soak services services-stop
.DEFAULT_GOAL := help

help: ## say what the targets do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/petrel
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/petrel ./cmd/petrel

run: build ## build, start Petrel embedded (SQLite, in ./petrel-data) and open a chat prompt
	./bin/petrel chat

test: ## start Postgres and Redis for the tests (installed when missing), run all tests, stop them
	scripts/test.sh test

race: ## the same tests under the race detector, where it pays
	scripts/test.sh race $(RACE)

lint: ## gofmt, go vet, import order, staticcheck, unused code
	scripts/lint.sh

bench: ## run the benchmarks
	scripts/test.sh bench

fuzz: ## run every fuzz target for FUZZTIME (10s)
	scripts/fuzz.sh $(FUZZTIME)

soak: ## the long kill loops (200 kills per store)
	scripts/test.sh soak

services: ## start Postgres and Redis for development and print their URLs
	scripts/services.sh start && scripts/services.sh env

services-stop: ## stop them
	scripts/services.sh stop

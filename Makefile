# Everything a developer does here. Bare `make` lists the targets.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/partnerkit/partnerkit/cmd/internal/program.version=$(VERSION)
LINT    := $(GO) tool -modfile=.ci/lint.mod golangci-lint

GOTEST    ?= $(GO) test
PACKAGES  ?= ./...
FUZZTIME  ?= 60s
BENCHTIME ?= 5s
SCHEDULES ?= 1000

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the binaries into bin/, static, with the version stamped
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

# Built, for "go run" calls Ctrl-C an error.
.PHONY: run
run: build ## start stand-in and adapter, print the links and stay until Ctrl-C
	@$(GO) build -o bin/demo ./internal/demo && bin/demo run

.PHONY: demo
demo: build ## the main job without a person: prints each exchange and checks the books
	@$(GO) run ./internal/demo demo

.PHONY: tools
tools: ## install what the tests drive: PostgreSQL, Chromium, PHP (Debian, as root)
	@.ci/tools

.PHONY: test
test: tools ## all tests with the race detector
	$(GOTEST) -race -timeout 30m $(PACKAGES)

.PHONY: check
check: ## format, vet, lint, tidy, imports, known vulnerabilities
	$(LINT) config verify
	$(LINT) fmt --diff
	$(GO) vet ./...
	$(LINT) run ./...
	$(GO) mod tidy -diff
	$(GO) test -run 'TestImports' ./...
	@GO='$(GO)' .ci/vuln

.PHONY: schedules
schedules: tools ## money under SCHEDULES random schedules of repeats, lost answers and crashes (1000)
	$(GO) test -count=1 -timeout 1h ./adapter/worker ./adapter/anymoney ./adapter/reconcile \
		-run 'TestMachine|TestAnythingMayFail|TestEvidenceIsNeverWrong' -rapid.checks $(SCHEDULES)

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (60s)
	@.ci/fuzz $(FUZZTIME)

.PHONY: bench
bench: build ## measure accept, whole flow and stand-in against limits of the same run
	@$(GO) run ./internal/bench -time $(BENCHTIME)

.PHONY: screenshots
screenshots: tools ## take the pictures under docs/screenshots anew
	$(GO) test ./mockplatform ./mockplatform/webui ./mockplatform/anymoney ./adapter/console ./adapter/reference ./contract/report -count=1 -run TestScreenshots -screenshots '$(CURDIR)/docs/screenshots'

.PHONY: clean
clean: ## remove what was built and what `make run` stored
	rm -rf bin var

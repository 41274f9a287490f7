# `make help` lists what there is; e2e/README.md says what the clusters are.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# What is built is looked for there, and the tools of packages in what may be missing from the PATH of a user who became root.
export CARGO_TARGET_DIR := $(CURDIR)/target
export PATH := $(PATH):/usr/sbin:/sbin

CLUSTER ?= default
# How many cluster tests run at once. Most of them wait for something.
THREADS ?= 12
cluster := e2e/.work/bin/cluster
# Notes what a command took, for `make fresh` to tell.
timed := e2e/timed
target := $(shell uname -m)-unknown-linux-gnu
operator := target/$(target)/release/postern
sender := target/$(target)/sender/postern-sender
# Nothing unwinds where a panic aborts, and relocations are packed: 120 kB less. Of what signs, the small variants: 50 kB less, and
# at this level of optimisation the vectors of the other are slower by far.
sender-flags := -C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom" \
  --cfg curve25519_dalek_backend="serial" --cfg sha2_backend_soft="compact" \
  -C force-unwind-tables=no -C link-arg=-Wl,-z,pack-relative-relocs
images := $(sort $(dir $(wildcard e2e/images/*/Containerfile)))

help: ## list the targets
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

test: $(cluster) ## what must hold at every change: lint, unit tests, tests on a real cluster
	@$(cluster) build operator sender test-programs lint
	@$(MAKE) --no-print-directory test-unit test-e2e

test-full: test test-receivers argocd fresh ## what takes long as well: cron tests at full size, receivers in four languages, Argo CD, five minutes of rest, a new machine
	POSTERN_CRON_CASES=100000 POSTERN_GAP_CASES=1500 cargo test --release --lib cron -- --nocapture
	POSTERN_IDLE_SECONDS=300 cargo test -p postern-e2e -- at_rest

demo: $(cluster) ## see all of it work, on a cluster of its own: a minute once all is built
	@$(cluster) build operator sender demo-program
	@$(cluster) down demo
	@$(timed) 'start of the cluster' $(cluster) up demo
	@$(cluster) image e2e/images/postern demo
	@$(cluster) image e2e/images/postern-sender demo
	@$(timed) 'demo' target/debug/demo

demo-program:
	cargo build -p postern-e2e --no-default-features --bin demo

fresh: ## both commands of the README as on a machine that has never seen this project (CHROOT=1: in a Debian of its own)
	@e2e/fresh

test-unit: ## tests that need no cluster
	@$(timed) 'unit tests' cargo test

test-programs:
	cargo test --no-run
	cargo test -p postern-e2e --no-run

# Copies, so that what package clients write stays out of Git.
receivers := target/receivers
test-receivers: ## the receivers of docs/receivers.md, with their languages' libraries, against what the sender sends
	@missing=; command -v npm > /dev/null || missing='nodejs npm'; \
	  python3 -c 'import ensurepip' 2> /dev/null || missing="$$missing python3-venv"; \
	  test -z "$$missing" || { echo "installing Debian packages: $$missing"; \
	  apt-get update -qq && apt-get install -qqy --no-install-recommends $$missing > /dev/null; }
	@mkdir -p $(receivers) && cp -r docs/receivers/. $(receivers)
	cd $(receivers)/rust && cargo build --quiet --target-dir target
	cd $(receivers)/python && python3 -m venv .venv && .venv/bin/pip install --quiet --requirement requirements.txt
	cd $(receivers)/go && go build -o receiver .
	cd $(receivers)/typescript && npm install --silent && npx tsc
	cargo test --test sender receivers -- --ignored

# Stable's libtest tells how long each test took only to who asks for it so.
report-time := -Z unstable-options --report-time
test-e2e: $(cluster) ## tests on a real cluster, which is started for them and taken down when they pass
	@$(cluster) build operator sender test-programs
	@$(cluster) up test
	@$(cluster) image e2e/images/postern-sender test
	@$(timed) 'cluster tests' cargo test --config 'target."cfg(all())".runner = ["env", "RUSTC_BOOTSTRAP=1"]' \
	  -p postern-e2e -- --test-threads $(THREADS) $(report-time) | tee target/e2e.log || \
	  { echo 'The cluster "test" stays up for a look; `make cluster-down` ends it.'; exit 1; }
	@echo 'the slowest, in seconds:'; sed -nE 's/^test (.*) \.\.\. ok <([0-9.]+)s>$$/  \2  \1/p' target/e2e.log | sort -rn | sed -n 1,10p
	@$(cluster) down test

lint: ## formatting, clippy, vet
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy -p postern -p postern-e2e --no-default-features -- -D warnings
	tree=$$(cargo tree -p postern -p postern-e2e --no-default-features --edges normal --prefix none); \
	  ! grep -E '^(kube|k8s-openapi|schemars|serde-saphyr|clap)' <<< "$$tree"
	cd e2e/cluster && test -z "$$(gofmt -l .)" && go vet .
	test -z "$$(gofmt -l e2e/peer)"

crds: ## write crds/ anew from src/api, and the copies that Helm and kustomize want in their own folders
	cargo build --quiet --bin postern
	@for crd in webhookschedules webhooktiers; do \
	  target/debug/postern crds $$crd | tee charts/postern/crds/$$crd.yaml config/crd/$$crd.yaml > crds/$$crd.yaml; done

argocd-cm: ## write config/argocd/argocd-cm.yaml anew from the scripts in config/argocd/resource_customizations
	@cd config/argocd/resource_customizations && { \
	  echo '# What Argo CD has to know about Postern, as a patch of its ConfigMap. `make argocd-cm` writes it from resource_customizations.'; \
	  printf '%s\n' 'apiVersion: v1' 'kind: ConfigMap' 'metadata:' '  name: argocd-cm' 'data:'; \
	  for kind in postern.dev/*; do \
	    echo "  resource.customizations.health.$${kind/\//_}: |"; sed 's/./    &/' $$kind/health.lua; \
	    test -d $$kind/actions || continue; \
	    echo "  resource.customizations.actions.$${kind/\//_}: |"; \
	    echo '    discovery.lua: |'; sed 's/./      &/' $$kind/actions/discovery.lua; \
	    echo '    definitions:'; \
	    for action in $$kind/actions/*/action.lua; do \
	      echo "      - name: $$(basename $$(dirname $$action))"; \
	      echo '        action.lua: |'; sed 's/./          &/' $$action; \
	    done; \
	  done; } > ../argocd-cm.yaml

ssrf: ## put all that docs/ssrf.md lists before the guard, and write the page anew
	POSTERN_WRITE_SSRF=1 cargo test --quiet --lib the_page_of_refusals_says_what_the_guard_does

operator: ## the operator as it is shipped: one static binary
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --bin postern --target $(target)
	@install -D $(operator) e2e/.work/bin/postern

sender: ## the sender as it is shipped: one small static binary
	RUSTFLAGS='$(sender-flags)' \
	  cargo build --profile sender --no-default-features --bin postern-sender --target $(target)
	@install -D $(sender) e2e/.work/bin/postern-sender

bench: $(cluster) operator sender peer ## the sender beside curl, the operator beside others, with 10,000 schedules: for people to judge, in 45 minutes
	@command -v curl > /dev/null || { echo 'installing Debian package: curl'; \
	  apt-get update -qq && apt-get install -qqy --no-install-recommends curl > /dev/null; }
	cargo bench --quiet -p postern-benches --no-default-features --profile dev --bench sender
	cargo bench --quiet -p postern-benches --bench operator

# Without cgo, Go makes the same static program wherever it is built.
peer:
	@cd e2e/peer && CGO_ENABLED=0 go build -buildvcs=false -o ../.work/bin/peer .

# One of them watches for drift for ten minutes, or as many seconds as POSTERN_DRIFT_SECONDS says.
argocd: argocd-programs ## Argo CD itself on clusters of its own: syncs, drift, upgrades, health, actions, deletion; 15 minutes, and 8 to build it first
	@$(cluster) build operator sender test-programs
	@$(timed) 'Argo CD tests' cargo test -p postern-e2e argocd:: -- --ignored --test-threads 2

# All of Argo CD is one binary. Redis is Debian's, but not its package redis-server, which would start a service: redis-check-rdb
# is the same binary.
argo-cd := github.com/argoproj/argo-cd/v3
argocd-programs: $(cluster)
	@command -v git > /dev/null || { echo 'Git is needed: Argo CD runs it.'; exit 1; }
	@test -e /usr/bin/redis-check-rdb || { echo 'installing Debian package: redis-tools'; \
	  apt-get update -qq && apt-get install -qqy --no-install-recommends redis-tools > /dev/null; }
	@ln -sf /usr/bin/redis-check-rdb e2e/.work/bin/redis-server
	@cd e2e/argocd && export CGO_ENABLED=0 GOFLAGS='-buildvcs=false -trimpath -gcflags=all=-dwarf=false -ldflags=-s' && \
	  go build -o ../.work/bin/argocd $(argo-cd)/cmd && \
	  go build -o ../.work/bin/kustomize sigs.k8s.io/kustomize/kustomize/v5 && \
	  source=$$(go list -m -f '{{.Dir}}' $(argo-cd)) && install $$source/hack/git-verify-wrapper.sh ../.work/bin && \
	  rm -rf ../.work/argocd && mkdir ../.work/argocd && cp -r $$source/manifests/crds $$source/manifests/base/config ../.work/argocd

fuzz: ## each fuzz target for a minute
	@cargo +nightly fuzz --version > /dev/null 2>&1 || \
	  { echo "nightly and cargo-fuzz are needed: rustup toolchain install nightly; cargo install cargo-fuzz"; exit 1; }
	@mkdir -p fuzz/corpus/delivery fuzz/corpus/url
	@cp config/samples/sender/delivery.json fuzz/corpus/delivery/sample
	@cp config/samples/sender/url fuzz/corpus/url/sample
	cargo +nightly fuzz run delivery -- -max_total_time=60
	cargo +nightly fuzz run url -- -max_total_time=60

cluster: $(cluster) ## start a real one-node Kubernetes to try things on
	@$(cluster) up $(CLUSTER)

cluster-down: $(cluster) ## end every cluster of this checkout, and leave nothing of them
	@$(cluster) down

images: $(cluster) operator sender ## build every image, and print its size
	@$(cluster) build
	@for folder in $(images); do $(cluster) image $$folder; done

$(cluster): $(wildcard e2e/cluster/*.go) $(shell find e2e/cluster/config -type f) e2e/cluster/go.mod
	@command -v go > /dev/null || { echo "Go 1.26.6 or later is needed: https://go.dev/doc/install"; exit 1; }
	@mkdir -p $(@D)
	@cd e2e/cluster && go build -buildvcs=false -o ../.work/bin/cluster.new . && mv ../.work/bin/cluster.new ../.work/bin/cluster

.PHONY: help demo demo-program fresh test test-full test-programs test-receivers test-unit test-e2e lint crds argocd-cm ssrf operator sender bench peer argocd argocd-programs fuzz cluster cluster-down images

# `make help` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CLUSTER ?= default
cluster := e2e/.work/bin/cluster

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

$(cluster): $(wildcard e2e/cluster/*.go e2e/cluster/config/* e2e/cluster/config/*/*) e2e/cluster/go.mod
	@mkdir -p $(@D)
	@cd e2e/cluster && go build -o ../.work/bin/cluster .

cluster: $(cluster) ## start a real one-node Kubernetes to try things on
	@$(cluster) up $(CLUSTER)

cluster-down: $(cluster) ## end every cluster of this checkout, and leave nothing of them
	@$(cluster) down

.PHONY: help cluster cluster-down

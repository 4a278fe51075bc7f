# One target for each thing a person wants. `make help` lists them.
SHELL := /bin/bash
CARGO ?= cargo
# Tests and the demo mount file systems; as another user they ask for that right with sudo.
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo -E)
CARGO_RUNNER := CARGO_TARGET_$(shell uname -m | tr a-z A-Z)_UNKNOWN_LINUX_GNU_RUNNER
RUNNER := $(if $(AS_ROOT),$(CARGO_RUNNER)='$(AS_ROOT)')

# Limits, and the growth of a file system that is mounted.
VM_TESTS := sight:: limits:: life::ext4 fs_grow:: sys_grow::

# The same for every test, so that everything is built once.
FEATURES := --features root,faults

# A pause stops writers in time where the machine is not busy with much else (docs/limits.md): those tests run alone.
ROOT_TESTS = $(RUNNER) $(CARGO) test $(FEATURES) --test root -- --skip pause::
ROOT_TESTS_ALONE = $(RUNNER) $(CARGO) test $(FEATURES) --test root -- --test-threads=1 pause::

.PHONY: help demo test test-unit test-it test-root test-sanity test-chart test-cluster e2e e2e-bench cluster cluster-down vm-test full check bench build deps tools clean

help: ## what there is to make
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: deps ## a driver, a pool and a volume's whole life, as a short story
	$(CARGO) build --release
	$(CARGO) build --release --example demo
	$(AS_ROOT) target/release/examples/demo target/release/orlop

build: ## the release binary: target/release/orlop
	$(CARGO) build --release

test: deps tools ## everything that must hold: unit, it, root, sanity, chart, cluster, e2e, a short fuzz and storm
	$(CARGO) test $(FEATURES) --lib --bins
	$(CARGO) test $(FEATURES) --test it
	$(ROOT_TESTS)
	$(ROOT_TESTS_ALONE)
	$(RUNNER) $(CARGO) test $(FEATURES) --test sanity
	$(CARGO) test $(FEATURES) --test chart
	$(RUNNER) $(CARGO) test $(FEATURES) --test cluster
	$(MAKE) e2e

test-unit: ## the pure things, beside the code
	$(CARGO) test $(FEATURES) --lib --bins

test-it: ## a driver on the memory pool, over a real socket; needs no rights
	$(CARGO) test $(FEATURES) --test it

test-root: deps ## real loop devices, file systems and mounts
	$(ROOT_TESTS)
	$(ROOT_TESTS_ALONE)

test-sanity: deps ## csi-sanity against the memory and the image pool
	@tools/build sanity
	$(RUNNER) $(CARGO) test $(FEATURES) --test sanity

test-chart: deps ## the Helm chart as Helm renders it, in many forms, and the root of the image
	@tools/build helm
	$(CARGO) test $(FEATURES) --test chart

test-cluster: deps tools ## a real etcd, API server, scheduler and sidecars
	$(RUNNER) $(CARGO) test $(FEATURES) --test cluster

e2e: deps tools ## a real Kubernetes of two nodes, the chart, what users do, and what goes wrong
	tools/cluster/previous
	$(CARGO) build --release
	tools/cluster/images
	$(CARGO) test $(FEATURES) --test e2e --no-run
	$(AS_ROOT) tools/cluster/e2e

e2e-bench: deps tools ## how long a pod waits for its volume, beside csi-driver-host-path; the memory in a cluster
	$(CARGO) build --release
	tools/cluster/images
	$(CARGO) test $(FEATURES) --test e2e --no-run
	$(AS_ROOT) tools/cluster/e2e-bench

cluster: deps tools ## a real Kubernetes of two nodes with Orlop, to play with
	$(CARGO) build --release
	tools/cluster/images
	$(AS_ROOT) tools/cluster/up
	$(AS_ROOT) tools/cluster/snapshots
	$(AS_ROOT) tools/cluster/install --values tests/e2e/values.yaml
	@echo 'Orlop runs: tools/cluster/kubectl get pods,orlop --all-namespaces; make cluster-down takes all of it away'

cluster-down: ## remove the cluster, and all that is in it
	$(AS_ROOT) tools/cluster/down

vm-test: deps ## what this machine's kernel may not have (cgroup v2, CAP_SYS_RESOURCE), in an emulated one
	$(CARGO_RUNNER)=tools/vm $(CARGO) test $(FEATURES) --test root -- --test-threads=1 --color=never $(VM_TESTS)

full: test vm-test bench ## test, and what takes longer
	PROPTEST_CASES=20000 ORLOP_FUZZ_REQUESTS=1000000 $(CARGO) test $(FEATURES) --lib --test it
	$(RUNNER) ORLOP_FUZZ_REQUESTS=1000000 ORLOP_STORM_OPERATIONS=20000 \
		$(CARGO) test $(FEATURES) --test root -- --nocapture storm:: fuzz::
	$(RUNNER) ORLOP_FAULTS_OPERATIONS=2000 ORLOP_FAULTS_ABSENCE=30 ORLOP_FAULTS_SILENCE=1 \
		$(CARGO) test $(FEATURES) --test cluster -- --nocapture --test-threads=1 faults::

check: ## the gate: format, lints, documentation, and whether the scripts can be read
	$(CARGO) fmt --check
	@for script in $$(grep -rlE '^#!.*bash' tools .ci --exclude-dir=bin); do bash -n "$$script" || exit 1; done
	$(CARGO) clippy --all-targets $(FEATURES) -- -D warnings
	RUSTDOCFLAGS='-D warnings -A rustdoc::private-intra-doc-links' $(CARGO) doc --no-deps --document-private-items

bench: deps ## each figure, the same by hand in the same run, and the ratio
	$(CARGO) build --release
	$(CARGO) build --release --example bench
	@tools/build sanity kube
	$(AS_ROOT) target/release/examples/bench target/release/orlop

deps: ## install the programs that Orlop calls and that its tests need
	@tools/install-programs

tools: ## build what the tests need from Go modules: csi-sanity, Kubernetes and its sidecars; some minutes once
	@tools/build

clean: ## remove what was built
	$(CARGO) clean
	rm -rf tools/bin

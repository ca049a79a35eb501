# What is done with this project, and with nothing but Go, git and make; the lab
# needs root on Debian 12 or 13 as well. See README.md.

# A tag's name is text of the repository. Recipes read it from their environment, so that neither make nor the
# shell expands it: no recipe may name the variable itself (internal/tool/makefile_test.go).
ifndef VERSION
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
endif
export VERSION
SUFFIX :=
GOBUILD = CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/re-connect/rpctl/internal/version.Version=$$VERSION$(SUFFIX)"
FUZZTIME ?= 10s

.PHONY: build demo test test-slow lab lab-prepare lab-down bench chaos chaos-real build-next fuzz lint vuln cross clean

build:
	$(GOBUILD) -o bin/rpctl ./controller/cmd/rpctl
	$(GOBUILD) -o bin/rp-agent ./agent/cmd/rp-agent

# The story on hosts that are part of one process; KEEP=1 leaves them up until Ctrl-C.
demo:
	@$(GOBUILD) -o bin/rpctl ./controller/cmd/rpctl
	@$(GOBUILD) -o bin/demo ./lab/cmd/demo
	@bin/demo $(if $(KEEP),-keep)

# All tests, with the set-up that they need: as root on Debian the lab's packages are
# installed (and named), elsewhere the lab's tests are skipped; the last line says how many
# and why. GOTESTFLAGS=-race and LAB=required are what CI adds.
test: lab-prepare
	go run ./internal/tool/testsummary -timeout 75m $(GOTESTFLAGS) ./...

# The same results on a machine that is SLOWLY times slower: the tests of PACKAGES, with all processes that they
# start, get so small a part of the processor (internal/tool/slowly). Real hosts keep their speed, so they are left out.
SLOWLY ?= 8
PACKAGES ?= ./agent/... ./controller/... ./internal/... ./proto/... ./systemd/... ./lab/app/... ./lab/chaos ./lab/cmd/... ./lab/filewatch ./lab/inprocess ./lab/sshhost ./lab/wire
test-slow:
	@$(GOBUILD) -o bin/slowly ./internal/tool/slowly
	SLOWLY=$(SLOWLY) go test -count=1 -timeout 3h -p 4 -exec $(CURDIR)/bin/slowly $(GOTESTFLAGS) $(PACKAGES)

lab-prepare:
	@if [ "$$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then go run ./lab/cmd/lab prepare; fi

# Three real hosts on this machine; LAB_SUITE=trixie for Debian 13.
lab: lab-prepare
	go run ./lab/cmd/lab up

lab-down:
	go run ./lab/cmd/lab down

# Figures, as ratios of one run (docs/bench.md): on the lab's real hosts, and of the code by itself,
# and of a thousand hosts in one process (docs/scale.md).
bench: lab-prepare build
	CGO_ENABLED=0 go run ./lab/cmd/bench
	go test -run '^$$' -bench . ./agent/internal/symfony
	@$(GOBUILD) -o bin/scale ./lab/cmd/scale
	@bin/scale

# SEEDS runs of plans on embedded hosts while faults strike, from seed SEED on (docs/faults.md).
SEEDS ?= 40
SEED ?= 1
chaos: build
	@$(GOBUILD) -o bin/chaos ./lab/cmd/chaos
	@bin/chaos -runs $(SEEDS) -seed $(SEED)

# The same on a real host of the lab, as root on Debian; SUITE=trixie for Debian 13, DATABASE=mariadb
# for an application on MariaDB, whose server is struck too.
SUITE ?= bookworm
chaos-real: build build-next
	@$(GOBUILD) -o bin/chaos ./lab/cmd/chaos
	@bin/chaos -real -suite $(SUITE) -database '$(DATABASE)' -runs $(SEEDS) -seed $(SEED)

# The agent under another version's name, for an upgrade.
build-next: SUFFIX := -next
build-next:
	@$(GOBUILD) -o bin/rp-agent-next ./agent/cmd/rp-agent

# Each fuzz target for FUZZTIME.
fuzz:
	go run ./internal/tool/fuzzall -fuzztime $(FUZZTIME)

lint:
	@unformatted=$$(git ls-files -z '*.go' | xargs -0 gofmt -l --); if [ -n "$$unformatted" ]; then echo "gofmt: $$unformatted"; exit 1; fi
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

# Known vulnerabilities that the binaries reach; needs https://vuln.go.dev (docs/dependencies.md).
vuln:
	go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./controller/cmd/rpctl ./agent/cmd/rp-agent

cross:
	for target in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do \
		GOOS=$${target%/*} GOARCH=$${target#*/} $(GOBUILD) -o bin/rpctl-$${target%/*}-$${target#*/} ./controller/cmd/rpctl || exit 1; \
	done
	for arch in amd64 arm64; do \
		GOOS=linux GOARCH=$$arch $(GOBUILD) -o bin/rp-agent-linux-$$arch ./agent/cmd/rp-agent || exit 1; \
	done

clean:
	rm -rf bin

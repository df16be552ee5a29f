# Latchkey's own commands; "make help" lists them. CI runs "make check".
VERSION  ?= dev
COMMIT   ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
RUN      ?=
PKG      ?=
FUZZTIME ?= 50000x

VERSIONS := -X latchkey/commands.version=$(VERSION) -X latchkey/commands.commit=$(COMMIT)
LINT     := .cache/bin/golangci-lint
TESTS    := -shuffle=on -timeout 60m $(if $(RUN),-v -run '$(RUN)')

# What else of the end-to-end tests is run on PostgreSQL; its own are TestNodes….
ON_POSTGRES := ^Test(Carriers|Scripts|Revoked|Command|KeyRotation|Kill|Restart|StopIsQuick|Upgrade|Passwords)

# Without gcc Go would build a program that cannot open SQLite.
export CGO_ENABLED := 1

.PHONY: help build client test check provision lint unit postgres fuzz e2e bench times torture
.DEFAULT_GOAL := build
.NOTPARALLEL: # the steps of "make test" follow each other under -j too

help: ## List the targets and their variables.
	@echo 'make TARGET [VARIABLE=VALUE]...'
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## /{printf "  make %-10s %s\n", $$1, $$2} \
		/^##/{sub(/^## ?/, ""); printf "%14s   %s\n", "", $$0}' $(MAKEFILE_LIST)

build: ## Build ./latchkey.
## Needs Go 1.26, gcc and the headers of libc. VERSION=1.2.3 names the version.
	@echo 'Building ./latchkey. The first build compiles SQLite: minutes on a slow machine.'
	go build -trimpath -ldflags '$(VERSIONS)' -o latchkey .

client: ## Build the commands for users' machines, without cgo: build/latchkey-OS-ARCH.
	for target in linux/amd64 linux/arm64 darwin/arm64 windows/amd64; do \
		CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} go build -trimpath -tags client -ldflags '$(VERSIONS)' \
			-o build/latchkey-$${target%/*}-$${target#*/}$$([ $${target%/*} = windows ] && echo .exe) . || exit 1; \
	done

test: provision unit postgres fuzz e2e ## Run all tests (7 minutes on two cores).
## Installs what they need on a Debian, as root: it says what before it does.

check: lint test ## Run the linter and all tests, as CI does.

provision: ## Install the programs that the tests run: browser, proxies, clients, PostgreSQL.
	@sh e2e/provision.sh tests

lint: ## Check format, modules and the rules in .golangci.yml.
## Builds golangci-lint the first time: minutes.
	@sh e2e/provision.sh linter
	! gofmt -l . | grep .
	go mod tidy -diff
	go vet -tags e2e,bench,torture ./...
	$(LINT) run
	! git grep -nE 'TO[D]O|FIX[M]E|/(ro[o]t|ho[m]e|wo[r]k)/' -- ':!.golangci.yml'

unit: ## Run the tests of the packages; needs no other programs.
## One test: make unit RUN=TestRotation PKG=./auth
	go test -race $(TESTS) $(or $(PKG),$$(go list ./... | grep -v '/e2e$$'))

postgres: provision ## Run tests of the packages and of the program on PostgreSQL.
## One test: make postgres RUN=TestCommand
	LATCHKEY_TEST_POSTGRES=1 go test -count=1 $(TESTS) ./models ./auth ./handlers
	LATCHKEY_TEST_POSTGRES=1 go test -count=1 $(TESTS) $(if $(RUN),,-run '$(ON_POSTGRES)') ./e2e

fuzz: ## Run each fuzz target for FUZZTIME=50000x inputs.
## One target: make fuzz RUN=FuzzDecode FUZZTIME=5m
	@sh e2e/fuzz.sh $(FUZZTIME) $(RUN)

e2e: provision ## Run the tests of the program: browsers, proxies, clients, crashes.
## One test: make e2e RUN=TestProxies
	go test -race -count=1 -tags e2e $(TESTS) ./e2e

bench: ## Measure; the figures are in docs/explanation/reliability.md.
	go test -tags bench -run '^$$' -bench . -benchmem -timeout 20m ./auth/... ./e2e/...
	LATCHKEY_TEST_POSTGRES=1 go test -tags bench -run '^$$' -bench . -timeout 20m ./models

times: provision ## Run the tests of the program and check how long responses take. Needs an idle machine.
## One test: make times RUN=TestNodesRevoke
	LATCHKEY_TEST_TIMES=1 go test -count=1 -tags e2e -parallel 1 $(TESTS) ./e2e

torture: times ## Run make times, then kill, cut the power and damage files up to 1,000 times (2 hours).
## One test: make torture RUN=TestTortureKill
	@sh e2e/provision.sh tests e2fsprogs user-mode-linux
	LATCHKEY_TEST_TIMES=1 go test -tags torture -count=1 -timeout 150m -v -run '$(or $(RUN),Torture)' ./e2e

# Latchkey's own commands. "make test" is what CI runs.
VERSION ?= dev
COMMIT  ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
FUZZTIME ?= 50000x
LINT    := .cache/bin/golangci-lint

# What else of the end-to-end tests is run on PostgreSQL; its own are TestNodes….
ON_POSTGRES := ^Test(Carriers|Scripts|Revoked|Command|KeyRotation|Kill|Restart|StopIsQuick|Upgrade|Passwords)

.PHONY: build client test provision lint unit fuzz e2e bench torture
.NOTPARALLEL: # the steps of "make test" follow each other under -j too

build:
	go build -trimpath -ldflags "-X latchkey/commands.version=$(VERSION) -X latchkey/commands.commit=$(COMMIT)" -o latchkey .

client: # the commands for one's own machine, without cgo: build/latchkey-OS-ARCH
	for target in linux/amd64 linux/arm64 darwin/arm64 windows/amd64; do \
		CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} go build -trimpath -tags client \
			-ldflags "-X latchkey/commands.version=$(VERSION) -X latchkey/commands.commit=$(COMMIT)" \
			-o build/latchkey-$${target%/*}-$${target#*/}$$([ $${target%/*} = windows ] && echo .exe) . || exit 1; \
	done

test: provision lint unit fuzz e2e

provision:
	sh e2e/provision.sh

lint:
	! gofmt -l . | grep .
	go mod tidy -diff
	go vet -tags e2e,bench,torture ./...
	$(LINT) run
	! git grep -nE 'TO[D]O|FIX[M]E|/(ro[o]t|ho[m]e|wo[r]k)/' -- ':!.golangci.yml'

unit: # e2e has the machine to itself later
	go test -race -shuffle=on $$(go list ./... | grep -v '/e2e$$')
	LATCHKEY_TEST_POSTGRES=1 go test -shuffle=on -count=1 ./models ./auth ./handlers

fuzz:
	sh e2e/fuzz.sh $(FUZZTIME)

e2e:
	go test -race -shuffle=on -count=1 -tags e2e -timeout 20m ./e2e/...
	LATCHKEY_TEST_POSTGRES=1 go test -shuffle=on -count=1 -run '$(ON_POSTGRES)' ./e2e

bench:
	go test -tags bench -run '^$$' -bench . -benchmem -timeout 20m ./auth/... ./e2e/...
	LATCHKEY_TEST_POSTGRES=1 go test -tags bench -run '^$$' -bench . -timeout 20m ./models

torture: # the power is cut in user-mode-linux
	sh e2e/provision.sh e2fsprogs user-mode-linux
	go test -tags torture -count=1 -timeout 150m -v -run Torture ./e2e/...

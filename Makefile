# regcast. `make help` lists the targets.
SHELL       := bash
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS     := -s -w -X main.release=$(VERSION)
# grpc's tracing pages would keep the linker from leaving anything out: 5 MB of the binary.
TAGS        := grpcnotrace
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 10s

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: regcast ## start the emulator on 127.0.0.1:8080 (ARGS="--data ./data" adds flags)
	@bin/regcast up $(ARGS)

.PHONY: regcast
regcast: ## build bin/regcast
	@CGO_ENABLED=0 go build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/regcast ./cmd/regcast

# Logical id in template.yaml = folder below functions/aws.
LAMBDAS := Broadcast=broadcast Capture=capture Connect=connect Default=default Disconnect=disconnect

ARCHES ?= arm64=arm64 x86_64=amd64
.PHONY: lambda
lambda: ## build the functions of template.yaml: dist/lambda/{arm64,x86_64}/ID/bootstrap
	@for arch in $(ARCHES); do for f in $(LAMBDAS); do \
	  GOOS=linux GOARCH=$${arch#*=} CGO_ENABLED=0 go build -trimpath -tags lambda.norpc -ldflags '-s -w' \
	    -o dist/lambda/$${arch%=*}/$${f%=*}/bootstrap ./functions/aws/$${f#*=} || exit 1; done; done

.PHONY: yandex
yandex: ## pack the functions for Yandex Cloud's builder: dist/yandex.zip (fetches its Go 1.23 to try it)
	@deploy/yandex/pack dist/yandex.zip

.PHONY: build
build: regcast lambda ## build what runs as it is: bin/regcast and the bootstraps for both architectures

ARCH ?= arm64
.PHONY: sam
sam: lambda ## lay out .aws-sam/build for ARCH (arm64), as sam build does
	@rm -rf .aws-sam/build && mkdir -p .aws-sam/build && cp -r dist/lambda/$(ARCH)/. .aws-sam/build/
	@sed $(foreach f,$(LAMBDAS),-e 's|CodeUri: functions/aws/$(word 2,$(subst =, ,$(f)))$$|CodeUri: $(word 1,$(subst =, ,$(f)))|') \
	  template.yaml > .aws-sam/build/template.yaml

.PHONY: deploy
deploy: sam ## sam deploy to AWS (PARAMETERS="Repositories=team/*" and ARGS="--guided" add to it)
	sam deploy --template-file .aws-sam/build/template.yaml --parameter-overrides Architecture=$(ARCH) $(PARAMETERS) $(ARGS)

.PHONY: deploy-yandex
deploy-yandex: yandex ## terraform apply to Yandex Cloud (ARGS="-var folder_id=b1g…" adds to it)
	terraform -chdir=deploy/yandex init -input=false
	terraform -chdir=deploy/yandex apply $(ARGS)

.PHONY: install
install: ## install regcast to GOBIN
	@CGO_ENABLED=0 go install -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' ./cmd/regcast

.PHONY: test
test: check ## everything that must pass: formatting, vet, staticcheck, walls, all tests with -race
	go test -race -vet=off ./... # check has vetted them

.PHONY: check
check: ## formatting, vet, staticcheck
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not gofmt: $$unformatted"; exit 1; }
	go vet -race ./... # with what the tests have to compile anyway
	@GOBIN=$(CURDIR)/bin go install $(STATICCHECK)
	GOFLAGS=-race bin/staticcheck ./...

.PHONY: cross
# The packages that have files of their own for other platforms. All else of linux/arm64 is what CI runs, for another processor.
PLATFORM := $(addprefix ./emulator/internal/,gateway port runner)

cross: ## compile for every platform we ship; tests too where the files differ from this one's
	@for target in darwin/arm64 windows/amd64; do \
	  echo "build $$target"; GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0 go build ./cmd/regcast ./emulator/emulatortest ./bench || exit 1; done
	@for target in linux/arm64 darwin/arm64 windows/amd64; do \
	  echo "vet $$target"; GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0 go vet $(PLATFORM) || exit 1; done

.PHONY: conformance
conformance: regcast ## the OCI distribution-spec conformance suite, versions 1.1 and dev, against a fresh emulator
	bin/regcast exec -- bash -c '.ci/conformance "$$REGCAST_REGISTRY"'

.PHONY: proof
proof: regcast ## version 1 of Yandex Cloud's Go SDK, every service of it that is emulated, against a fresh emulator
	bin/regcast exec -- go -C proof/gosdk1 test -count=1 ./...

.PHONY: bench
bench: regcast lambda ## every figure that the README states, beside its yardstick
	go run ./bench -regcast bin/regcast $(ARGS)

.PHONY: fuzz
fuzz: ## run every fuzz test for FUZZTIME (10s)
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do \
	  grep -rhoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' $$dir/*_test.go | sed 's/func //' | while read -r name; do \
	    echo "fuzz $$dir $$name"; go test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) $$dir || exit 1; done || exit 1; done

.PHONY: clean
clean: ## remove what the targets made
	rm -rf bin dist .aws-sam

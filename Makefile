# All commands of the project; `make` lists them.
#
# They need make and Python 3.11 or later, with venv. Everything else is installed into $(VENV) from the lock.

ENV ?= dev
PORT ?= 8080
VENV ?= .venv
ARGS ?=

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)

READY := $(VENV)/ready
# uv does not read pip's configuration; this launcher passes it.
UV := python -m tools.uv_launcher
# Tools that the project does not import, with locks of their own: the first two in their own environments, the others
# as folders for PYTHONPATH, since they run in the project's.
AUDITOR := build/auditor
SCANNER := build/scanner
ROTO := build/roto
# Their installation may fail; the checks that need them are skipped then. Lambda's Python runs the emulator, since that
# runs the functions on its own.
EMULATOR := build/emulator
SIMULATOR := build/iam-simulate
FUZZER := $(VENV)/fuzzer
RIVALS := $(VENV)/rivals
REGIONS := us-east-1 eu-west-1
SOURCES := layers/waypost functions local tests bench tools fuzz

# Recipes find the installed tools first; SAM needs a region even without a request to AWS.
export PATH := $(abspath $(VENV))/bin:$(PATH)
export AWS_DEFAULT_REGION ?= us-east-1
export SAM_CLI_TELEMETRY := 0
# Container images set it; without .pyc files, every run would compile all modules.
unexport PYTHONDONTWRITEBYTECODE

# A variable's value or $2, quoted for the shell, so that neither make nor the shell expands a $ or a quote in a name.
typed = '$(subst ','\'',$(or $(value $1),$2))'

# The stack that a tool uses: that of ENV, or an embedded one at BASE.
STACK = --env $(call typed,ENV) --base $(call typed,BASE)

# "yes" if a variable is yes, nothing if it is no or not given. Any other value stops make.
says-yes = $(if $(filter-out yes no,$($1)),$(error $1 is '$($1)'; say $1=yes, or leave it out),$(filter yes,$($1)))

# A variable that is a whole number, or $2 if it is not given. Any other value stops make.
no-digits = $(shell printf %s $(call typed,$1) | tr -d 0-9)
number = $(if $(call no-digits,$1),$(error $1 is '$($1)'; say a whole number, or leave it out),$(or $($1),$2))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

.PHONY: help
help: ## Show this list
	@echo "make TARGET [NAME=value …]"
	@awk -F ':.*## ' '/^##@/ { print "\n" substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

##@ Try it

.PHONY: demo
demo: $(READY) ## Track an e-mail for 25 recipients, click as they would, show the report
	@python -m local.demo

.PHONY: serve
serve: $(READY) ## Serve the whole stack on this machine, empty, on PORT
	@python -m local serve --port $(call typed,PORT) $(ARGS)

.PHONY: rewrite
rewrite: $(READY) ## Track the message in FILE and report each link (WORKSPACE, BASE, DATA; DRY=yes: report only)
	@python -m tools.rewrite $(STACK) --workspace $(call typed,WORKSPACE) --file $(call typed,FILE) \
		--campaign $(call typed,CAMPAIGN) --person $(call typed,PERSON,p1) --data $(call typed,DATA) --channel $(call typed,CHANNEL,email) $(if $(call says-yes,DRY),--dry-run)

##@ Develop

.PHONY: screenshots
screenshots: $(READY) ## Take the screenshots of report pages in docs/images (needs Chromium)
	@python -m local.demo.screenshots

.PHONY: setup
setup: $(READY) ## Install the locked packages into .venv (other targets run it first)

# Tests of the stack wait for servers half of the time, so two of them fit on a processor.
WORKERS = $$(python -c 'import os; print(2 * (os.cpu_count() or 1))')

.PHONY: test
test: $(READY) ## Run all tests in WORKERS processes, one file at a time each (ARGS: options of pytest)
	python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: test-fast
test-fast: $(READY) ## Run the quick tests: no server, no build, fewer generated examples
	python -m pytest tests/unit tests/property --numprocesses auto --hypothesis-profile fast -m "not heavy" $(ARGS)

BENCHES := tokens rewriting redirect costs tally hotlink load memory

.PHONY: bench
bench: bench-files $(BENCHES:%=bench-%) ## Run all benchmarks of docs/benchmarks.md (bench-NAME: one of them)

.PHONY: $(BENCHES:%=bench-%)
$(BENCHES:%=bench-%): bench-%: $(READY)
	@python -m bench.$* $(ARGS)

.PHONY: bench-files
bench-files: $(READY)
	@python -m bench.executed_files $(ARGS)

# Other libraries for the comparison; the project does not use them. The benchmark skips those that are missing.
bench-rewriting: $(RIVALS)
bench-rewriting: export PYTHONPATH = $(RIVALS)
$(RIVALS): tools/rivals.lock | $(READY)
	@echo "Installing what tools/rivals.lock says into $@ for the comparison"
	@rm -rf $@ && $(UV) pip install --quiet --require-hashes --no-build --python $(VENV)/bin/python --target $@.new \
		--requirement tools/rivals.lock \
		&& mv $@.new $@ && touch $@ || { rm -rf $@.new; echo "Installation failed: the benchmark runs without them" >&2; }

.PHONY: soak
soak: $(READY) ## Run the fault and trust tests for much longer (SEED=…, ROUNDS=10)
	$(if $(filter 0,$(call number,ROUNDS,10)),$(error ROUNDS is '0'; say 1 or more, or leave it out))
	WAYPOST_SOAK="$(call number,ROUNDS,10)" WAYPOST_SEED="$(call number,SEED,1)" WAYPOST_FAULT_SEED="$(call number,SEED,1)" \
		python -m pytest tests/trust tests/faults --numprocesses auto --dist worksteal $(ARGS)

.PHONY: fuzz
fuzz: $(FUZZER)/ready ## Fuzz each target, or TARGET alone, for SECONDS (SEED=… repeats a run; needs Linux on x86-64)
	@SEED=$(call number,SEED,0) PYTHONPATH=$(FUZZER) python -m fuzz $(call number,SECONDS,30) $(call typed,TARGET)

$(FUZZER)/ready: tools/fuzzer.lock | $(READY)
	@echo "Installing what tools/fuzzer.lock says into $(FUZZER)"
	@$(UV) pip install --quiet --require-hashes --no-build --python $(VENV)/bin/python --target $(FUZZER) \
		--requirement tools/fuzzer.lock
	@touch $@

CONTRACT := tests/contract tests/faults/test_click_simulation_dynamodb.py
.PHONY: test-contract
test-contract: $(READY) ## Run the repositories' contract tests on the DynamoDB at ENDPOINT, or on moto
	WAYPOST_DYNAMODB_ENDPOINT=$(call typed,ENDPOINT) python -m pytest $(CONTRACT) $(ARGS)

.PHONY: test-contract-roto
test-contract-roto: roto ## Run the contract tests on roto-aws, a DynamoDB that is independent of moto
	@python -m tools.contract_engine python -m pytest $(CONTRACT) $(ARGS)

.PHONY: emulate
emulate: emulator ## Build, deploy and test the stack at MiniStack, an independent emulator of AWS (minutes)
	@python -m tools.emulator

.PHONY: emulator roto
emulator: $(EMULATOR)/ready
	@python -m tools.emulator --start
roto: $(ROTO)/ready
	@python -m tools.contract_engine true

# Two dates: one after the expiry of all test items, one after 2038-01-19, the end of 32-bit time.
SHIFTED := tests/unit tests/property tests/contract
.PHONY: test-shifted
test-shifted: $(READY) ## Run unit, property and contract tests 500 days from now, and in 2038
	WAYPOST_TEST_CLOCK=+500d python -m pytest $(SHIFTED) --numprocesses auto --dist loadfile $(ARGS)
	WAYPOST_TEST_CLOCK=2038-02-02 python -m pytest $(SHIFTED) --numprocesses auto --dist loadfile $(ARGS)

.PHONY: check
check: check-code docs-check check-template check-lock ## Check format, lint, types, pages, template and locks

.PHONY: check-code
check-code: $(READY)
	ruff format --check .
	ruff check .
	mypy $(wildcard $(SOURCES))
	python -m tools.possessive_quantifiers
	python -m tools.prose

.PHONY: docs
docs: $(READY) ## Write the reference tables of the documentation from code
	python -m tools.docs.reference

.PHONY: docs-check
docs-check: $(READY) ## Check that commands, links and files in pages exist, and that tables are current
	python -m tools.docs
	python -m tools.docs.reference --check

# The SAM source hides the resources of events, so each region's transformed template is linted as well. The serverless
# rules (ES, WS) apply to the source only, and a parameter that the transform reads is not unused (W2001).
.PHONY: check-template
check-template: $(READY) $(REGIONS:%=build/template.%.yaml)
	sam validate --lint
	cfn-lint template.yaml
	@for region in $(REGIONS); do (set -x; \
		cfn-lint --regions $$region --ignore-checks ES WS W2001 -- build/template.$$region.yaml) || exit 1; done

build/template.%.yaml: template.yaml tools/transform_template.py | $(READY)
	@mkdir -p build
	python -m tools.transform_template $* >$@

.PHONY: check-security
check-security: $(SCANNER)/ready build/template.us-east-1.yaml ## Scan the template for security problems
	$(SCANNER)/bin/checkov --config-file tools/checkov.yaml --file build/template.us-east-1.yaml

.PHONY: check-permissions
check-permissions: $(READY) iam-simulate ## Check the calls that each role may make with iam-simulate (needs Node.js)
	@python -m tools.permissions $(SIMULATOR)

.PHONY: iam-simulate
iam-simulate: $(SIMULATOR)/ready

# Not part of `check`, because the vulnerability database needs the network.
.PHONY: audit
audit: $(AUDITOR)/ready ## Ask a vulnerability database about every locked library (needs the network)
	$(AUDITOR)/bin/pip-audit --cache-dir $(AUDITOR)/cache --disable-pip --require-hashes \
		--requirement requirements.lock $(ARGS)

.PHONY: sbom
sbom: build ## Write the built layer's bill of materials, with licences, into build/sbom.cdx.json
	@mkdir -p build
	python -m tools.sbom .aws-sam/build/WaypostLayer/python >build/sbom.cdx.json

.PHONY: check-lock
check-lock: $(READY)
	python -m tools.lock --check

.PHONY: fmt
fmt: $(READY) ## Format the code and apply the linter's fixes
	ruff format .
	ruff check --fix .

.PHONY: lock
lock: $(READY) ## Write the locks from pyproject.toml (ARGS=--upgrade: newest versions)
	python -m tools.lock $(ARGS)

.PHONY: clean
clean: ## Remove all builds and installations in this folder
	rm -rf $(VENV) .aws-sam build .mypy_cache .pytest_cache .ruff_cache .hypothesis

##@ Operate a stack: that of ENV (dev, us, eu), or of `make serve` with BASE=http://127.0.0.1:8080

# A cold start costs twice as much without .pyc files, which only the runtime's Python version can compile.
.PHONY: build
build: $(READY) ## Build the layer and the functions for Lambda, without Docker
	RUNTIME_PYTHON="$$(tools/find-python 3.13 || echo python3.13)" sam build $(ARGS)

# A wrong name stops make before the minutes of checks and builds.
.PHONY: known-env
known-env: $(READY)
	@python -c 'import sys; from tools.stack import DeployedStack; DeployedStack.from_environment(sys.argv[1])' $(call typed,ENV)

.PHONY: deploy
deploy: known-env check check-security build ## Check, build and deploy the stack of ENV
	@python -m tools.stamp --env $(call typed,ENV) --more='$(ARGS)'
	sam deploy --config-env $(call typed,ENV) $(ARGS)

.PHONY: keys
keys: $(READY) ## Show the fingerprints and the use of the signing keys
	@python -m tools.keys $(STACK) show

.PHONY: rotate-keys
rotate-keys: $(READY) ## Add a key that signs when every function has it (NOW=yes: immediately)
	@python -m tools.keys $(STACK) add $(if $(call says-yes,NOW),--now)

.PHONY: retire-key
retire-key: $(READY) ## Retire KEY; all links that it signed stop working (shows their number first)
	@python -m tools.keys $(STACK) retire $(call typed,KEY) --sure $(call typed,SURE)

.PHONY: smoke
smoke: $(READY) ## Test the stack from rewriting to the report
	@python -m tools.smoke $(STACK) $(ARGS)

.PHONY: share
share: $(READY) ## Create a link to the report of CAMPAIGN of WORKSPACE for HOURS; PEOPLE=yes shows people
	@python -m tools.share $(STACK) --workspace $(call typed,WORKSPACE) --campaign $(call typed,CAMPAIGN) \
		--hours $(call typed,HOURS,72) --people "$(call says-yes,PEOPLE)"

.PHONY: replay
replay: $(READY) ## Record and count the clicks in FILE: log lines, queue messages or failed batches
	@python -m tools.clicks $(STACK) replay $(call typed,FILE)

.PHONY: recount
recount: $(READY) ## Compare the counters of CAMPAIGN of WORKSPACE with its clicks; REPAIR=yes corrects them
	@python -m tools.clicks $(STACK) recount $(call typed,WORKSPACE) $(call typed,CAMPAIGN) $(if $(call says-yes,REPAIR),--repair)

.PHONY: fill-table
fill-table: $(READY) ## Copy missing items into TABLE from the table FROM (FROM_REGION, FROM_PROFILE, REPLACE=yes)
	@python -m tools.tables $(STACK) --table $(call typed,TABLE) --from $(call typed,FROM) \
		--from-region $(call typed,FROM_REGION) --from-profile $(call typed,FROM_PROFILE) $(if $(call says-yes,REPLACE),--replace)

.PHONY: list-campaigns
list-campaigns: $(READY) ## Add campaigns of earlier releases to the list in reports
	@python -m tools.clicks $(STACK) list-campaigns

.PHONY: claim-names
claim-names: $(READY) ## Claim the names of workspaces of earlier releases
	@python -m tools.clicks $(STACK) claim-names

.PHONY: opt-out opt-in erase
opt-out: $(READY) ## Count PERSON of WORKSPACE without identity from now on
	@python -m tools.clicks $(STACK) opt-out $(call typed,WORKSPACE) $(call typed,PERSON)
opt-in: $(READY) ## Undo the opt-out of PERSON
	@python -m tools.clicks $(STACK) opt-in $(call typed,WORKSPACE) $(call typed,PERSON)
erase: $(READY) ## Erase PERSON of WORKSPACE from clicks, reports and archived messages; figures stay the same
	@python -m tools.clicks $(STACK) erase $(call typed,WORKSPACE) $(call typed,PERSON)

# Targets for one domain take WORKSPACE, HOST, and SENDING if it is not the host's parent.
DOMAINS = python -m tools.domains $(STACK) --workspace $(call typed,WORKSPACE) --host $(call typed,HOST) --sending $(call typed,SENDING) $(ARGS)

.PHONY: domains
domains: $(READY) ## Show the tracking domains of WORKSPACE, or the stack's own host
	@$(DOMAINS) list

.PHONY: domain-add
domain-add: $(READY) ## Add the tracking domain HOST to WORKSPACE
	@$(DOMAINS) add

.PHONY: domain-verify
domain-verify: $(READY) ## Check HOST of WORKSPACE now
	@$(DOMAINS) verify

.PHONY: domain-trust
domain-trust: $(READY) ## Mark the sending domain of HOST as verified, if SES does not have it
	@$(DOMAINS) trust

.PHONY: domain-revert domain-restore
domain-revert: $(READY) ## Use the default host instead of HOST in new messages
	@$(DOMAINS) revert
domain-restore: $(READY) ## Use HOST again
	@$(DOMAINS) restore

.PHONY: domain-remove
domain-remove: $(READY) ## Stop using HOST; links already sent work as long as its DNS points here
	@$(DOMAINS) remove

# ----------------------------------------------------------------------------------------------------------------------

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer was found; name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "$(PYTHON) is not a Python 3.11 or newer; name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu, install python3-venv." >&2; exit 1; }

# uv is installed first, in the locked version. It installs the rest in seconds and verifies each file's hash.
$(READY): requirements.lock tools/installer.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what requirements.lock says into $(VENV) (once; needs the network)"
	@{ python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
			--requirement tools/installer.lock \
		|| { python -m tools.uv_launcher --explain; exit 1; }; } \
		&& $(UV) pip sync --quiet --require-hashes --python $(VENV)/bin/python requirements.lock \
		&& $(UV) pip install --quiet --no-deps --no-build-isolation --python $(VENV)/bin/python --editable .
	@touch $@

$(AUDITOR)/ready $(SCANNER)/ready: build/%/ready: tools/%.lock | $(READY)
	@echo "Installing what $< says into build/$*"
	@$(UV) venv --quiet --clear --python $(VENV)/bin/python build/$*
	@$(UV) pip sync --quiet --require-hashes --no-build --python build/$*/bin/python tools/$*.lock
	@touch $@

# Install by a command with its output in a log, and print one line if it fails: $(call logged,NAME,FOLDER,COMMAND).
define logged
	@echo "Installing $1 into $2"
	@mkdir -p $2
	@{ $3; } >$2/install.log 2>&1 || { \
		echo "$1: not installed ($$(head -n 1 $2/install.log)); read $2/install.log, then run make again" >&2; exit 1; }
	@touch $@
endef

$(EMULATOR)/ready: tools/emulator.lock | $(READY)
	$(call logged,ministack,$(EMULATOR),runtime=$$(tools/find-python 3.13) || { echo "no Python 3.13 found"; false; } \
		&& $(UV) venv --quiet --clear --python "$$runtime" $(EMULATOR)/venv \
		&& $(UV) pip sync --quiet --require-hashes --no-build --python $(EMULATOR)/venv/bin/python tools/emulator.lock)

$(ROTO)/ready: tools/roto.lock | $(READY)
	$(call logged,roto-aws,$(ROTO),$(UV) venv --quiet --clear --python $(VENV)/bin/python $(ROTO)/venv \
		&& $(UV) pip sync --quiet --require-hashes --no-build --python $(ROTO)/venv/bin/python tools/roto.lock)

# npm verifies the hashes of package-lock.json. iam-simulate has the AGPL: it is run, and never part of a deployment.
$(SIMULATOR)/ready: tools/permissions/package.json tools/permissions/package-lock.json
	$(call logged,iam-simulate,$(SIMULATOR),{ command -v node && command -v npm; } || { echo "no node or no npm found"; false; } \
		&& cp $^ $(SIMULATOR)/ \
		&& npm ci --ignore-scripts --no-audit --no-fund --prefix $(SIMULATOR))

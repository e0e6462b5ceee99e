# Everything runs in .venv, which is made on first use. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= 2
# Tests wait for sockets and timers half of their time: one more at a time than there are cores.
WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help demo test lint format types imports unit dst docs bench conform lock clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

$(STAMP): pyproject.toml .ci/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Podtide needs Python 3.11 or newer; this is " + sys.version)'
	@echo "Setting up $(VENV) with what Podtide and its tests need: once, for half a minute or so"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint .ci/constraints.txt --editable '.[test,lint]'
	@touch $@

demo: $(STAMP) ## A minute of scaling on this machine: real sockets, real TLS, no cluster
	@$(BIN)/podtide demo $(ARGS)

test: lint unit dst ## Format, lint, types, imports, every test, and the simulated world

lint: format types imports ## What needs no test to run

format: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP) ## The tests alone
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

dst: $(STAMP) ## The whole controller in a simulated, hostile world: SEEDS=A-B
	$(BIN)/python -m tests.dst --seeds $(or $(SEEDS),0-1999) --jobs $(JOBS)

docs: $(STAMP) ## The documentation as a site, in build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet -f .ci/mkdocs.yml
	@echo "build/site/index.html"

conform: $(STAMP) ## The golden decisions of Knative, Kubernetes and AIBrix
	$(BIN)/python -m tests.conform $(or $(FILES),tests/data/vectors/*)

bench: $(STAMP) ## Measure, side by side with the alternatives
	$(BIN)/python -m benchmarks

lock: ## Renew the pinned versions
	rm -rf $(VENV)/lock && $(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet --disable-pip-version-check '.[test,lint]'
	$(VENV)/lock/bin/python -m pip freeze --exclude podtide --exclude-editable | grep -v '^podtide' > .ci/constraints.txt
	rm -rf $(VENV)/lock build

clean: ## Remove what was built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

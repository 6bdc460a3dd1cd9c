# Every target works alone on a machine with Python >= 3.11 (with venv), git and make.

PYTHON ?= python3
# For example PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu" for a CPU-only torch.
PIP_FLAGS ?=
REPOSITORY ?= models
# For example SOAK_FLAGS="--store sqlite-workers --steps 1000000 --kills 100 --seed 1".
SOAK_FLAGS ?=
# For example BENCH_FLAGS="--rounds 3 --rows single_step".
BENCH_FLAGS ?=
# For example COMPARE_FLAGS="--budget quick --out /tmp/compare".
COMPARE_FLAGS ?=
# The folder of the data sets that docs/models.md names, and for example
# FIGURES_FLAGS="--only jsb-chorales".
DATA ?= data
FIGURES_FLAGS ?=
PORT ?= 8000

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# What checks the page. npm leaves a list of what it has installed; Node.js comes with the environment.
PAGE := tests/page
PAGE_READY := $(PAGE)/node_modules/.package-lock.json

.DEFAULT_GOAL := help
.PHONY: help setup models run test page-tools page-types containers variety check format bench bench-peers bench-growth compare figures soak docs pictures clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## Make the environment in .venv with pinned dependencies

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Gatewise needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_FLAGS) --constraint constraints.txt --editable '.[train,dev]'
	@touch $@

models: setup ## Train the demo models that the repository lacks (under 3 minutes)
	$(BIN)/python -m model_export demos --repository $(REPOSITORY)

run: models ## Train what is missing and serve it on port 8000
	$(BIN)/python -m service --repository $(REPOSITORY) --port $(PORT) --log-format console

$(PAGE_READY): $(READY) $(PAGE)/package.json $(PAGE)/package-lock.json
	$(BIN)/python -m tests.page.tools npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

page-tools: $(PAGE_READY) ## Install what checks the page (TypeScript, axe-core), from npm

page-types: page-tools ## Check the types of the page's modules
	$(BIN)/python -m tests.page.tools tsc

test: models page-tools ## Run all tests on all cores; says at the end what it left out and how to add it
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

containers: models ## Build the images and break the compose stacks under load (needs a running Docker; about 9 minutes)
	$(BIN)/python -m pytest tests/containers

variety: setup ## Import files of torch's exporters, of Keras 3 and by hand, and hold every step against them (about 20 minutes)
	$(BIN)/python -m pytest tests/variety

check: models ## What CI runs: format, lint, types (of the page too), import rules, and the tests as `make test`
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(MAKE) page-types
	$(MAKE) test

format: setup ## Format the code and sort imports
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## Measure every figure of the design beside its target: a table, JSON and a picture
	$(BIN)/python -m benchmarks $(BENCH_FLAGS)

bench-peers: setup ## Make the environments of the servers to compare with (2 GB, in .peers)
	$(BIN)/python -m benchmarks.peers.setup

bench-growth: setup ## Measure how figures grow with sessions, time steps, width and connections
	$(BIN)/python -m benchmarks.growth $(BENCH_FLAGS)

compare: setup ## Compare a plain RNN, an LSTM and a GRU on problems that need memory (about an hour; resumes)
	$(BIN)/python -m model_export compare $(COMPARE_FLAGS)
figures: setup ## Train by every recipe in recipes/ on the public data in DATA, and keep scores, curves and pictures
	$(BIN)/python -m benchmarks.figures $(DATA) $(FIGURES_FLAGS)

soak: setup ## Break Redis and services under load for minutes: nothing lost, nothing twice; prints figures
	$(BIN)/python -m tests.faults.soak $(SOAK_FLAGS)

docs: setup ## Write the generated parts of the documentation anew
	$(BIN)/python -m docs.settings_table

pictures: models ## Take the README's picture of the page anew, in Chromium
	$(BIN)/python -m tests.browser.pictures

clean: ## Remove the environment and caches; models and sessions stay
	rm -rf $(VENV) $(PAGE)/node_modules .mypy_cache .ruff_cache .hypothesis build *.egg-info

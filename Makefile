# `make` alone shows what there is. Everything lives in .venv and .cache; remove them to start over.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3.11
VENV := .venv
PY := $(VENV)/bin/python
CACHE := $(or $(CDP_CACHE),.cache)
SCHEDULERS := $(CACHE)/schedulers/airflow/.installed $(CACHE)/schedulers/dagster/.installed
# Compiled modules and rewritten tests are kept even where the machine's environment says not to: compiling them anew
# would cost every process that parses or tests, and every `cdp` that a test starts, seconds.
KEEPING := PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(abspath $(CACHE))/bytecode
PYTEST := $(KEEPING) $(PY) -m pytest
# The fast tests make and remove thousands of small files: in memory, where there is room for them (1 GiB), that takes a
# tenth of their time less.
MEMORY := $(shell test -w /dev/shm && df --output=avail -k /dev/shm 2>/dev/null | awk 'NR == 2 && $$1 > 1048576 { print "/dev/shm" }')
PIP := $(PY) -m pip --disable-pip-version-check --quiet

PEOPLE ?= 20000
DAYS ?= 90
SERVE ?= 1
POINTS ?= 40

.PHONY: help install check test-fast test test-orchestration demo bench sweep golden lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

install: $(VENV)/.installed $(CACHE)/jars/.verified ## Set up .venv with the pinned packages and fetch the Delta jars

$(VENV)/.machine: pipelines/setup/java.py
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed. Install it with: sudo apt-get install python3.11 python3.11-venv" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "$(PYTHON) is not Python 3.11. Install it with: sudo apt-get install python3.11 python3.11-venv (or set PYTHON=...)" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make environments. Install: sudo apt-get install python3.11-venv" >&2; exit 2; }
	@$(PYTHON) -B -m pipelines.setup.java >/dev/null
	@mkdir -p $(VENV) && touch $@

$(VENV)/.packages: requirements.lock $(VENV)/.machine
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages of requirements.lock (a few minutes the first time) ..."
	@$(PIP) install --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.packages
	@$(PIP) install --no-deps -e .
	@touch $@

$(CACHE)/jars/.verified: pipelines/setup/jars.sha256 $(VENV)/.packages
	@$(PY) -m pipelines.setup.jars
	@touch $@

check: install ## Lint, format and type checks
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

test-fast: install ## Tests that start no JVM, about a minute
	@PYTEST_DEBUG_TEMPROOT=$(MEMORY) $(PYTEST) -n 2 --dist worksteal -m "not spark and not e2e and not orchestration"

test: test-fast check $(SCHEDULERS) ## Everything: set-up, checks and all tests
	@$(PYTEST) -n 2 --dist loadfile -m "e2e and not spark and not orchestration"
	@$(PYTEST) -m "spark or orchestration"

$(CACHE)/schedulers/%/.installed: tests/orchestration/%.lock $(VENV)/.machine
	@rm -rf $(@D) && $(PYTHON) -m venv $(@D)
	@echo "Installing $* into an environment of its own ..."
	@$(@D)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r $<
	@touch $@

test-orchestration: install $(SCHEDULERS) ## The exported schedules in real Airflow and Dagster
	@$(PYTEST) -m orchestration

demo: install ## A made-up brand from raw answers to the console [PEOPLE=20000] [DAYS=90] [SERVE=0]
	@$(KEEPING) $(VENV)/bin/cdp demo --people $(PEOPLE) --days $(DAYS) $(if $(filter 0,$(SERVE)),--no-serve,--serve)

$(CACHE)/peers/.installed: bench/peers.txt $(VENV)/.packages
	@rm -rf $(CACHE)/peers
	@$(PIP) install --no-deps --target $(CACHE)/peers -r bench/peers.txt
	@$(PIP) install --no-deps --target $(CACHE)/peers/splink4 splink==4.0.17
	@touch $@

bench: install $(CACHE)/peers/.installed ## Measure: every program of bench/, or one with ONLY=name
	@for program in $(if $(ONLY),bench/$(ONLY).py,$(filter-out bench/sweep.py,$(wildcard bench/[a-z]*.py))); do $(KEEPING) $(PY) -m bench.$$(basename $$program .py); done

sweep: install ## Kill a run at many points and compare with an undisturbed one, 45 minutes [POINTS=40]
	@$(KEEPING) $(PY) -m bench.sweep --points $(POINTS) --out docs/crash-sweep.md

golden: install ## Rewrite golden files and generated documentation; review the difference
	@$(PY) -m pipelines.setup.docs
	@$(PYTEST) --golden -m "not spark and not e2e and not orchestration" -q

lock: ## Pin requirements.in and those of the schedulers anew into their lock files
	@test -x $(CACHE)/tools/bin/uv || { $(PYTHON) -m venv $(CACHE)/tools && $(CACHE)/tools/bin/pip install --quiet uv; }
	@for file in requirements tests/orchestration/airflow tests/orchestration/dagster; do $(CACHE)/tools/bin/uv pip compile $$file.in --generate-hashes --no-emit-index-url --python-version 3.11 -o $$file.lock --quiet; done

clean: ## Remove what the tools left behind; .venv, .cache and data stay
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis spark-warehouse metastore_db derby.log
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

# Every command of the README. Nothing but Python >= 3.11, make and a registry is needed.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ifneq ($(wildcard ../shared/data),)
export LINGOME_DATA ?= $(abspath ../shared/data)
endif

.PHONY: install demo test check bench docs clean

install: $(VENV)/.core

demo: $(VENV)/.core
	$(BIN)/lingome demo --force

test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests src --ignore=tests/docs -n 2

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/tokens.py
	$(BIN)/python benchmarks/engine.py

docs: $(VENV)/.dev
	$(BIN)/python -m sphinx -q -W -b html docs docs/_build
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/docs -n 2

clean:
	rm -rf $(VENV) runs docs/_build

# torch comes first and pinned: an open range would take a newer build with gigabytes of CUDA packages.
$(VENV)/.core: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "lingome needs Python 3.11 or newer; call make PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -c constraints.txt torch
	$(PIP) install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.core
	$(PIP) install --quiet -c constraints.txt -e ".[dev]"
	touch $@

$(VENV)/.bench: $(VENV)/.core
	$(PIP) install --quiet -c constraints.txt -e ".[bench]"
	touch $@

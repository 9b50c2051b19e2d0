# make train   train on the bundled corpus        make test   lint, types, tests
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: train test test-all test-slow fuzz docs lint format lock audit clean

train: $(VENV)/.train
	$(BIN)/python train.py

test: lint
	$(BIN)/python -m pytest -n auto --dist loadscope -m "not extended and not slow"

# what `make test` leaves out: installed wheels, Ray, many processes, a browser, sweeps, killed runs, scripts
test-all: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist loadscope -m "extended and not slow"

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow

# all readers, tokenizers, tag.py and the report, 100,000 inputs each, fewer where they are slow; an hour or two on a core
fuzz: $(VENV)/.dev
	$(PIP) --editable '.[train,dev,fuzz]'
	$(BIN)/python -m tests.fuzz.fuzzer

# the pages of docs/ and the reference, as a site in build/site
docs: $(VENV)/.dev
	$(PIP) --editable '.[train,dev,docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy tagger

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# torch goes first: whatever is installed after it finds its requirement met
$(VENV)/.train: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) --editable '.[train]'
	touch $@

$(VENV)/.dev: $(VENV)/.train
	$(PIP) --editable '.[train,dev]'
	touch $@

# a fresh lock from the newest versions that pyproject.toml allows; torch stays as it is
lock:
	sh scripts/lock.sh

# the locked packages looked up in the list of known vulnerabilities; needs a network
audit:
	sh scripts/audit.sh

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# houseprice: everything a person types. `make` alone shows the list.
#
# Needs Python 3.11 or newer and make, and nothing else: packages go into .venv, beside this file.
# Another Python: make run PYTHON=/path/to/python3.12          Another port: make run PORT=9000

# The first Python that is new enough and can make virtual environments; empty when there is none.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo "$$p"; break; }; done)

CASES ?= 2000

# All tests, on as many cores as tests/conftest.py finds room for. A file stays in one process, as
# its fixtures do, and files keep their order: those that drive a browser come last.
SIDE_BY_SIDE ?= --numprocesses=auto --dist=loadfile --no-loadscope-reorder

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" pyproject.toml

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run train evaluate benchmark screenshots test fuzz lint format lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

run: .venv/.installed  ## start the app and print its address (PORT=8501 unless told otherwise)
	@$(BIN)/python -m houseprice app

train: .venv/.installed  ## train a model on the market's sales and make it the one in use
	@$(BIN)/python -m houseprice train

evaluate: .venv/.installed  ## measure how close the values come on sales the model has not seen
	@$(BIN)/python -m houseprice evaluate

benchmark: .venv/.installed-test  ## measure the speed that a person feels
	@for script in benchmarks/*.py; do $(BIN)/python "$$script" || exit 1; done

screenshots: .venv/.installed-test  ## take the pictures of the README anew (needs Chromium)
	@$(BIN)/python docs/pictures.py

test: lint  ## check style, types and floors, then run every test
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) --cov --cov-report=term

fuzz: .venv/.installed-test  ## break tables and files in new ways for some minutes (CASES=2000 a test)
	FUZZ_CASES=$(CASES) $(BIN)/python -m pytest tests/fuzz

lint: .venv/.installed-test  ## check style, types and floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: .venv/.installed-test  ## put the code into its one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(BIN)/python  ## pin the newest allowed packages into the requirements files
	$(PIP) install uv
	$(COMPILE) --upgrade --extra api --extra sign --output-file requirements.txt
	$(COMPILE) --upgrade --extra test --constraint requirements.txt --output-file requirements-dev.txt

clean:  ## remove what was made here: .venv, caches and test results (trained models stay)
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	rm -rf .coverage coverage.xml htmlcov test-results dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than the requirements that it stands for: packages are installed when they change.
.venv/.installed: requirements.txt | $(BIN)/python
	@echo "Installing the packages that the app needs (once, a minute or two) ..."
	$(PIP) install --requirement requirements.txt
	$(PIP) install --no-deps --editable .
	@touch $@

.venv/.installed-test: requirements-dev.txt | $(BIN)/python
	@echo "Installing the packages that the app and its tests need (once, a minute or two) ..."
	$(PIP) install --requirement requirements-dev.txt
	$(PIP) install --no-deps --editable .
	@touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { \
		echo "houseprice needs Python 3.11 or newer with its venv module, and none was found." >&2; \
		echo "Install it (Debian, Ubuntu: apt-get install python3 python3-venv) or name it:" >&2; \
		echo "    make run PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "houseprice needs Python 3.11 or newer; $(PYTHON) is older or does not start." >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) lacks its venv module (Debian, Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	"$(PYTHON)" -m venv .venv

# houseprice: everything a person types. `make` alone shows the list.
#
# Needs Python 3.11 or newer and make, and nothing else: packages go into .venv, beside this file.
# Another Python: make run PYTHON=/path/to/python3.12          Another port: make run PORT=9000

# The first Python that is new enough and can make virtual environments; empty when there is none.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo "$$p"; break; }; done)

CASES ?= 2000
DIST ?= dist
HEROKU_GIT ?= https://git.heroku.com
PROGRAMS := caddy chromium curl fonts-dejavu-core prometheus systemd

# Tests run on as many cores as tests/conftest.py allows. A file stays in one process, because its
# fixtures do, and files keep their order: those that use a browser come last.
PARALLEL ?= --numprocesses=auto --dist=loadfile --no-loadscope-reorder

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" pyproject.toml

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run train evaluate benchmark screenshots test test-release fuzz lint format tox dist publish gate audit sbom \
	tagged deploy machine lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

run: .venv/.installed  ## start the app and print its address (PORT=8501 unless told otherwise)
	@$(BIN)/python -m houseprice app

train: .venv/.installed  ## train a model on the market's sales and make it the one in use
	@$(BIN)/python -m houseprice train

evaluate: .venv/.installed  ## measure how close the values come on sales the model has not seen
	@$(BIN)/python -m houseprice evaluate

gate: .venv/.installed  ## hold the model to its market's limits and to the version in use; fail if it is worse
	@$(BIN)/python -m houseprice evaluate --gate

benchmark: .venv/.installed-test  ## measure the speed that a person feels
	@for script in benchmarks/*.py; do $(BIN)/python "$$script" || exit 1; done

screenshots: .venv/.installed-test  ## take the pictures of the README anew (needs Chromium)
	@$(BIN)/python docs/pictures.py

test: lint  ## check style, types and imports, then test the product: units, pages, contract, browser
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term

test-release: .venv/.installed-test  ## test what is shipped: wheel, image, deployment files, pipelines, docs
	$(BIN)/python -m pytest $(PARALLEL) tests/release

fuzz: .venv/.installed-test  ## run the property tests on more random inputs (CASES=2000 for each test)
	FUZZ_CASES=$(CASES) $(BIN)/python -m pytest tests/fuzz

lint: .venv/.installed-test  ## check style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: .venv/.installed-test  ## put the code into its one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

tox: .venv/.installed-test  ## test the built package on every Python that is here (ENV=py312: on one)
	$(BIN)/tox run --skip-missing-interpreters $(if $(CI),false,true) $(if $(ENV),-e $(ENV)) \
		$(if $(BUILT),--installpkg $(wildcard $(DIST)/houseprice-*.whl))

dist: .venv/.installed-test  ## build the wheel and the sdist into dist/ and check them
	rm -f $(DIST)/houseprice-*.whl $(DIST)/houseprice-*.tar.gz
	$(BIN)/python -m build --installer=uv --outdir $(DIST) .
	$(BIN)/python -m twine check --strict $(DIST)/*.whl $(DIST)/*.tar.gz

# Where to and as whom is never in a file: an index asks for an address, a name and a password.
publish: .venv/.installed-test  ## send dist/ to the package index that TWINE_REPOSITORY_URL names
	@for name in TWINE_REPOSITORY_URL TWINE_USERNAME TWINE_PASSWORD; do \
		test -n "$$(printenv $$name)" || { \
			echo "Set TWINE_REPOSITORY_URL, TWINE_USERNAME and TWINE_PASSWORD first: $$name is not set." >&2; \
			exit 1; }; \
	done
	@ls $(DIST)/houseprice-*.whl $(DIST)/houseprice-*.tar.gz >/dev/null 2>&1 || { \
		echo "There is nothing to publish in $(DIST)/: run make dist first." >&2; exit 1; }
	@$(BIN)/python -m twine upload --non-interactive --disable-progress-bar \
		$(DIST)/houseprice-*.whl $(DIST)/houseprice-*.tar.gz

# Last, and beside what it needs no network for: a mirror without advisories fails it.
audit: .venv/.installed-test  ## look for risky calls, licences that ask too much, and known faults of packages
	$(BIN)/bandit --quiet --recursive houseprice --configfile audit/bandit.yaml
	$(BIN)/python audit/licences.py api cluster kaggle sign
	$(BIN)/python audit/advisories.py requirements.txt

# What comes with the wheel is listed from an environment that holds nothing else.
sbom: .venv/.installed-test  ## list what the wheel in dist/ brings, beside it (CycloneDX)
	@ls $(DIST)/houseprice-*.whl >/dev/null 2>&1 || { \
		echo "There is no wheel in $(DIST)/ to list: run make dist first." >&2; exit 1; }
	@rm -rf $(DIST)/.sbom
	@$(BIN)/uv venv --quiet --python $(BIN)/python $(DIST)/.sbom
	@$(BIN)/uv pip install --quiet --python $(DIST)/.sbom/bin/python --constraint requirements.txt \
		"$$(ls $(DIST)/houseprice-*.whl)[api,sign]"
	@$(BIN)/python audit/sbom.py $(DIST)/houseprice-*.whl $(DIST)/.sbom/bin/python
	@rm -rf $(DIST)/.sbom

tagged:  ## check that the tag of a release (TAG=v1.2.3) names this version
	@tag="$${TAG:-$${CIRCLE_TAG:-$$GITHUB_REF_NAME}}"; \
	version="v$$(sed -n 's/^__version__ = "\(.*\)"$$/\1/p' houseprice/__init__.py)"; \
	test "$$tag" = "$$version" || { \
		echo "The tag is '$$tag' and this is $$version: houseprice/__init__.py names the version." >&2; exit 1; }

# The key goes to git by its own way of asking, so that it stands in no address and in no log.
deploy:  ## send this commit to Heroku: HEROKU_APP, HEROKU_API_KEY (OPTIONAL=1: or do nothing)
	@for name in HEROKU_APP HEROKU_API_KEY; do \
		test -n "$$(printenv $$name)" || { \
			echo "Nothing was deployed: HEROKU_APP and HEROKU_API_KEY say where to, and $$name is not set." >&2; \
			exit $(if $(OPTIONAL),0,1); }; \
	done; \
	git -c credential.helper= \
		-c credential.helper='!f() { echo username=heroku; echo "password=$$HEROKU_API_KEY"; }; f' \
		push "$(HEROKU_GIT)/$$HEROKU_APP.git" HEAD:refs/heads/main

# Debian starts the services that it installs, unless this file says no.
POLICY := /usr/sbin/policy-rc.d
machine:  ## install the programs that the tests drive (Debian 12, as root)
	@if [ ! -e $(POLICY) ]; then \
		trap 'rm -f $(POLICY)' EXIT; \
		printf '#!/bin/sh\nexit 101\n' >$(POLICY); chmod +x $(POLICY); \
	fi; \
	apt-get update --quiet=2 </dev/null && \
	apt-get install --yes --quiet=2 --no-install-recommends $(PROGRAMS) </dev/null >/dev/null

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

# houseprice: all commands of development and release. `make` alone lists them.
#
# Needs only make and Python 3.11 or newer. Packages are installed into .venv next to this file.
# Another Python: make run PYTHON=/path/to/python3.12          Another port: make run PORT=9000

# The first Python that is new enough and has the venv module; empty if there is none.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo "$$p"; break; }; done)

CASES ?= 2000
DIST ?= dist
HEROKU_GIT ?= https://git.heroku.com
PROGRAMS := caddy chromium curl fonts-dejavu-core postgresql prometheus systemd

# Tests use as many cores as tests/conftest.py allows. Each file runs in one process, because its
# fixtures are shared, and files run in order: browser tests come last.
PARALLEL ?= --numprocesses=auto --dist=loadfile --no-loadscope-reorder

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
POSTGRESQL := import sys, tomllib; \
	print(*tomllib.load(sys.stdin.buffer)["project"]["optional-dependencies"]["postgresql"], sep="\n")

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run train evaluate benchmark screenshots test test-release fuzz lint format tox dist publish gate audit sbom \
	tagged deploy machine lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

run: .venv/.installed  ## start the app and print its address (default: PORT=8501)
	@$(BIN)/python -m houseprice app

train: .venv/.installed  ## train a model on the market's sales and activate it
	@$(BIN)/python -m houseprice train

evaluate: .venv/.installed  ## measure the accuracy of the model on held-out sales
	@$(BIN)/python -m houseprice evaluate

gate: .venv/.installed  ## check the model against its market's limits and the active version; fail if it is worse
	@$(BIN)/python -m houseprice evaluate --gate

benchmark: .venv/.installed-test  ## measure speed: model, files, API, pages
	@for script in benchmarks/*.py; do $(BIN)/python "$$script" || exit 1; done

screenshots: .venv/.installed-test  ## update the screenshots of the README (needs Chromium)
	@$(BIN)/python docs/pictures.py

test: lint  ## check style, types and imports, then test the product: units, pages, contract, browser
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term

test-release: .venv/.installed-test  ## test the release: wheel, image, deployment files, pipelines, docs
	$(BIN)/python -m pytest $(PARALLEL) tests/release

fuzz: .venv/.installed-test  ## run the property tests on more random inputs (CASES=2000 per test)
	FUZZ_CASES=$(CASES) $(BIN)/python -m pytest tests/fuzz

lint: .venv/.installed-test  ## check style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: .venv/.installed-test  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

tox: .venv/.installed-test  ## test the built package on each installed Python (ENV=py312: on one)
	$(BIN)/tox run --skip-missing-interpreters $(if $(CI),false,true) $(if $(ENV),-e $(ENV)) \
		$(if $(BUILT),--installpkg $(wildcard $(DIST)/houseprice-*.whl))

dist: .venv/.installed-test  ## build the wheel and the sdist into dist/ and check them
	rm -f $(DIST)/houseprice-*.whl $(DIST)/houseprice-*.tar.gz
	$(BIN)/python -m build --installer=uv --outdir $(DIST) .
	$(BIN)/python -m twine check --strict $(DIST)/*.whl $(DIST)/*.tar.gz

# The URL of the index, user name and password come from the environment, never from a file.
publish: .venv/.installed-test  ## upload dist/ to the package index at TWINE_REPOSITORY_URL
	@for name in TWINE_REPOSITORY_URL TWINE_USERNAME TWINE_PASSWORD; do \
		test -n "$$(printenv $$name)" || { \
			echo "Set TWINE_REPOSITORY_URL, TWINE_USERNAME and TWINE_PASSWORD first: $$name is not set." >&2; \
			exit 1; }; \
	done
	@ls $(DIST)/houseprice-*.whl $(DIST)/houseprice-*.tar.gz >/dev/null 2>&1 || { \
		echo "There is nothing to publish in $(DIST)/: run make dist first." >&2; exit 1; }
	@$(BIN)/python -m twine upload --non-interactive --disable-progress-bar \
		$(DIST)/houseprice-*.whl $(DIST)/houseprice-*.tar.gz

# Advisories come last, as only they need a network; a mirror without advisories fails.
audit: .venv/.installed-test  ## check for risky calls, licences that are not permissive, and known vulnerabilities
	$(BIN)/bandit --quiet --recursive houseprice --configfile audit/bandit.yaml
	$(BIN)/python audit/licences.py api auth cluster kaggle sign
	$(BIN)/python audit/advisories.py requirements.txt
	$(BIN)/python audit/advisories.py requirements-postgresql.txt

# The dependencies are listed from an environment that holds only the wheel and them.
sbom: .venv/.installed-test  ## write the bill of materials of the wheel in dist/ (CycloneDX)
	@ls $(DIST)/houseprice-*.whl >/dev/null 2>&1 || { \
		echo "There is no wheel in $(DIST)/ to list: run make dist first." >&2; exit 1; }
	@rm -rf $(DIST)/.sbom
	@$(BIN)/uv venv --quiet --python $(BIN)/python $(DIST)/.sbom
	@$(BIN)/uv pip install --quiet --python $(DIST)/.sbom/bin/python --constraint requirements.txt \
		"$$(ls $(DIST)/houseprice-*.whl)[api,auth,sign]"
	@$(BIN)/python audit/sbom.py $(DIST)/houseprice-*.whl $(DIST)/.sbom/bin/python
	@rm -rf $(DIST)/.sbom

tagged:  ## check that the release tag (TAG=v1.2.3) matches the version
	@tag="$${TAG:-$${CIRCLE_TAG:-$$GITHUB_REF_NAME}}"; \
	version="v$$(sed -n 's/^__version__ = "\(.*\)"$$/\1/p' houseprice/__init__.py)"; \
	test "$$tag" = "$$version" || { \
		echo "The tag is '$$tag' and this is $$version: houseprice/__init__.py names the version." >&2; exit 1; }

# git reads the key through a credential helper, so that it appears in no URL and in no log.
deploy:  ## push this commit to Heroku: HEROKU_APP, HEROKU_API_KEY (OPTIONAL=1: skip if unset)
	@for name in HEROKU_APP HEROKU_API_KEY; do \
		test -n "$$(printenv $$name)" || { \
			echo "Nothing was deployed: $$name is not set (HEROKU_APP and HEROKU_API_KEY are needed)." >&2; \
			exit $(if $(OPTIONAL),0,1); }; \
	done; \
	git -c credential.helper= \
		-c credential.helper='!f() { echo username=heroku; echo "password=$$HEROKU_API_KEY"; }; f' \
		push "$(HEROKU_GIT)/$$HEROKU_APP.git" HEAD:refs/heads/main

# Debian starts the services that it installs, unless this file forbids it.
POLICY := /usr/sbin/policy-rc.d
machine:  ## install the programs that the tests need (Debian 12, as root)
	@if [ ! -e $(POLICY) ]; then \
		trap 'rm -f $(POLICY)' EXIT; \
		printf '#!/bin/sh\nexit 101\n' >$(POLICY); chmod +x $(POLICY); \
	fi; \
	apt-get update --quiet=2 </dev/null && \
	apt-get install --yes --quiet=2 --no-install-recommends $(PROGRAMS) </dev/null >/dev/null

lock: $(BIN)/python  ## pin the newest allowed packages, with checksums, into the requirements files
	$(PIP) install uv
	$(COMPILE) pyproject.toml --upgrade --extra api --extra auth --extra sign --output-file requirements.txt
	$(BIN)/python -c '$(POSTGRESQL)' <pyproject.toml | \
		$(COMPILE) - --upgrade --constraint requirements.txt --output-file requirements-postgresql.txt
	$(COMPILE) pyproject.toml --upgrade --extra test --constraint requirements.txt --output-file requirements-dev.txt

clean:  ## remove .venv, caches, test results and build/dist (not trained models)
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	rm -rf .coverage coverage.xml htmlcov test-results dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Packages are installed again when the requirements are newer than the stamp file.
.venv/.installed: requirements.txt | $(BIN)/python
	@echo "Installing the packages that the app needs (once, a minute or two) ..."
	$(PIP) install --require-hashes --requirement requirements.txt
	$(PIP) install --no-deps --editable .
	@touch $@

.venv/.installed-test: requirements-dev.txt | $(BIN)/python
	@echo "Installing the packages that the app and its tests need (once, a minute or two) ..."
	$(PIP) install --require-hashes --requirement requirements-dev.txt
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

# Two commands do all the set-up: `make run` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(HOME)/.local/bin:$(PATH)
# Byte code is cached whatever the shell says: starting Dagster without it takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run ui test test-fast check bench mutants lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# The environment is one stamp file: it is rebuilt when the lock changes, and only then.
.venv/.stamp: requirements.lock pyproject.toml
	@command -v uv >/dev/null || $(PYTHON) -m pip install --quiet --user uv 2>/dev/null || \
		($(PYTHON) -m venv .venv/bootstrap && .venv/bootstrap/bin/pip install --quiet uv)
	@UV=$$(command -v uv || echo .venv/bootstrap/bin/uv); \
		test -x $(BIN)/python || $$UV venv --quiet --allow-existing --python $(PYTHON) .venv; \
		$$UV pip sync --quiet --python $(BIN)/python requirements.lock && \
		$$UV pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

run: .venv/.stamp ## Set up, then run the daily pipeline to audited paper orders
	@$(BIN)/tidemill run daily

ui: .venv/.stamp ## Open the Dagster webserver and daemon on http://127.0.0.1:3000
	@$(BIN)/tidemill ui

test: .venv/.stamp check ## Set up, then pass every check and test
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile

test-fast: .venv/.stamp ## The tests that answer in seconds
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow and not ui"

check: .venv/.stamp ## Lint, types and import rules
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: .venv/.stamp ## Measure what docs/performance.md reports
	@$(BIN)/python -m benchmarks.run

# Not among the dependencies: it needs a few packages of its own, and nothing else needs it.
MUTMUT := uv tool run --from mutmut==3.8.1 --with pytest --with pytest-socket --with pytest-timeout \
	--with pytest-xdist --with hypothesis --with polars --with numpy --with annotated-types mutmut

mutants: ## Change the risk gate in every small way, and list the changes that no test notices
	@rm -rf mutants && $(MUTMUT) run --max-children 2 && $(MUTMUT) results

lock: ## Compile requirements.lock anew from pyproject.toml
	@uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --group dev pyproject.toml -o requirements.lock

clean: ## Remove the environment and everything under var/
	@rm -rf .venv var mutants

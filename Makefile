# The habits of this house. `make run` and `make test` need nothing but Python 3.11+, git and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run test check bench bench-check snapshot fmt lock clean

help: ## List what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.run: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

run: $(VENV)/.run ## Serve on http://127.0.0.1:5210 with the embedded PostgreSQL
	$(BIN)/quarry serve

test: $(VENV)/.dev ## Install what the tests need and run all of them
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev ## Linters, types, SQL, migrations, documentation
	$(BIN)/ruff check service tests bench
	$(BIN)/ruff format --check service tests bench
	$(BIN)/mypy
	$(BIN)/python -m tests.support.check

$(VENV)/.bench: requirements-bench.lock $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@touch $@

bench: $(VENV)/.bench ## Measure beside FastAPI + SQLAlchemy, Starlette + asyncpg and pgbench (wants wrk)
	$(BIN)/python -m bench $(ARGS)

bench-check: $(VENV)/.bench ## Measure, and fail when a ratio is 15 % worse than the baseline's
	$(BIN)/python -m bench --check $(ARGS)

snapshot: $(VENV)/.dev ## Write sql/contract.json and the stubs of the query tree anew
	$(BIN)/quarry sql snapshot
	$(BIN)/quarry sql stubs

fmt: $(VENV)/.dev ## Format the Python
	$(BIN)/ruff format service tests bench
	$(BIN)/ruff check --fix service tests bench

lock: $(VENV)/.dev ## Resolve the dependencies anew
	$(BIN)/uv pip compile -q pyproject.toml --extra embedded --group build --universal --python-version 3.11 --generate-hashes --no-header -o requirements.lock
	$(BIN)/uv pip compile -q pyproject.toml --extra embedded --group build --group dev -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-header -o requirements-dev.lock
	$(BIN)/uv pip compile -q --group bench -c requirements-dev.lock --universal --python-version 3.11 --generate-hashes --no-header -o requirements-bench.lock

clean: ## Remove the virtual environment (not the data)
	rm -rf $(VENV)

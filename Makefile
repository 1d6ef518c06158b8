# Needs Python 3.11+, git and make; everything else is installed into .venv from requirements/dev.txt.
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

VENV ?= .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
# Tests often wait for servers: four files at a time. Each runner has servers of its own. In the order of their names
# the short ones come last; by their number of tests the longest would, and the other runners would wait for it.
JOBS ?= 4
PYTEST := $(PY) -m pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder
# Tests start hundreds of processes: none compiles again what another has, whatever the machine prefers.
export PYTHONDONTWRITEBYTECODE :=
STAMP := $(VENV)/.installed
ARGS ?=

step = @printf '\033[1m== %s\033[0m\n' "$(1)"

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- set up and run ---------------------------------------------------------------------------------------------------

.PHONY: install demo up
install: $(STAMP) ## Create .venv from the lock file (PYTHON=... chooses the interpreter)
	@:

$(STAMP): requirements/dev.txt pyproject.toml scripts/install scripts/find-python
	@scripts/install $(VENV)
	@touch $@

demo: install ## Run a mixed load on real embedded servers, check the totals, stop
	@$(BIN)/scheduler demo $(ARGS)

up: install ## Serve until Ctrl-C: embedded servers, api, worker and reaper
	@$(BIN)/scheduler up $(ARGS)

.PHONY: api worker reaper migrate
api: install ## Run an api on the servers that the environment names
	@$(BIN)/scheduler api $(ARGS)

worker: install ## Run a worker on them
	@$(BIN)/scheduler worker $(ARGS)

reaper: install ## Run a reaper on them
	@$(BIN)/scheduler reaper $(ARGS)

migrate: install ## Bring the schema of their database up to date
	@$(BIN)/scheduler migrate $(ARGS)

# --- the stack of deploy/compose, with Docker --------------------------------------------------------------------------

.PHONY: dev setup status logs teardown
dev: ## Start everything in containers (docs/deployment.md)
	@scripts/compose up --build --detach --wait
	@scripts/compose ps

setup: install ## Start CockroachDB and Redis alone, for make api and make worker
	@scripts/compose up --detach --wait redis
	@scripts/compose run --rm cockroach-init
	@$(BIN)/scheduler migrate

status: ## Show the containers
	@scripts/compose ps --all

logs: ## Follow the logs (SERVICE=worker)
	@scripts/compose logs --follow --tail 100 $(SERVICE)

teardown: ## Remove the containers and their data
	@scripts/compose --profile cluster down --volumes --remove-orphans

# --- check and test ---------------------------------------------------------------------------------------------------

.PHONY: test check static lint types layers contract unit simulate
test: static ## Run every check, then all tests on real servers
	$(call step,all tests)
	@$(PYTEST) $(ARGS)

check: static unit ## Run every check and the tests that need no server

static: lint types layers contract

lint: install ## Check format and style (ruff)
	$(call step,lint)
	@$(BIN)/ruff format --check --quiet || { echo "run: make format" >&2; exit 1; }
	@$(BIN)/ruff check --quiet

types: install ## Check types (mypy --strict)
	$(call step,types)
	@$(BIN)/mypy --no-error-summary

layers: install ## Check the architecture (import-linter)
	$(call step,layers)
	@$(BIN)/lint-imports --no-cache --no-logo

contract: install ## Check the wire contract: generated code, lint, breaking changes
	$(call step,contract)
	@$(PY) scripts/generate_proto.py --check
	@$(BIN)/buf lint
	@$(BIN)/buf breaking --against proto/baseline/original
	@$(BIN)/buf breaking --against proto/baseline/released.txtpb

unit: install ## Run the tests that need no server
	$(call step,tests without servers)
	@$(PYTEST) -m "not servers and not containers" $(ARGS)

simulate: install ## Simulate thousands of runs with faults (SEEDS=5000 FIRST=0)
	@$(PY) -m tests.simulation --seeds $(or $(SEEDS),2000) --first $(or $(FIRST),0) $(ARGS)

.PHONY: mutate chaos
mutate: install ## Take out one condition of SQL and Lua at a time and name the suite that fails (ONLY=claim.lua, ARGS=--list)
	@$(PY) -m tests.mutation $(if $(ONLY),--only "$(ONLY)") $(ARGS)

MINUTES ?= 5
chaos: install ## Kill, stop, cut and flush under load, then prove that nothing is lost (SEED=, MINUTES=, ISOLATION=serializable, POOLER=1)
	@$(PY) -m tests.chaos $(if $(SEED),--seed $(SEED)) --minutes $(MINUTES) $(if $(ISOLATION),--isolation "$(ISOLATION)") $(if $(POOLER),--pooler) $(ARGS)

.PHONY: measure-faults
measure-faults: install ## Cause each fault of docs/reliability.md once and print how long its recovery took
	@$(PY) -m pytest -q -s tests/failures | grep -o 'measured: .*\|^FAILED.*\|[0-9]* passed.*\|[0-9]* failed.*'

# --- change -----------------------------------------------------------------------------------------------------------

.PHONY: format proto dashboards lock bench bench-quick footprint clean distclean
format: install ## Format the code and apply safe fixes
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format --quiet

proto: install ## Generate the Python code of the wire contract
	@$(PY) scripts/generate_proto.py

dashboards: install ## Generate Grafana's dashboards from deploy/grafana/sources
	@$(PY) scripts/generate_dashboards.py

lock: install ## Resolve pyproject.toml into requirements/*.txt (ARGS=--upgrade for the newest)
	@scripts/lock $(VENV) $(ARGS)

bench: install ## Measure throughput and latency
	@$(PY) -m bench $(ARGS)

bench-quick: install ## Measure the main figures in about a minute
	@$(PY) -m bench --quick $(ARGS)

footprint: install ## Measure what a job costs: processor time, commits, log, disk, memory
	@$(PY) -m bench --footprint

clean: ## Remove caches and build outputs
	@rm -rf build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove .venv as well
	@rm -rf $(VENV)

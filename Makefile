# The two commands that matter: `make serve` and `make test`. Each makes its environment first.

VENV := $(or $(CODELOOP_VENV),$(CURDIR)/.venv)
export CODELOOP_VENV := $(VENV)
BIN := $(VENV)/bin
# More processes than that would wait for each other's engines and sandboxes; ARGS="-n 0" is one.
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
SOURCES := $(wildcard server evaluator sandbox trainer deploy tests benchmarks)

.DEFAULT_GOAL := help
.PHONY: help serve loop learn test proofs test-fast check format lock clean

help: ## Show this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo '  ARGS="..." is passed on:  make serve ARGS="--port 9000"   make test ARGS="-k streaming"'

serve: ## Serve the default model; the URL, a key and a curl line appear when it is ready
	@sh deploy/setup.sh serve
	@$(BIN)/codeloop serve $(ARGS)

loop: ## Train the default model while users ask it, promote what got better; a quarter of an hour on two cores
	@sh deploy/setup.sh serve
	@$(BIN)/codeloop --config deploy/loop/example_server.toml --home runs/loop loop deploy/loop/example.toml $(ARGS)

learn: ## Prove in ten minutes, on two cores, that the whole training loop learns here
	@sh deploy/setup.sh serve
	@$(BIN)/codeloop train learn $(ARGS)

test: ## Run the tests, several side by side; a quarter of an hour on two cores
	@sh deploy/setup.sh test
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not proof" $(ARGS)

proofs: ## Run the long proofs, which `make test` leaves out
	@sh deploy/setup.sh test
	@$(BIN)/python -m pytest -m proof $(ARGS)

test-fast: ## Run the tests that need no real engine
	@sh deploy/setup.sh test
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow and not proof" $(ARGS)

check: ## Check format, lint and types
	@sh deploy/setup.sh test
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/mypy

format: ## Put the code into the house's format
	@sh deploy/setup.sh test
	@$(BIN)/ruff check --fix-only --quiet $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

lock: ## Resolve the dependencies anew; ARGS="--upgrade" for newer versions
	@sh deploy/lock.sh $(ARGS)

clean: ## Remove the environment and every cache
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# The commands of this project; `make` alone lists them. Steps that were done are not repeated.

BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
UV := .sandbox/uv/bin/uv
UV_COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --no-header --extra otel pyproject.toml
SOURCES := messages worker tests benchmarks deploy examples

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo run test test-cloud test-compose test-long chaos bench batch-100k check format lock schema docs dashboard clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.installed ## set up everything and show requests becoming services and events
	@$(BIN)/vpn-worker demo

run: .venv/.installed ## the same set-up, kept running until Ctrl-C
	@$(BIN)/vpn-worker demo --stay

test: .venv/.installed-dev ## run all tests against a real RabbitMQ; ARGS="-k name" goes to pytest
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-cloud: .venv/.installed-dev ## check a real cloud: CLOUD_URL=https://... ROUTERS="id id"; deletes what it creates
	@test -n "$(CLOUD_URL)" || { echo 'Which cloud? make test-cloud CLOUD_URL=https://vpc.region.example.com' \
		'ROUTERS="router-id router-id" (CLOUD_URL=catalog: the login knows); docs/how-to/clouds.md says how to log in.' >&2; exit 2; }
	@$(BIN)/python -m pytest tests/cloud_contract --timeout 900 --cloud-url "$(CLOUD_URL)" --routers "$(ROUTERS)" $(ARGS)

test-compose: .venv/.installed-dev ## bring docker-compose.yml up on a Docker engine, kill a worker under load, take it down; 2 to 10 minutes
	@$(BIN)/python -m pytest -m compose tests/compose $(ARGS)

test-long: .venv/.installed-dev ## what is too long for `make test`; 6 minutes
	@$(BIN)/python -m pytest -m long -n 3 --dist loadfile $(ARGS)

chaos: .venv/.installed-dev ## 5,000 requests while everything is killed and cut, then an audit of each; 18 minutes
	@CORE_TREE_FAULTS=6 $(BIN)/python -m pytest --quiet tests/core/test_core_model.py
	@ENGINE_MACHINE_EXAMPLES=300 $(BIN)/python -m pytest --quiet tests/test_engine_machine.py
	@$(BIN)/python -m tests.chaos $(ARGS)

bench: .venv/.installed-dev ## API calls for each service, the price of following, where the adaptive limit settles; 25 minutes
	@$(BIN)/python -m benchmarks.adaptive_limit
	@$(BIN)/python -m benchmarks.fair_weather $(ARGS)
	@$(BIN)/python -m benchmarks.following

batch-100k: .venv/.installed-dev ## 100,000 orders from a file to a result, a worker killed twice, checked against the cloud; 25 minutes
	@$(BIN)/python -m benchmarks.batch $(ARGS)

check: .venv/.installed-dev ## format, lint, types and import rules
	@echo "ruff format" && $(BIN)/ruff format --quiet --check $(SOURCES)
	@echo "ruff check" && $(BIN)/ruff check --quiet $(SOURCES)
	@echo "mypy" && $(BIN)/mypy --no-error-summary
	@echo "import-linter" && { said=$$($(BIN)/lint-imports) || { echo "$$said"; exit 1; }; }

format: .venv/.installed-dev ## format the code and repair what ruff can
	@$(BIN)/ruff check --quiet --fix-only $(SOURCES)
	@$(BIN)/ruff format --quiet $(SOURCES)

lock: $(UV) ## write the lock files anew from pyproject.toml
	@$(UV_COMPILE) --group build -o requirements.lock
	@$(UV_COMPILE) --group build --group dev -c requirements.lock -o requirements-dev.lock

schema: .venv/.installed ## write docs/reference/contract anew from the message models
	@$(BIN)/vpn-worker schema --write docs/reference/contract

docs: .venv/.installed ## write what docs/ has from the code anew: settings, commands, events, errors, metrics
	@$(BIN)/python -m worker.cli.reference docs

dashboard: .venv/.installed ## write the Grafana dashboard anew from its rows in deploy/grafana
	@$(BIN)/python -m deploy.grafana.dashboard

clean: ## remove everything these commands made
	@rm -rf .venv .sandbox .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist *.egg-info
	@find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is written after its step, so an interrupted step is done again.
.venv/.made:
	@.ci/venv
	@touch $@

.venv/.installed: .venv/.made requirements.lock pyproject.toml
	@echo "Installing the locked dependencies"
	@$(PIP_INSTALL) --require-hashes -r requirements.lock
	@$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.lock
	@echo "Installing the locked development tools"
	@$(PIP_INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

$(UV): .venv/.made
	@echo "Installing uv, which writes the lock files"
	@rm -rf .sandbox/uv && $(BIN)/python -m venv .sandbox/uv
	@.sandbox/uv/bin/python -m pip install --quiet --disable-pip-version-check uv
	@touch $@

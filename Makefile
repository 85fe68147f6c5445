# The commands of the project. `make demo` and `make test` make the environment when it is missing.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
EVENTS ?= 200000
export DAGSTER_HOME := $(CURDIR)

.PHONY: demo test test-heavy ui lint types docs bench bench-ingest bench-identity clean

demo: $(VENV)/.ready
	@$(BIN)/journeys demo --events $(EVENTS)

test: $(VENV)/.ready
	@$(BIN)/python -m pytest -n 2 --dist worksteal

# What takes minutes: the largest published data set, and the law of any order over whole nights.
test-heavy: $(VENV)/.ready
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m heavy

ui: $(VENV)/.ready
	@JOURNEYS_WORKSPACE=$${JOURNEYS_WORKSPACE:-$(CURDIR)/data/demo} $(BIN)/dagster dev

lint: $(VENV)/.ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/dg check defs

types: $(VENV)/.ready
	@$(BIN)/mypy

docs: $(VENV)/.ready
	@$(BIN)/python -m pipelines.dictionary docs

bench: $(VENV)/.ready
	@$(BIN)/python benchmarks/night.py

bench-ingest: $(VENV)/.ready
	@$(BIN)/python benchmarks/ingest.py

bench-identity: $(VENV)/.ready
	@$(BIN)/python benchmarks/identity_quality.py

# uv when it is there, else venv and pip; the versions of constraints.txt either way.
$(VENV)/.ready: pyproject.toml constraints.txt
	@if command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
		uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[ui,storage,dev]'; \
	else \
		$(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[ui,storage,dev]'; \
	fi
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

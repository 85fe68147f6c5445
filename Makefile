# The commands of the project. `make demo` and `make test` make the environment when it is missing.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
EVENTS ?= 200000
CHROMIUM ?= chromium
AXE_VERSION := 4.14.1
AXE := .browser/node_modules/axe-core/axe.min.js
export DAGSTER_HOME := $(CURDIR)

.PHONY: demo pictures test test-heavy test-laws test-faults test-browser test-cases test-statistics test-spark ui lint types docs
.PHONY: audit bench bench-large bench-night bench-funnel bench-sessions bench-components bench-ingest bench-identity bench-increment bench-spark clean

demo: $(VENV)/.ready
	@$(BIN)/journeys demo --events $(EVENTS)

test: $(VENV)/.ready
	@$(BIN)/python -m pytest -n 2 --dist worksteal

# What takes minutes: the largest published data set, and the law of any order over whole nights.
test-heavy: $(VENV)/.ready
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m heavy

# Funnels: the shared cases, and the engine against brute force and ClickHouse on tens of thousands of random streams.
test-cases: $(VENV)/.ready-bench
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "heavy or not heavy" tests/test_cases.py tests/transforms/test_funnels.py \
		tests/transforms/test_funnel_laws.py tests/transforms/test_funnel_compat.py

# Statistics: the formulas against scipy, statsmodels and lifelines, and what they promise in simulation.
test-statistics: $(VENV)/.ready-bench
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "heavy or not heavy" tests/transforms/test_statistics.py \
		tests/transforms/test_statistics_peers.py

# The report in Chromium: whether it opens, draws, reads well and can be used by everybody.
test-browser: $(VENV)/.ready-browser $(AXE)
	@command -v $(CHROMIUM) >/dev/null 2>&1 || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core >/dev/null; } || \
		{ echo "chromium is missing: install it (Debian: apt-get install chromium), or name another with CHROMIUM=PATH"; exit 1; }
	@CHROMIUM=$$(command -v $(CHROMIUM)) $(BIN)/python -m pytest -m browser tests/browser

# The pictures of docs/pages.md, of the sample business.
pictures: demo $(VENV)/.ready-browser
	@CHROMIUM=$$(command -v $(CHROMIUM)) $(BIN)/python -m tests.browser.pictures $(CURDIR)/data/demo docs/images/pages

# The law of the rebuild over 500 histories of nights; JOURNEYS_LAW_SEEDS says how many.
test-laws: $(VENV)/.ready
	@JOURNEYS_LAW_SEEDS=$${JOURNEYS_LAW_SEEDS:-500} $(BIN)/python -m pytest -n 2 --dist worksteal tests/pipelines/test_increments.py

# Kills, full disks, damage and a soak; JOURNEYS_KILLS says how many kills, JOURNEYS_SOAK_NIGHTS and _EVENTS how long the soak.
test-faults: $(VENV)/.ready
	@JOURNEYS_KILLS=$${JOURNEYS_KILLS:-200} JOURNEYS_SOAK_NIGHTS=$${JOURNEYS_SOAK_NIGHTS:-100} \
		JOURNEYS_SOAK_EVENTS=$${JOURNEYS_SOAK_EVENTS:-50000} JOURNEYS_SOAK_PAUSE=$${JOURNEYS_SOAK_PAUSE:-60} \
		$(BIN)/python -m pytest -s -m faults tests/faults

# The Spark engine beside the local one: on this machine, on a master with two workers of which one is killed, on a bucket.
# JOURNEYS_SPARK_SETS says how many of the published sets and of the histories.
test-spark: $(VENV)/.ready-spark
	@java -version 2>&1 | grep -qE 'version "(1[7-9]|[2-9][0-9])' || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends default-jre-headless >/dev/null; } || \
		{ echo "Java 17 is missing: install it (Debian: apt-get install default-jre-headless)"; exit 1; }
	@$(BIN)/python -m pytest -m spark tests/spark

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

# Everything side by side with its peers; writes benchmarks/results.md. bench-large takes the sizes that need an hour.
bench: $(VENV)/.ready-bench
	@$(BIN)/python -m benchmarks.everything

bench-large: $(VENV)/.ready-bench
	@$(BIN)/python -m benchmarks.everything --large

bench-night: $(VENV)/.ready
	@$(BIN)/python benchmarks/night.py

bench-funnel bench-sessions bench-components: bench-%: $(VENV)/.ready-bench
	@$(BIN)/python -m benchmarks.$*

bench-spark: $(VENV)/.ready-spark
	@$(BIN)/python -m benchmarks.spark

bench-increment: $(VENV)/.ready
	@$(BIN)/python benchmarks/increment.py

# Known vulnerabilities of the pinned versions; without a way to the database it says so and goes on.
audit: $(VENV)/.ready-audit
	@told=$$($(BIN)/python -m pip_audit --strict --requirement constraints.txt --no-deps --disable-pip --progress-spinner off --timeout 10 2>&1); found=$$?; \
	if [ $$found -ne 0 ] && echo "$$told" | grep -qE "could not be audited|ConnectionError|Max retries|timed out|Could not|resolve|ServiceError|HTTPError"; then \
		echo "audit: the database of vulnerabilities cannot be reached; the review of docs/dependencies.md stands"; \
	else echo "$$told"; exit $$found; fi

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

$(VENV)/.ready-browser: $(VENV)/.ready
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[browser]'; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[browser]'; \
	fi
	@touch $@

$(VENV)/.ready-audit: $(VENV)/.ready
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[audit]'; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[audit]'; \
	fi
	@touch $@

$(VENV)/.ready-spark: $(VENV)/.ready
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[spark]'; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[spark]'; \
	fi
	@touch $@

$(VENV)/.ready-bench: $(VENV)/.ready
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[bench]'; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'; \
	fi
	@touch $@

# The rules of accessibility, for the tests alone.
$(AXE):
	@command -v npm >/dev/null 2>&1 || { echo "npm is missing: it brings axe-core (Debian: apt-get install npm)"; exit 1; }
	@npm install --prefix .browser --no-save --no-audit --no-fund --ignore-scripts --loglevel=error axe-core@$(AXE_VERSION) >/dev/null
	@touch $@

clean:
	rm -rf $(VENV) .browser .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Everything here sets itself up: it needs Python 3.11 or newer, Git and make. `make help` lists what there is.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
# Half of the time of the tests is spent waiting for processes and servers, so that three share two cores.
JOBS ?= 3

.PHONY: help demo test system check format bench lab kube simulate coverage mutants clean

help:  ## List the targets.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(READY): requirements-dev.lock
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Wavefleet needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.lock
	touch $@

demo: $(READY)  ## Show a rollout over the example fleet, in virtual time.
	$(RUN) -m controller demo

test: $(READY)  ## Pass the tests; real parts are used where they are found.
	$(RUN) -m pytest -m "not system" -n $(JOBS) --dist worksteal

system: $(READY)  ## Pass the tests that drive real brokers, a real forge and API servers, one after another.
	$(RUN) -m pytest -m system -p no:randomly

check: $(READY)  ## Check format, lint, types, import contracts and spelling.
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/codespell

format: $(READY)  ## Format the code.
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

bench: $(READY)  ## Measure, as ratios within one run, and write docs/benchmarks.md.
	$(RUN) -m tests.bench

lab: $(READY)  ## Upgrade two real Kafka clusters from a Git repository, under load; needs a JDK 17 and Maven.
	$(RUN) -m controller lab tour

kube:  ## Build the API server that some tests use as a real Kubernetes, and kubectl, once per machine; needs Go.
	tools/build-kube.sh

SEEDS ?= 1000
simulate: $(READY)  ## Run the seeded simulation over SEEDS new seeds.
	$(RUN) -m tests.simulation --seeds $(SEEDS) --from $$(date +%s)

coverage: $(READY)  ## See that the tests of core, history and model reach every branch of them.
	$(RUN) -m coverage run --source=controller/core,controller/history,controller/model -m pytest tests/core tests/history tests/model
	$(RUN) -m coverage combine --quiet
	$(RUN) -m coverage report --fail-under=100

mutants: $(READY)  ## Break each safety promise on purpose, and see a test and a seed of the simulation notice.
	$(RUN) -m tests.mutants

clean:  ## Remove what the targets above made.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*

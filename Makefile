# Two commands matter to a newcomer: `make run` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

export CLOUDCTL_HOME ?= $(CURDIR)/.state
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv || echo .tools/bin/uv)
UV_VERSION := 0.13.9
PYTHON ?= python3

.PHONY: help setup run demo drill test check unit soak mutants bench bench-guests format lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.ready  ## the Python environment, from the lock

$(VENV)/.ready: requirements.lock setup.cfg
	@command -v $(UV) >/dev/null || { dpkg -s python3-venv >/dev/null 2>&1 || { apt-get -qq update && \
	  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3-venv >/dev/null; }; \
	  $(PYTHON) -m venv .tools && .tools/bin/pip -q install uv==$(UV_VERSION); }
	@test -x $(BIN)/python || $(UV) venv -q --python $(PYTHON) $(VENV)
	@$(UV) pip sync -q --python $(VENV) requirements.lock
	@$(UV) pip install -q --python $(VENV) --no-deps -e .
	@touch $@

run: setup  ## set-up, lab, the story, then the portal's address
	@$(BIN)/python examples/story.py --serve

drill: setup  ## the story of a drill on the lab with real guests, with its report
	@$(BIN)/python examples/drill_story.py

demo: setup  ## the same, ending after the story; the lab stays up
	@$(BIN)/python examples/story.py

test: setup  ## everything that gates
	@$(BIN)/python tests/gate.py

check: setup  ## format, lint, types, imports, architecture tests
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports --no-cache
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/pytest -q tests/architecture

unit: setup  ## seconds
	@$(BIN)/pytest -q -n 2 tests/unit

soak: setup  ## exhaustive and long runs
	@$(BIN)/python tests/gate.py packages
	@$(BIN)/pytest -q -rP -m "soak and not guests" --timeout 7200
	@$(BIN)/cloudctl lab up --guests
	@$(BIN)/pytest -q -rP -m "soak and guests" --timeout 7200

mutants: setup  ## the share of mutants of the rate and target modules that the tests kill
	@$(BIN)/python tests/mutants.py

bench: setup  ## the tables of docs/benchmarks.md
	@$(BIN)/python tests/gate.py packages
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.register_import
	@$(BIN)/python -m bench.register_scale
	@$(BIN)/python -m bench.points
	@$(BIN)/python -m bench.rebuilding
	@$(BIN)/python -m bench.backup_overhead
	@$(BIN)/python -m bench.many_volumes
	@$(BIN)/python -m bench.beside_others
	@$(BIN)/python -m bench.dr_orchestration
	@$(BIN)/python -m bench.dr_lab
	@$(BIN)/python -m bench.dr_cuts

bench-guests: setup  ## the RTO of two tiers on real guests, in a home without an installation
	@$(BIN)/python -m bench.dr_two_tiers

format: setup  ## put the code in shape
	@$(BIN)/ruff format -q . && $(BIN)/ruff check -q --fix .

lock: setup  ## resolve the dependencies anew
	@$(UV) pip compile -q setup.cfg --extra dev --no-header --no-annotate --generate-hashes --universal \
	  --python-version 3.11 -o requirements.lock

clean:  ## remove what was made here, not the lab's data
	@rm -rf $(VENV) .tools build mutants *.egg-info .mypy_cache .ruff_cache .hypothesis

# One command per job; each sets up .venv first (pip, under constraints.txt) and is quick when that is done.
#
# A machine without an NVIDIA GPU can have a torch of 200 MB instead of several GB:
#     make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu

PYTHON ?= python3
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev
BENCH_STAMP := $(VENV)/.installed-bench
# In the environment rather than `-c`, so that what pip builds from source is built under the same versions.
PIP_INSTALL := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 \
	$(BIN)/python -m pip install $(shell test -t 2 || echo --quiet)
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo test bench bench-quality check clean

help: ## this list
	@echo "make TARGET [PYTHON=python3.12] [TORCH_INDEX=URL]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile

demo: $(RUN_STAMP) ## set up, then train and show a tagger on the embedded corpus (offline, minutes on two cores)
	HF_HUB_OFFLINE=1 WANDB_MODE=offline $(BIN)/python train.py

# A process for each core; each keeps to one thread, since tiny networks gain nothing from more.
test: $(DEV_STAMP) ## set up, then all tests: the quick ones, then the slow ones
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(SIDE_BY_SIDE)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(SIDE_BY_SIDE) -m slow

bench: $(BENCH_STAMP) ## set up, then measure speed against the peers (20 to 40 minutes; benchmarks/results/)
	$(BIN)/python -m benchmarks

bench-quality: $(BENCH_STAMP) ## whole trainings against the peers (hours; goes on where it was stopped)
	$(BIN)/python -m benchmarks.quality

check: $(DEV_STAMP) ## set up, then lint, format, types, the floors, no outputs in notebooks
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports
	find . -path ./$(VENV) -prune -o -path './notebooks/*.ipynb' -exec $(BIN)/nbstripout --verify {} +

clean: ## remove builds and caches (never outputs/ or .venv)
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests conf notebooks benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# A half-made .venv (stopped, or Debian without python3-venv) has a python but no pip: made again.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "openmed needs Python 3.11, 3.12 or 3.13; '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "Could not make $(VENV). On Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }

$(RUN_STAMP): pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Setting up $(VENV): the first time takes minutes and about 2 GB (more with CUDA)"
	$(if $(TORCH_INDEX),$(PIP_INSTALL) --no-deps --index-url $(TORCH_INDEX) torch)
	$(PIP_INSTALL) -e '.[demo]'
	@touch $@

$(DEV_STAMP): $(RUN_STAMP)
	$(PIP_INSTALL) -e '.[demo,dev]'
	@touch $@

# The peers are no part of development: half a GB.
$(BENCH_STAMP): $(RUN_STAMP)
	$(PIP_INSTALL) -e '.[demo,bench]'
	@touch $@

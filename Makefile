# The verbs of this project. Each one makes .venv first if it is missing or out of date.
#
#   make demo      poses on the bundled pictures
#   make test      check, then every test that needs neither TensorFlow nor a GPU
#   make check     format, lint, types, imports        make fix    what can be mended by machine
#   make golden    the parity tests' files, from Google's graphs (see CONTRIBUTING.md)
#   make weights   the shipped weights and their manifest, from Google's files
#   make engines   the shipped LiteRT files, from the shipped weights
#   make lifting   the lifting networks, trained anew, and what they reach
#   make readme    what README.md and docs/lifting.md show      make notebook  its outputs
#   make dist      the wheel and the source archive    make resolve    can other Pythons install it?

PYTHON ?= python3
BIN := .venv/bin
MADE := .venv/made
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.DEFAULT_GOAL := demo
.PHONY: setup demo test check fix golden weights engines lifting lifting-causal lifting-centred readme notebook dist resolve screen

setup: $(MADE) screen

# torch comes first and alone, so that no other package's range picks its release.
$(MADE): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) pip
	$(PIP) torch
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation --editable ".[all]" --group dev
	touch $(MADE)

# A virtual screen for the window's test, which is skipped without one.
screen:
	@if test "$$(id -u)" = 0 && command -v apt-get && ! command -v Xvfb; then \
	  apt-get update; DEBIAN_FRONTEND=noninteractive apt-get install --yes xvfb; \
	fi >/dev/null 2>&1 || true

demo: $(MADE)
	$(BIN)/movenet predict

check: $(MADE)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(MADE)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: setup check
	$(BIN)/pytest
	$(BIN)/pytest -m slow

# What is made from Google's files, which lie in $(SHARED)/data/models.
SHARED ?= ../shared

# Needs TensorFlow: make golden GOLDEN_PYTHON=<a Python that has it, and this package>
GOLDEN_PYTHON ?= $(BIN)/python
golden: $(MADE)
	$(GOLDEN_PYTHON) scripts/make_goldens.py $(SHARED)

weights: $(MADE)
	$(BIN)/python scripts/make_weights.py $(SHARED)/data/models

engines: $(MADE)
	$(BIN)/python scripts/make_engines.py

readme: $(MADE)
	$(BIN)/python scripts/make_readme.py

# Needs $(SHARED)/data: CMU's recordings, COCO's training pictures, Pose2Sim's clips.
DATA = $(abspath $(SHARED))/data
TRAIN = cd training && $(abspath $(BIN))/python -m
lifting: $(MADE)
	$(TRAIN) lifting.errors $(DATA)/coco_train2017 ../build/lifting
	$(TRAIN) lifting.offsets $(DATA)/videos $(DATA)/mocap/cmu ../build/lifting
	$(TRAIN) lifting.train $(DATA)/mocap/cmu ../build/lifting --threads 1 --networks single
	$(MAKE) --jobs=2 lifting-causal lifting-centred
	$(TRAIN) lifting.train $(DATA)/mocap/cmu ../build/lifting --threads 1 --plain \
		--networks single --steps 6000 --into ../build/lifting/plain
	$(TRAIN) lifting.evaluate $(DATA)/mocap/cmu ../build/lifting
	$(TRAIN) lifting.clip ../build/lifting
	$(TRAIN) lifting.page

# Beside each other, after the network of a single frame, as which they begin.
lifting-causal lifting-centred: lifting-%: $(MADE)
	$(TRAIN) lifting.train $(DATA)/mocap/cmu ../build/lifting --threads 1 --networks $*

notebook: $(MADE)
	$(BIN)/python scripts/make_notebook.py

dist: $(MADE)
	$(BIN)/python -m build --no-isolation

resolve: $(MADE)
	$(BIN)/python scripts/check_resolution.py

# Two commands for a fresh machine: `make quickstart` (train, evaluate, show) and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export HF_HUB_OFFLINE ?= 1
export HF_HUB_DISABLE_TELEMETRY ?= 1

.PHONY: help quickstart webui test lint format types check ray knobs random bench screenshots starter samples clean

help:
	@echo "make quickstart   set up, teach the starter model to call tools, show the result (minutes, no GPU)"
	@echo "make webui        serve the board, and print the address to open (it holds a token)"
	@echo "make test         set up and run the tests"
	@echo "make check        lint, types and tests: what CI runs"
	@echo "make ray          install Ray and test on a real local cluster of two workers"
	@echo "make knobs        a training of a few steps with every value of every option (minutes)"
	@echo "make random       the property tests on examples that no run has seen before (minutes)"
	@echo "make bench        the quickstart's training against TRL's defaults, side by side"
	@echo "make screenshots  remake the README screenshots, of the last quickstart run"
	@echo "make samples      remake the sample data       make starter   retrain the starter model"

$(VENV)/.run: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Tuneboard needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

quickstart: $(VENV)/.run
	$(BIN)/core-cli train data/recipes/quickstart.yaml
	$(BIN)/core-cli eval quickstart --base --examples 1
	@echo
	@echo "Talk to it:  $(BIN)/core-cli chat quickstart --tools data/samples/tools.example.json      or:  make webui"

webui: $(VENV)/.run
	$(BIN)/webui

# Some processes, each with whole files of tests; a single test is simpler to watch with .venv/bin/python -m pytest FILE.
test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

# A worker of a real local Ray cluster is killed, and the run goes on.
ray: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,ray]'
	$(BIN)/python -m pytest -m ray tests/test_cluster.py

# Each choice and both ends of each bound, and options together: refused in one line, or trained with finite losses.
knobs: $(VENV)/.dev
	$(BIN)/python -m pytest -m knobs tests/test_knobs.py

random: $(VENV)/.dev
	TUNEBOARD_RANDOM=1 $(BIN)/python -m pytest $$(grep -rl "import.* given" tests)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(VENV)/.dev
	$(BIN)/mypy

check: lint types test

bench: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.quickstart

screenshots: $(VENV)/.dev
	$(BIN)/python -m pytest tests/browser/test_board.py -k pictures --screenshots data/screenshots --showcase "$$(ls -d runs/*-quickstart | tail -1)"

samples: $(VENV)/.run
	$(BIN)/python data/generate.py

starter: $(VENV)/.run
	$(BIN)/python data/starter/train_starter.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist

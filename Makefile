# Two commands do everything: `make demo` and `make test`. Each sets up `.venv` on its first run and skips it afterwards.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo app test slow bench gallery lint clean

help:  ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.app  ## Train the four adapters and their fusion on the embedded default, evaluate, print the tables
	@$(BIN)/workbench demo

app: $(VENV)/.app  ## Open the app on http://127.0.0.1:8501
	@$(BIN)/workbench up

PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadfile

test: $(VENV)/.dev  ## Run the tests but the slow ones, and the linters' checks
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(PYTEST) -m "not slow"

slow: $(VENV)/.dev  ## Run the slow tests: every page in the browser, larger real cases
	@$(PYTEST) -m slow

bench: $(VENV)/.dev  ## Measure what packing, the rewritten fusion and the dump reader gain here, and how fast pages are
	@$(BIN)/python -m tests.bench.encoder
	@$(BIN)/python -m tests.bench.dump_parsing --entities 100000
	@$(BIN)/python -m tests.bench.app

gallery: $(VENV)/.dev  ## Take the README's screenshots anew (needs Chromium)
	@$(BIN)/python -m tests.workbench.gallery

lint: $(VENV)/.dev  ## Mend what the linter and the formatter can
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

clean:  ## Remove the environment; runs and caches stay
	rm -rf $(VENV) build *.egg-info

$(VENV)/bin/pip:
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) found. Install Python 3.11 or newer, or run: make PYTHON=/path/to/python3 demo"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Run: make PYTHON=/path/to/python3.11 demo"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.app: pyproject.toml constraints.txt | $(VENV)/bin/pip
	@echo "Setting up $(VENV) (once; a few minutes) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.app
	@echo "Adding the tools for tests ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# A newcomer's two commands: `make rehearse` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
DEV_STAMP = $(VENV)/.installed-dev

.PHONY: rehearse test bench lint screenshots clean

# With a terminal: the guided walk on screens. Without one (CI, pipes): the same walk told as text.
rehearse: $(STAMP)
	@if [ -t 0 ] && [ -t 1 ]; then $(BIN)/cabstand ui rehearse; else $(BIN)/cabstand rehearse --reset --yes; fi

screenshots: $(STAMP)
	$(BIN)/python -m screenshots.render

test: $(DEV_STAMP)
	$(BIN)/python -m pytest -n auto --dist=loadgroup -m "not bench"

bench: $(DEV_STAMP)
	$(BIN)/python -m pytest -m bench -s -n 0

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) build dist

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Cabstand needs Python 3.11 or newer; say which: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEV_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# The four front doors: make demo, make test, make lint, make bench.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: test lint bench demo system clean

$(STAMP): pyproject.toml scripts/install-venv
	scripts/install-venv $(PYTHON) $(VENV)
	touch $@

system:
	scripts/install-system

test: system $(STAMP)
	scripts/test

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: system $(STAMP)
	$(BIN)/python -m benchmarks

demo: system $(STAMP)
	scripts/demo

clean:
	rm -rf $(VENV) build dist src/*.egg-info

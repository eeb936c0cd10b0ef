# The four front doors: make demo, make test, make lint, make bench.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: test lint bench demo demo-down root system clean

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

demo: root system $(STAMP)
	scripts/demo

demo-down: root $(STAMP)
	scripts/demo --down

# In one line, before anything is installed.
root:
	@[ "$$(id -u)" = 0 ] || { echo "error: the demo makes network namespaces; run it as root" >&2; exit 1; }

clean:
	rm -rf $(VENV) build dist src/*.egg-info

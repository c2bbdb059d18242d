# Everything happens in $(VENV); nothing is installed outside it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RESULTS ?= results
INSTALLED := $(VENV)/installed

.DEFAULT_GOAL := help
.PHONY: help run test browser bench calibrate dashboard lint format

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@echo "installing into $(VENV) (some minutes the first time)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,png]'
	@touch $@

run: $(INSTALLED)  ## benchmark the embedded family: leaderboard, verdicts and a report in results/
	@echo "the codegen suite executes programs that the models write, each in a sandbox with limits" >&2
	$(BIN)/emergence run --suite all --family embedded --confirm_run_unsafe_code --results $(RESULTS)
	$(BIN)/emergence leaderboard --results $(RESULTS) -o $(RESULTS)/leaderboard.csv
	$(BIN)/emergence leaderboard --results $(RESULTS) --format text
	$(BIN)/emergence verdicts --results $(RESULTS)
	$(BIN)/emergence report --results $(RESULTS) -o $(RESULTS)/report.html
	@echo "open $(RESULTS)/report.html in a browser, or: make dashboard" >&2

test: $(INSTALLED) lint  ## lint, types, import rules and tests
	$(BIN)/python -m pytest -n auto --dist loadgroup

lint: $(INSTALLED)  ## ruff, mypy and the import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

browser: $(INSTALLED)  ## the dashboard in a real Chromium: screenshots of every page, and those of the README
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[browser]'
	$(BIN)/python -m pytest -n0 --run-slow tests/browser

bench: $(INSTALLED)  ## time the engines and the command line on this machine
	$(BIN)/python -m tests.benchmarks

calibrate: $(INSTALLED)  ## verdicts on simulated families whose truth is known (minutes)
	$(BIN)/python -m tests.calibration --markdown docs/calibration.md

dashboard: $(INSTALLED)  ## open the dashboard on results/
	$(BIN)/emergence dashboard --results $(RESULTS)

format: $(INSTALLED)  ## rewrite the code in house style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

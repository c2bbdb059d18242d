# Everything happens in $(VENV); nothing is installed outside it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RESULTS ?= results
INSTALLED := $(VENV)/installed
# Packages come from locks/ alone: nothing whose hash is not written there is installed, nor built with.
LOCKED := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --require-hashes

# Suites that execute no programs of models, for machines where nothing holds these.
HARMLESS := $(shell grep -LE 'unsafe_code: true|in_all: false' tasks/*/suite.yaml | cut -d/ -f2 | paste -sd, -)
HAS_FENCE := 'from harness.scoring.sandbox import fenced_sandbox; fenced_sandbox(allow_unfenced=False)'
UNFENCED ?=
# Files that `make fuzz` hands to the readers of files of others; READER='cell header' takes one reader alone.
INPUTS ?= 1000000
READER ?=

# Markers of pyproject.toml whose tests `make check` leaves out.
LONG := packaging or ray or processes or sandbox or parity or outside or pages or ladder or calibration or browser

# Tests of a file stay together, on as many cores as there are: what a file makes ready is made once.
FILES := -n auto --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help run treatments check test lowest browser bench real pages calibrate security fuzz dashboard lint docs format lock audit

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(INSTALLED): pyproject.toml locks/build.txt locks/dev.txt locks/torch.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@echo "installing into $(VENV) (some minutes the first time)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(LOCKED) -r locks/build.txt
	@$(LOCKED) -r locks/torch-cpu.txt 2>/dev/null || $(LOCKED) -r locks/torch.txt  # PyPI has no build for the CPU alone
	@$(LOCKED) -r locks/dev.txt
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(INSTALLED)  ## benchmark the embedded family: leaderboard, verdicts and a report in results/
	@if $(BIN)/python -c $(HAS_FENCE) 2>/dev/null || [ -n "$(UNFENCED)" ]; then suites=all; \
	  echo "the codegen suite executes programs that the models write, each in a sandbox with limits" >&2; \
	else suites=$(HARMLESS); \
	  echo "the codegen suite is left out: here nothing keeps programs that models write from your files; make run UNFENCED=--allow-unfenced" >&2; \
	fi; set -x; \
	$(BIN)/emergence run --suite $$suites --family embedded --confirm_run_unsafe_code $(UNFENCED) --results $(RESULTS)
	$(BIN)/emergence leaderboard --results $(RESULTS) -o $(RESULTS)/leaderboard.csv
	$(BIN)/emergence leaderboard --results $(RESULTS) --format text
	$(BIN)/emergence verdicts --results $(RESULTS)
	$(BIN)/emergence report --results $(RESULTS) -o $(RESULTS)/report.html
	@echo "open $(RESULTS)/report.html in a browser, or: make dashboard" >&2

treatments: $(INSTALLED)  ## what rounding, pruning and training do to the embedded family: figures and tables in results/ (minutes)
	$(BIN)/emergence run --suite treatments --family embedded --energy --results $(RESULTS)
	$(BIN)/emergence run --suite treatments --family embedded --treatment finetune,lora8 --seeds 3 \
	  --model ladder-5k,ladder-26k,ladder-60k,ladder-184k --energy --results $(RESULTS)
	$(BIN)/emergence curves --results $(RESULTS) --task entities,topic --shots 0 --metric headline --variants --figure $(RESULTS)/treatments.svg >/dev/null
	$(BIN)/emergence costs --results $(RESULTS) --task entities,topic --shots 0 --figure $(RESULTS)/costs.svg
	$(BIN)/emergence energy --results $(RESULTS) --task entities,topic --shots 0 --by treatment

check: $(INSTALLED) lint  ## lint, types, import rules and the fast tests: what to run before each commit
	$(BIN)/python -m pytest $(FILES) -m "not ($(LONG))"

test: $(INSTALLED) lint  ## lint, types, import rules and all tests but those marked slow
	$(BIN)/python -m pytest $(FILES)

lowest: $(INSTALLED)  ## the tests with the lowest package versions that pyproject.toml allows, in an environment beside
	@$(LOCKED) -r locks/lock.txt
	@$(PYTHON) -m venv $(VENV)-lowest
	$(BIN)/uv pip install --quiet --python $(VENV)-lowest/bin/python --resolution lowest-direct --editable '.[dev,png]'
	$(VENV)-lowest/bin/python -m pytest $(FILES) -m "not packaging"

lint: $(INSTALLED)  ## ruff, mypy and the import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

browser: $(INSTALLED)  ## the dashboard in a real Chromium: screenshots of every page, and those of the README
	@$(LOCKED) -r locks/browser.txt
	$(BIN)/python -m pytest -n0 --run-slow tests/browser

bench: $(INSTALLED)  ## time the command line beside lm_eval on this machine (20 minutes)
	$(BIN)/python -m tests.benchmarks

real: $(INSTALLED)  ## two real models of Python packages on twelve of lm-eval's tasks, beside lm_eval (minutes)
	$(BIN)/python -m pytest -n0 --run-slow -s -q tests/lm_eval_tasks/test_real.py

pages: $(INSTALLED)  ## every run that README and documentation show, as it is written there (minutes)
	$(BIN)/python -m pytest -n0 --run-slow -m slow tests/first_hour

calibrate: $(INSTALLED)  ## verdicts on simulated families whose truth is known (minutes; SIMS=30 for more studies)
	$(BIN)/python -m tests.calibration $(if $(SIMS),--sims $(SIMS)) --markdown docs/calibration.md
	$(BIN)/python -m tests.calibration.bound --markdown docs/calibration.md
	$(BIN)/python -m tests.calibration.forecasts --markdown docs/calibration.md
	$(BIN)/python -m tests.calibration.replication --markdown docs/calibration.md
	$(BIN)/python -m tests.calibration.runs $(if $(SIMS),--sims $(SIMS)) --markdown docs/calibration.md

chaos: $(INSTALLED)  ## kill workers, nodes and drivers of runs on a Ray cluster, and count what is lost (minutes)
	$(BIN)/python -m tests.chaos --seeds 20

security: $(INSTALLED)  ## try hostile programs in every sandbox of this machine, and count what was contained (minutes)
	$(BIN)/python -m tests.security

fuzz: $(INSTALLED)  ## hand INPUTS changed files to the readers of files of others, and count tracebacks (hours)
	@$(LOCKED) -r locks/fuzz.txt
	nice $(BIN)/python -m tests.fuzz --inputs $(INPUTS) $(if $(READER),'$(READER)')

dashboard: $(INSTALLED)  ## open the dashboard on results/
	$(BIN)/emergence dashboard --results $(RESULTS)

docs: $(INSTALLED)  ## the documentation as a site in build/site
	@$(LOCKED) -r locks/docs.txt
	$(BIN)/mkdocs build

format: $(INSTALLED)  ## rewrite the code in house style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(INSTALLED)  ## write locks/ and constraints.txt anew from pyproject.toml (LOCK=--upgrade takes the newest versions)
	@$(LOCKED) -r locks/lock.txt
	$(BIN)/python -m tests.lock $(LOCK)

audit: $(INSTALLED)  ## ask PyPI which locked packages have known vulnerabilities
	@$(LOCKED) -r locks/lock.txt
	@$(BIN)/python -m tests.audit

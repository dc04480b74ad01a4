# The course's commands. Everything but `setup` sets itself up first, in .venv. Works with GNU make 3.81 (macOS) and later.
#
#   make PYTHON=python3.12 setup     another interpreter
#   make test PYTEST="-k faces -x"   more options for pytest
#   make test WORKERS=4 THREADS=2    with eight cores

PYTHON ?= python3
VENV ?= .venv
PYTEST ?=
NAMES ?=
LESSON ?= 00
EXTRAS ?= app,audio,cluster,course,dev,export,phone,site,timm,trackers
WORKERS ?= 2
THREADS ?= 1

BIN = $(VENV)/bin
STAMP = $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup course test test-fast test-lab coverage types schema lab notebooks space instructors bundle site architecture lint clean lock

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP)  ## install everything in .venv (once; again when the dependencies change); EXTRAS=course,timm is a smaller way in (no app, exports, tests)

# The stamp comes last, so that a failure is tried again. An environment that works is added to, not made anew.
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no '$(PYTHON)' here. Install Python 3.11, 3.12 or 3.13, or name it: make setup PYTHON=python3.12" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "TorchFakes needs Python 3.11, 3.12 or 3.13; '$(PYTHON)' is `$(PYTHON) --version 2>&1`." \
	       "Install one of them, then: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments (venv or ensurepip is missing)." \
	       "On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python .ci/install.py $(EXTRAS)
	@touch $@

course: $(STAMP)  ## run every notebook in order; pages and a report go to build/course (NAMES="00 03" for some)
	@$(BIN)/torchfakes course $(NAMES)

# Two tests at once share the cores. With more threads than cores, torch's wait for each other most of the time: on two
# cores, a step of training that takes 1.0 s with one thread took 3.8 to 5.5 s with two, beside another test.
SHARED = OMP_WAIT_POLICY=PASSIVE OMP_NUM_THREADS=$(THREADS)

# The notebooks come first: one process makes their inputs and runs them (tests/conftest.py), which takes longest.
test: $(STAMP)  ## run all tests and all notebooks; the code's style is one of the tests
	@$(SHARED) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 15 \
	  --durations-min 1 --nbval-lax --nbval-current-env --nbval-sanitize-with tests/nbval_sanitize.cfg notebooks tests \
	  $(PYTEST)

# Without nbval, which takes each process a second to load.
test-fast: $(STAMP)  ## what can be tested in under 90 seconds: no notebook, no browser, nothing slow
	@$(SHARED) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -p no:nbval -m "not slow and not browser" \
	  tests $(PYTEST)

test-lab: $(STAMP)  ## run every lesson in a real JupyterLab and move all its widgets; `make course` makes what they need
	@$(SHARED) TORCHFAKES_ALL_IN_JUPYTERLAB=1 $(BIN)/python -m pytest -p no:nbval -s \
	  tests/course/test_jupyterlab_lessons.py $(PYTEST)

coverage: $(STAMP)  ## all tests, and which lines of the package they run (a page in build/coverage)
	@$(MAKE) --no-print-directory test PYTEST="--cov torchfakes_utils --cov-report term:skip-covered \
	  --cov-report html:build/coverage $(PYTEST)"

types: $(STAMP)  ## check the type hints: strictly from io to explanation
	@$(BIN)/mypy

schema: $(STAMP)  ## describe report.json in docs/report.schema.json, from the classes that it is made of
	@$(BIN)/python -m torchfakes_utils.report.schema

# Copies, since JupyterLab saves what it opens, and git would then refuse to pull. `make clean` leaves them alone.
lab: $(STAMP)  ## open the lessons in JupyterLab: copies of your own in lessons/, without outputs (LESSON=03 begins there)
	@$(BIN)/torchfakes course init lessons
	@$(BIN)/jupyter lab lessons --LabApp.news_url=None --LabApp.default_url="/lab/tree/$$(cd lessons && ls notebooks/$(LESSON)_*.ipynb)"

notebooks: $(STAMP)  ## make the notebooks from their text twins, executed (NAMES=03 for some, FORCE=1 for all again)
	@$(BIN)/python -m torchfakes_utils.course.build $(NAMES) $(if $(FORCE),--force)

RUN ?= runs/mini
space: $(STAMP)  ## make a folder for Hugging Face Spaces, build/space, of a run (RUN=runs/mini)
	@$(BIN)/torchfakes space $(RUN)

instructors: $(STAMP)  ## write schedules, notes and answers for teachers in docs/instructors, from the lessons
	@$(BIN)/python -m torchfakes_utils.course.kit

BUNDLE ?=
bundle: $(STAMP)  ## pack all that a room without a network needs into build/torchfakes-bundle.tar; `make course` comes first
	@$(BIN)/torchfakes bundle build/torchfakes-bundle.tar $(BUNDLE)

site: $(STAMP)  ## make the site in build/site/html: lessons, commands, modules, benchmarks; no network, no warning
	@$(BIN)/python docs/site/stage.py build/site/source
	@$(BIN)/python -m sphinx -q -W --keep-going -b html build/site/source build/site/html
	@echo "the site: build/site/html/index.html"

architecture: $(STAMP)  ## draw the picture of the rooms in docs/architecture.md from the code
	@$(BIN)/python docs/architecture.py

lint: $(STAMP)  ## check the code's style and how it is set
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .

clean:  ## remove what can be made again: Mini-FF++ and what was trained on it, pages, environment
	rm -rf build data/mini runs/mini runs/mini-* $(VENV) .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One set of versions for Python 3.11 to 3.13 on every platform. uv resolves for all of them at once; pip cannot.
# The versions in the file are kept where they still fit: `make lock UPGRADE=--upgrade` takes the newest instead.
# The wheels of CUDA are left out: each torch names exactly the ones that it needs, on Linux only.
lock:  ## resolve constraints.txt again from pyproject.toml (UPGRADE=--upgrade takes newer versions)
	@mkdir -p build && $(PYTHON) -m venv build/lock && build/lock/bin/python -m pip install --quiet uv
	@cp constraints.txt build/lock/constraints.txt
	@build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --all-extras \
	  --no-annotate --no-header $(UPGRADE) --output-file build/lock/constraints.txt pyproject.toml
	@{ echo "# Every version that TorchFakes is tested with, the same for Python 3.11, 3.12 and 3.13. Made by: make lock"; \
	   echo "# The CUDA wheels are absent on purpose: torch itself names the exact ones it needs, and only on Linux."; \
	   grep -v -E '^(#|nvidia-|cuda-|triton=)' build/lock/constraints.txt; } > build/lock/new.txt
	@mv build/lock/new.txt constraints.txt

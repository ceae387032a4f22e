# make demo   set up, run the node on a drive over ROS 2, leave pictures and figures in demo_output/
# make test   set up, then lint, types and tests
# make setup  only the environment: .venv, with .venv/bin/stseg in it
#
# BAG=FOLDER or IMAGES=FOLDER gives the demo your own data; PYTHON=python3.12 picks the interpreter,
# which is python3 if it is 3.10 to 3.13, else the newest of these that there is;
# TORCH=0 leaves PyTorch out, and the checks and tests that need it.

TORCH ?= 1
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

RUN_REQUIREMENTS := requirements/run.txt requirements/ros.txt
VENV_OPTIONS :=
# Not all of the pinned packages have wheels for later ones.
NEWEST_MINOR := 13
WANTED := 3.10 to 3.13
PYTHONS := $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.10)
ifdef ROS_DISTRO
# Its modules are for its own Python, whichever that is.
NEWEST_MINOR := 99
WANTED := 3.10 or later
PYTHONS := $(or $(PYTHON),python3)
# A sourced ROS 2 installation brings rclpy, and extension modules built for its own NumPy.
RUN_REQUIREMENTS := requirements/beside_ros.txt
VENV_OPTIONS := --system-site-packages
endif
TEST_REQUIREMENTS := requirements/test.txt
CHECKS := lint
ifeq ($(TORCH),1)
TEST_REQUIREMENTS += requirements/train.txt
# mypy cannot check what uses PyTorch without it.
CHECKS += types
endif

.PHONY: demo setup test lint types pytest clean

demo: setup
	$(BIN)/stseg demo --output demo_output $(if $(BAG),--bag "$(BAG)") $(if $(IMAGES),--images "$(IMAGES)")

test: $(VENV)/.tests-ready $(CHECKS) pytest

setup: $(VENV)/.ready

lint: $(VENV)/.tests-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.tests-ready
	$(BIN)/mypy

pytest: $(VENV)/.tests-ready
	$(BIN)/python -m pytest $(PYTEST_OPTIONS)

$(VENV)/.ready: $(RUN_REQUIREMENTS) setup.py setup.cfg
	@for python in $(PYTHONS); do \
	  if $$python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, $(NEWEST_MINOR)))' \
	      2>/dev/null; then \
	    echo "Setting up $(VENV) with $$python (a minute or two the first time) ..."; \
	    exec $$python -m venv $(VENV_OPTIONS) $(VENV); \
	  fi; \
	done; \
	echo 'make: none of $(PYTHONS) is a Python $(WANTED); name one, as PYTHON=python3.12' >&2; \
	exit 2
	@$(PIP) install $(foreach file,$(RUN_REQUIREMENTS),-r $(file))
	@$(PIP) install --no-deps --editable .
	@touch $@

$(VENV)/.tests-ready: $(VENV)/.ready $(TEST_REQUIREMENTS)
	@echo 'Adding what the tests need ...'
	@$(PIP) install $(foreach file,$(TEST_REQUIREMENTS),-r $(file))
	@touch $@

clean:
	rm -rf $(VENV) build install log demo_output *.egg-info

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Everything that is made goes under .cache; nothing outside of the checkout is touched, but missing Debian packages are
# installed where that is possible (tests/tools/apt-ensure). Paths are relative: the checkout's own may contain blanks.

# Newest first. The newest ansible-core that the chosen one can run is what the project is developed with.
PYTHONS := 3.14 3.13 3.12 3.11 3.10
COLLECTIONS := .cache/stage
STAGE := $(COLLECTIONS)/ansible_collections/fleet/livepatch
VENV := .cache/venv
PY := $(VENV)/bin/python
STEP := $(PY) tests/tools/step.py
JOBS := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
# Playbook tests wait now and then, so one more of them than processors
TEST_JOBS := $(shell expr $(JOBS) + 1)
HOSTS ?= 4
# What environments are made of: what tests/pins says, or (no) the newest releases
PINNED ?= yes
$(if $(filter yes no,$(PINNED)),,$(error PINNED is yes or no))
export PINNED

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/$(COLLECTIONS)
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/$(COLLECTIONS)
# Ansible does not look for it in a directory that all may write to, as CI systems' workspaces often are
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# Else its tools make directories in the user's home
export ANSIBLE_HOME := $(CURDIR)/.cache/ansible-home
# Tools that ask git in the staged copy must not be told about the checkout, which ignores .cache
export GIT_CEILING_DIRECTORIES := $(CURDIR)/.cache
export PYTHONPYCACHEPREFIX := $(CURDIR)/.cache/pycache
export MYPY_CACHE_DIR := $(CURDIR)/.cache/mypy
export RUFF_CACHE_DIR := $(CURDIR)/.cache/ruff

# Checks run side by side, and all of them even if one fails
CHECKS = $(MAKE) --no-print-directory --keep-going $(if $(findstring -j,$(MAKEFLAGS)),,--jobs=$(JOBS))

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' Makefile

#
# Environments
#

.PHONY: venv
venv: $(VENV)/.packages ## .cache/venv: the newest Python at hand, and what tests/pins has for it; with any target, the newest releases: PINNED=no

# Makes DIR/.packages for make-venv to keep up to date, with the newest of PYTHONS: $(call environment,DIR,REQUIREMENTS)
define environment
	@python=$$(tests/tools/find-python $(PYTHONS)) || \
		{ tests/tools/apt-ensure python3 python3-venv && python=$$(tests/tools/find-python $(PYTHONS)); } || \
		{ echo "No Python of $(PYTHONS) is at hand" >&2; exit 1; }; \
	tests/tools/make-venv $(1) "$$python" $(2)
endef

# Whatever an environment may be made of: make-venv knows which of it is
INPUTS := $(wildcard tests/requirements*.txt tests/pins/*/*.txt) meta/ee-requirements.txt tests/tools/make-venv .cache/pinned

# Is only as old as the value
.cache/pinned: $(if $(filter $(file <.cache/pinned),$(PINNED)),,changed)
	@mkdir -p .cache && echo $(PINNED) >$@
.PHONY: changed

$(VENV)/.packages: $(INPUTS)
	$(call environment,$(VENV),tests/requirements.txt)

# The oldest Python of a patched host
.cache/venv36/.packages: $(INPUTS)
	@tests/tools/make-venv .cache/venv36 "$$(tests/tools/find-python 3.6)" \
		tests/requirements-py36.txt tests/requirements-py36-ansible.txt

.cache/pin/.packages: $(INPUTS)
	$(call environment,.cache/pin,tests/requirements-pin.txt)

.PHONY: pins
pins: .cache/pin/.packages ## pins anew what environments are made of, where requirements have changed; all of it: UPGRADE=yes
	@.cache/pin/bin/python tests/tools/pin.py $(if $(filter yes,$(UPGRADE)),--upgrade)

.PHONY: stage
stage: $(VENV)/.packages ## .cache/stage: the checkout's files as Ansible's tools want a collection
	@$(PY) tests/tools/stage.py $(STAGE) .cache/stage.list

#
# Checks
#

.PHONY: lint
lint: stage ## all linters
	@$(CHECKS) $(LINTERS)

# The quick ones first
LINTERS := lint-ruff lint-words lint-format lint-yaml lint-door lint-changelog lint-licences lint-types lint-docs lint-ansible
.PHONY: $(LINTERS)
lint-ruff: stage
	@$(STEP) "lint: ruff check" --only '*.py' --only pyproject.toml -- ruff check .

lint-words: stage
	@$(STEP) "lint: retired words" -- python tests/tools/retired_words.py

lint-format: stage
	@$(STEP) "lint: ruff format" --only '*.py' --only pyproject.toml -- ruff format --check --diff .

lint-yaml: stage
	@$(STEP) "lint: yamllint" --only '*.yml' --only '*.yaml' --only '.*lint' -- yamllint --strict .

# Nothing that a host answers goes past the one parser of answers
lint-door: stage
	@$(STEP) "lint: the door" --only '*.py' --only '*.yml' -- python -m pytest -q tests/unit/plugins/test_door.py

lint-changelog: stage
	@$(STEP) "lint: antsibull-changelog" --only 'changelogs/*' --only galaxy.yml -- antsibull-changelog lint

lint-licences: stage
	@$(STEP) "lint: reuse" -- sh -c 'cut -d" " -f3- "$$0" | xargs -d "\n" reuse lint-file' "$(CURDIR)/.cache/stage.list"

# The plugins as the package that they are at run time. The rest as `python -m tests.lab` has it.
lint-types: stage
	@$(STEP) "lint: mypy" --only '*.py' --only pyproject.toml --only tests/tools/types -- tests/tools/types

lint-docs: stage
	@$(STEP) "lint: antsibull-docs" --skip 'tests/*' -- \
		antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs dependent .

lint-ansible: stage
	@$(STEP) "lint: ansible-lint" --skip 'tests/*.py' --skip 'docs/*' -- ansible-lint --offline --strict --nocolor

.PHONY: sanity
sanity: stage ## ansible-test's sanity tests, on all Pythons at hand that it knows
	@tests/tools/apt-ensure shellcheck
	@$(STEP) "sanity: ansible-test" --given "$$($(PY) tests/tools/sanity.py --pythons)" -- \
		python tests/tools/sanity.py --color no

.PHONY: unit
unit: stage ## unit tests, then those of the patched host's code on Python 3.6
	@$(PY) -m pytest tests/unit
	@$(MAKE) --no-print-directory unit36

.PHONY: unit36
unit36: stage
	@if ! tests/tools/find-python 3.6 >/dev/null; then \
		echo "unit: Python 3.6 not at hand: skipped"; \
	else \
		$(MAKE) --silent .cache/venv36/.packages && \
		$(STEP) "unit: Python 3.6" --only 'plugins/module*' --only 'tests/unit/*' --only 'tests/support/*' --only pyproject.toml \
			--only tests/tools/unit36 -- tests/tools/unit36; \
	fi

# The scenarios that `make test` runs: the main job on real kernels. A canary that dies, and all else, is `make acceptance`.
IN_TEST := $(addprefix tests/lab_scenarios/,bad_input.py smoke.py)

.PHONY: side-by-side
side-by-side: stage
	@$(PY) -m pytest --numprocesses $(TEST_JOBS) --dist worksteal tests/unit tests/playbooks

.PHONY: test
test: stage ## what is needed to trust a change: lint, sanity, unit, fake hosts, the lab (replaces, then ends what `make lab` has up)
	@# The longest first, on one processor: what is short, then the tests that need no machines but this one, have the rest
	@$(CHECKS) sanity $(LINTERS) unit36 side-by-side
	@# The lab's machines want it for themselves
	@$(PY) -m pytest $(IN_TEST)

.PHONY: simulated
simulated: stage ## rollouts over simulated hosts: real modules in mount namespaces (as root)
	@$(PY) -m pytest tests/simulated

.PHONY: vendors
vendors: stage ## real rpm, zypper and dnf against hostile repositories and keys, in a chroot (as root)
	@$(PY) -m pytest tests/vendors

.PHONY: slow
slow: stage ## what `make test` leaves out: fake hosts, with each ansible-core; more damaged input
	@$(PY) -m pytest --numprocesses $(TEST_JOBS) --dist worksteal -m slow tests/unit tests/playbooks

.PHONY: mutations
mutations: stage ## breaks one decision after the other: which test notices (tests/tools/mutations.py); some of them: WORDS=lease
	@$(PY) -m tests.tools.mutations $(WORDS)

.PHONY: acceptance
acceptance: stage $(if $(SCENARIO),,slow vendors) ## the above, then the long scenarios on the lab; one of them: SCENARIO=name (tests/lab_scenarios/name.py)
	@$(PY) -m pytest $(if $(SCENARIO),tests/lab_scenarios/$(SCENARIO).py,\
		$(filter-out %/conftest.py %/__init__.py tests/lab_scenarios/_%,$(wildcard tests/lab_scenarios/*.py)))

.PHONY: bench
bench: stage ## figures beside their goals and the commit before (as root); one of them: BENCH=rollout; beside what: BASE=revision; in hours: FULL=yes
	@$(PY) -m tests.bench $(BENCH) $(if $(filter yes,$(FULL)),--full) $(if $(BASE),--base "$(BASE)")

.PHONY: format
format: $(VENV)/.packages ## what ruff can mend by itself, in the checkout
	@ruff check --fix --quiet . || true
	@ruff format --quiet .

#
# The lab, and what to do with it
#

.PHONY: lab lab-down lab-ssh demo
lab: stage ## brings virtual machines up and prints the inventory: HOSTS=4
	@$(PY) -m tests.lab up --hosts $(HOSTS)

lab-down: stage ## ends them
	@$(PY) -m tests.lab down

lab-ssh: stage ## a shell on one of them: HOST=name
	@$(PY) -m tests.lab ssh $(or $(HOST),$(error Which one? make lab-ssh HOST=name))

demo: stage ## shows on the lab what the collection does
	@$(PY) -m tests.demo

#
# The rest
#

.PHONY: build
build: stage ## the collection's archive, in .cache/build
	@ansible-galaxy collection build --force --output-path .cache/build $(STAGE)

.PHONY: clean
clean: ## removes .cache: environments, caches, the lab's machines
	@# Whatever the environment is like: without its records nobody finds the lab's machines again
	@[ ! -d .cache/lab ] || { \
		python=$$($(PY) -c 'import sys; print(sys.executable)' 2>/dev/null || tests/tools/find-python $(PYTHONS)) || \
			{ echo "No Python of $(PYTHONS) to end the lab's machines with. End them by hand, then: rm -rf .cache" >&2; exit 1; }; \
		"$$python" -m tests.lab down; }
	@rm -rf .cache

# make demo [PICTURE=path]   from nothing to an answer, a page and the guide
# make test                  everything that is checked; make quick is the part that takes a minute
# make env | lab | docs | bench
# Each works alone on a fresh machine with Python 3.11 or later, git and make; each is quick the second time.
# PYTHON=python3.12 names another Python; PIP_TORCH_ARGS='...' says how to get torch.

.DEFAULT_GOAL := help
.PHONY: help env env-dev demo lab test quick fresh lint pages docs bench clean
PYTHON ?= $(shell for name in .venv/bin/python python3 python3.13 python3.12 python3.11; do \
  $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && exit; \
  done; echo python3)
PYTHON := $(PYTHON)
BIN := .venv/bin
export PICTURE PIP_TORCH_ARGS

help:
	@sed -n '1,5s/^# //p' Makefile

env:
	@$(PYTHON) .ci/environment.py all

env-dev:
	@$(PYTHON) .ci/environment.py dev

demo: env
	@mkdir -p demo
	@picture="$${PICTURE:-$$(find deepnb/data/pictures -type f \( -name '*.jpg' -o -name '*.png' -o -name '*.webp' \) \
	  | LC_ALL=C sort | head -n 1)}"; $(BIN)/deepnb report "$$picture" demo/
	@$(BIN)/deepnb lab --offer

lab: env
	@$(BIN)/deepnb lab

test: env-dev fresh lint pages
	@$(BIN)/python -m pytest

quick: env-dev fresh lint
	@$(BIN)/python -m pytest -m "not slow and not browser and not corpus and not gpu"

fresh: env-dev
	@$(BIN)/python .ci/fresh.py

lint: env-dev
	@$(BIN)/ruff check nbs deepnb tests benchmarks docs .ci setup.py

pages: env-dev
	@$(BIN)/nbdev_test --n_workers 2

docs: env-dev
	@$(BIN)/python docs/build.py

bench: env-dev
	@for name in start reading explain; do echo "== benchmarks/$$name.py"; $(BIN)/python benchmarks/$$name.py || exit 1; done

clean:
	rm -rf build dist _docs demo *.egg-info .pytest_cache .ruff_cache

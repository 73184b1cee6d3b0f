# `make` lists what there is. `make test` is all that a fresh checkout needs.

.DEFAULT_GOAL := help
.NOTPARALLEL:
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
# Hundreds of processes are started by the tests: none has to compile what another one has.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
PYTEST_ARGS ?=
PYTEST_PROCESSES ?= 4
BENCH_ARGS ?=
SOAK_ARGS ?=
DATA ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes --strip-extras \
	--allow-unsafe --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host $(LOCK_ARGS)

.PHONY: help test check sbom audit demo bench bench-detection soak dashboards lock manifests image-steps image-root clean packages jars helm

help: ## list the targets
	@echo "Anchorwatch: streaming drift detection. Targets:"
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

test: packages .venv/.development jars helm check ## set up all that is needed, check the code, run every test
	@echo "== tests: unit, then integration (a real Kafka and a real Prometheus are started and ended)"
	@$(BIN)/python -m pytest -n $(PYTEST_PROCESSES) tests/unit tests/integration $(PYTEST_ARGS)

check: .venv/.development ## format, lint, security rules, types, imports, advisories, without tests
	@echo "== ruff, mypy, import-linter"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "not formatted: run $(BIN)/ruff format ." >&2; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo > .venv/lint-imports.log 2>&1 || { cat .venv/lint-imports.log >&2; exit 1; }
	@$(MAKE) sbom
	@.ci/audit $(BIN)

sbom: .venv/.development ## dist/anchorwatch.cdx.json: what the image holds, as CycloneDX
	@mkdir -p dist
	@$(BIN)/python -W ignore -m cyclonedx_py requirements requirements.lock --pyproject pyproject.toml \
		--output-reproducible --output-format JSON --output-file dist/anchorwatch.cdx.json

audit: .venv/.development ## fail on known advisories, and where none can be asked for
	@.ci/audit $(BIN) --required

demo: .venv/.runtime ## see it work: a simulated model drifts, on http://127.0.0.1:9108
	@$(BIN)/anchorwatch demo

bench: .venv/.development ## measure throughput, latency and memory; prints figures
	@$(BIN)/python -m tests.benchmarks

bench-detection: .venv/.development ## measure false alarms at the budget, delays, cost; DATA='DIR...': recorded streams too
	@$(BIN)/python -m tests.benchmarks.detection $(BENCH_ARGS)
	@$(BIN)/python -m tests.benchmarks.public_streams $(DATA)

soak: .venv/.development jars ## hours of faults and of steady traffic; SOAK_ARGS='--schedules 200 --minutes 120'
	@$(BIN)/python -m tests.soak $(SOAK_ARGS)

image-steps: ## do in a temporary directory what the Dockerfile does with Python
	@PYTHON="$(PYTHON)" deploy/check_image_steps.sh

image-root: ## do all of the Dockerfile in roots of Debian, as root (debootstrap); fail where the image is beyond 300 MB
	@deploy/check_image_root.sh

manifests: helm ## render deploy/kubernetes from the chart in deploy/helm
	@$(BIN)/python -m tests.integration.parts.helm render

dashboards: .venv/.runtime ## write the dashboards of Grafana anew, of their program in deploy/grafana
	@$(BIN)/python -m deploy.grafana

lock: .venv/.development ## pin again what pyproject.toml and requirements-*.in allow (LOCK_ARGS=--upgrade)
	@echo "== pinning with hashes"
	@$(COMPILE) --output-file requirements.lock pyproject.toml
	@$(COMPILE) --output-file requirements-build.lock requirements-build.in
	@$(COMPILE) --output-file requirements-dev.lock requirements-dev.in

clean: ## remove what was made here (the jars and Helm in ~/.cache/anchorwatch stay)
	rm -rf .venv .cache dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

packages:
	@.ci/packages

jars: .venv/.runtime
	@echo "== Kafka's jars: $$($(BIN)/python -m tests.integration.parts.kafka_jars)"

helm: .venv/.development
	@echo "== Helm, for the tests of the chart: $$($(BIN)/python -m tests.integration.parts.helm)"

.venv/bin/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Anchorwatch needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@echo "== a virtual environment in .venv ($$("$(PYTHON)" --version))"
	@"$(PYTHON)" -m venv --clear .venv

.venv/.runtime: requirements.lock requirements-build.lock pyproject.toml | .venv/bin/python
	@echo "== what Anchorwatch runs on, by hash"
	@$(PIP) install --require-hashes -r requirements.lock -r requirements-build.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/.development: requirements-dev.lock .venv/.runtime
	@echo "== what its tests need, by hash"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

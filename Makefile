# What there is to do, shown by `make`. For GNU make from 3.81 (macOS) on, and BSD make.

DAG = breast_cancer_ml_pipeline
ROUNDS = 20
BENCH = `grep -l '^if __name__' benchmarks/*.py | sed 's,.*/,,; s,\.py,,'`
VERSION = `sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml`

IN = ./scripts/in_environment.sh
FOR_DEVELOPMENT = $(IN) --dev

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

setup: ## Make .venv, for use and for development
	$(FOR_DEVELOPMENT) true

demo: ## Run the pipeline here, without Airflow, and show its metrics
	$(IN) ml-pipeline run

run: ## Run the DAG once in one process, whether or not the stack is up: DAG=id
	$(IN) airflow dags test $(DAG)

test: ## Run lint, types and all tests
	./scripts/test.sh

lint: ## Run ruff, mypy and shellcheck
	$(FOR_DEVELOPMENT) ruff check .
	$(FOR_DEVELOPMENT) ruff format --check .
	$(FOR_DEVELOPMENT) mypy
	$(FOR_DEVELOPMENT) shellcheck -x ./*.sh scripts/*.sh .ci/run

bench: ## Measure, against the stock way: all of it, or BENCH=name
	@for name in $(BENCH); do $(FOR_DEVELOPMENT) python -m benchmarks.$$name || exit; done
	@$(FOR_DEVELOPMENT) python -m benchmarks.report

faults: ## Strike a running stack with every fault, again and again: ROUNDS=20
	$(FOR_DEVELOPMENT) python -m benchmarks.faults --rounds $(ROUNDS)

docs: ## Check the documents against what is there
	$(FOR_DEVELOPMENT) python -m pytest tests/unit/docs

lock: ## Make requirements*.txt from pyproject.toml
	./scripts/lock.sh

airflow-init: ## Make the database, its roles and the admin user, without starting
	$(IN) ml-pipeline prepare

airflow-start: ## Start everything; Ctrl-C stops it
	./start_airflow.sh

archive: ## Pack what is committed into dist/
	mkdir -p dist
	git archive --format=tar.gz --prefix=ml-pipeline-$(VERSION)/ -o dist/ml-pipeline-$(VERSION).tar.gz HEAD

clean: ## Remove caches and dist/; .venv, database, logs and results stay
	rm -rf dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find benchmarks dags src tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup demo run test lint bench faults docs lock airflow-init airflow-start archive clean

# The two commands: `make demo` plays a whole game day, `make test` runs the checks and the tests.

.PHONY: help setup demo test test-rows test-kind test-long constraints check unit faults format clean

BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

help:
	@echo "make demo       set up, then play scenarios/slow-db.yaml on the sandbox"
	@echo "make test       set up, then all checks and tests (under ten minutes)"
	@echo "make test-rows  set up, then one row of each long table, and what else takes minutes"
	@echo "make test-kind  set up, then the tests on a real Kubernetes cluster, where there is one"
	@echo "make test-long  set up, then the long tables (resumable; hours)"
	@echo "make check      format, lint, types, floors and unit tests (quick; also the commit hook)"
	@echo "make faults     write experiments/ and docs/faults.md anew from what the faults declare"
	@echo "make setup      the set-up alone; run twice, it does nothing the second time"
	@echo "make constraints  write constraints.txt anew: the newest versions that are allowed"
	@echo "make clean      take the sandbox down and remove what can be made again"

setup:
	@sh tools/setup.sh

demo: setup
	@$(BIN)/gameday run scenarios/slow-db.yaml

# These start servers, so they run after the quick ones have passed: whole game days on a sandbox in
# one process, which mostly wait, what else needs a sandbox in a second one, everything else beside
# them. Real alerts have real deadlines, and a machine that is busy with something else may miss one:
# what fails here is played once more, and the summary names it.
SERVED := $(BIN)/pytest -n 3 --dist loadgroup --reruns 1 -rR
test: setup
	@started=$$(date +%s); \
	$(MAKE) --no-print-directory check && \
	$(SERVED) -m "(served or sandbox) and not long" && \
	took=$$(($$(date +%s) - started)) && \
	echo "test: everything passed in $$((took / 60)) min $$((took % 60)) s, the set-up apart"

# What proves one thing more and takes a minute for it: CI plays it after `make test`.
test-rows: setup
	$(SERVED) --long -m row

# On the cluster of TEST_KUBECONFIG=…, on ../shared/cluster, or on one that kind makes; one after
# another, because nodes are drained. Not on KUBECONFIG's: that may be anybody's.
test-kind: setup
	$(BIN)/pytest -m kind tests/kind $(if $(TEST_KUBECONFIG),--kubeconfig $(TEST_KUBECONFIG))

# Each part takes under half an hour. The last two stop before that and are resumable: rows that are
# done for this commit are kept, run it again. Exit code 5 of pytest: nothing is marked.
test-long: setup
	$(BIN)/pytest --long -m long || test $$? -eq 5
	$(BIN)/python bench/rehearsal.py --write docs/measured/rehearsal.md
	$(BIN)/python bench/slo_rules.py --write docs/measured/slo-rules.md
	$(BIN)/python bench/detection_grid.py --write docs/measured/detection-grid.md
	$(BIN)/python bench/alert_instants.py --write docs/measured/alert-instants.md
	$(BIN)/python bench/slow_db.py --write docs/measured/slow-db.md
	$(BIN)/python bench/aborts.py --write docs/measured/aborts.md
	$(BIN)/python bench/kills.py --write docs/measured/kills.md
	$(BIN)/python bench/variations.py --write docs/measured/variations.md
	$(BIN)/python bench/reading.py --write docs/measured/reading.md
	$(BIN)/python bench/drain.py --write docs/measured/drain.md
	$(BIN)/python bench/drain.py --budgets --write docs/measured/drain.md
	$(BIN)/python bench/storm.py --write docs/measured/storm.md
	$(BIN)/python bench/pager.py --write docs/measured/pager.md
	$(BIN)/python bench/floods.py --write docs/measured/floods.md
	$(BIN)/python bench/flywheel_power.py --write docs/measured/flywheel-power.md
	$(BIN)/python bench/flywheel_patterns.py --write docs/measured/flywheel-patterns.md
	$(BIN)/python bench/flywheel_store.py --write docs/measured/flywheel-store.md

# The versions that are tested together, anew: the newest that pyproject.toml allows.
constraints: setup
	@sh tools/constraints.sh

check:
	@test -x $(BIN)/ruff || { echo "run \`make setup\` first" >&2; exit 1; }
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-logo >/dev/null || $(BIN)/lint-imports --no-logo
	@$(MAKE) --no-print-directory unit

# AGAIN=yes, which CI says: what fails is played once more. Not by --reruns, which has every test
# talk to the others' process and takes as long again.
UNIT := $(BIN)/pytest -n 2 -m "not served and not sandbox and not long and not kind"
unit:
	$(UNIT) $(if $(AGAIN),|| { test $$? -eq 1 && $(UNIT) -n 0 --last-failed --last-failed-no-failures none; })

faults:
	$(BIN)/python tools/faults.py

format:
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	@test ! -x $(BIN)/gameday || $(BIN)/gameday sandbox down || true
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage \
		dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

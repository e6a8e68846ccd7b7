PY ?= python3.11
BIN = .venv/bin
export PYTHONUNBUFFERED = 1

.PHONY: run test bench ui slow lint lock clean

# Everything on one machine: database, demo data, web, worker, and stand-ins for Loops and Nango.
run: .venv/stamp .env
	@exec $(BIN)/python manage.py dev $(ARGS)

# Lint, types, import contracts, migrations, and the whole suite on SQLite and on PostgreSQL.
test: .venv/stamp .env lint
	$(BIN)/python -m tests.suite

lint: .venv/stamp .env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/djlint --quiet --lint --check templates
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

bench: .venv/stamp .env
	$(BIN)/python -m tests.bench

# Kill, outage and soak runs: minutes, not seconds.
slow: .venv/stamp .env
	$(BIN)/python -m tests.suite -m slow

# The browser suite; needs Debian's chromium package.
ui: .venv/stamp .env
	$(BIN)/python -m pytest -m browser tests

# uv stays outside .venv, because `uv pip sync` removes what the lock file does not name.
.venv/stamp: requirements-dev.txt
	test -x .tools/bin/uv || ($(PY) -m venv .tools && .tools/bin/pip install --quiet uv==0.13.8) || true
	if test -x .tools/bin/uv; then \
	  .tools/bin/uv venv --quiet --clear --python $(PY) .venv && \
	  .tools/bin/uv pip sync --quiet --require-hashes --python .venv/bin/python requirements-dev.txt; \
	else \
	  $(PY) -m venv --clear .venv && $(BIN)/pip install --quiet --require-hashes -r requirements-dev.txt; \
	fi
	touch .venv/stamp

.env:
	umask 077 && sed "s|^SECRET_KEY=.*|SECRET_KEY=$$($(PY) -c 'import secrets; print(secrets.token_urlsafe(50))')|; s|^DEBUG=.*|DEBUG=true|" .env.example > .env

LOCK = .tools/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header
lock:
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) --group dev pyproject.toml -o requirements-dev.txt

clean:
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache staticfiles

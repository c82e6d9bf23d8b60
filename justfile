# The lines of CONTRIBUTING.md by short names.

test:
    pytest -n auto
check:
    ruff check irflow_cli tests benchmarks && ruff format --check irflow_cli tests benchmarks && pyright && lint-imports
format:
    ruff check --fix irflow_cli tests benchmarks && ruff format irflow_cli tests benchmarks
docs:
    mkdocs build --strict
coverage:
    pytest -n auto --cov
release:
    python benchmarks/check_release.py
ci:
    .ci/run

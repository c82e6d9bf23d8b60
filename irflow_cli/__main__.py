"""`python -m irflow_cli` is `irflow`."""

from irflow_cli.cli.app import main

if __name__ == "__main__":
    main()

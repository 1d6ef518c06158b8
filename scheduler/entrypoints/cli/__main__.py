"""`python -m scheduler.entrypoints.cli`: the command line without the console script."""

from scheduler.entrypoints.cli import main

if __name__ == "__main__":
    main()

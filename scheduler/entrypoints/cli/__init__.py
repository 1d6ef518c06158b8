"""The command line: processes to run, and the client of the API."""

from scheduler.entrypoints.cli.app import main

__all__ = ["main"]

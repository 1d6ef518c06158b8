"""Use cases and the worker's parts over the memory adapters."""

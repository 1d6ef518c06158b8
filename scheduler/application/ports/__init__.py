"""What the use cases need from the outside: one Protocol a file, each docstring the contract of its adapters."""

"""One use case a file: one class, one `execute`."""

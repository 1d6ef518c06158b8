"""Every port in memory, deterministic, for tests and for trying things out."""

"""The clock, identifiers and randomness of the operating system."""

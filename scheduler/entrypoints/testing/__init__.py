"""The scheduler inside a test of its users."""

"""The ports implemented, one technology per package."""

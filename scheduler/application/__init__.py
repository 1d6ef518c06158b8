"""Use cases and the ports they need. Knows the domain and the standard library only."""

"""`scheduler demo`: a mixed load on the real thing, and a check of every total."""

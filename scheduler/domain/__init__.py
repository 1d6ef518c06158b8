"""The rules of the scheduler: states, transitions, retries, order and leases. Pure: no clock, no I/O, no randomness."""

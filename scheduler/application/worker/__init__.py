"""The worker process: claims jobs, runs them in a bounded number of slots, and minds its lease."""

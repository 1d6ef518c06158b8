"""The job types that the scheduler brings along."""

"""The scheduler.v1 service and its client."""

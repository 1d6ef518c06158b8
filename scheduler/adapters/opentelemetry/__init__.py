"""Spans by OpenTelemetry, the optional extra `tracing`: only `caller` can be imported without it."""

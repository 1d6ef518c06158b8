"""Code generated from proto/scheduler/v1/scheduler.proto; written by scripts/generate_proto.py."""

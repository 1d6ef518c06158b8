"""A job scheduler over gRPC that loses nothing."""

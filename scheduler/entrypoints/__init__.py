"""Settings, wiring and the processes: the only place that sees everything."""

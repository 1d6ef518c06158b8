"""What the use cases need from the outside world, one protocol per file."""

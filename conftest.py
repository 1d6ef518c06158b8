"""The root of the test configuration; plugins are named here and nowhere else."""

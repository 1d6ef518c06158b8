"""The root of the test configuration; plugins are named here and nowhere else."""

pytest_plugins = ("tests.fixtures.profiles", "tests.fixtures.servers")

"""The root of the test configuration; plugins are named here and nowhere else."""

pytest_plugins = (
    "tests.fixtures.db_tx",
    "tests.fixtures.profiles",
    "tests.fixtures.servers",
    "tests.fixtures.stack",
    "tests.acceptance.steps.attempts",
    "tests.acceptance.steps.bank",
    "tests.acceptance.steps.dead_letters",
    "tests.acceptance.steps.jobs",
    "tests.acceptance.steps.lists",
    "tests.acceptance.steps.progress",
    "tests.acceptance.steps.refusals",
    "tests.acceptance.steps.shop",
    "tests.acceptance.steps.submissions",
    "tests.acceptance.steps.time",
    "tests.acceptance.steps.watches",
    "tests.acceptance.steps.workers",
)

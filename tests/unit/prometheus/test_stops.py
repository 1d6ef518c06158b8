from datetime import timedelta

from scheduler.adapters.prometheus.metrics import Metrics
from scheduler.adapters.prometheus.stops import StopMetrics
from scheduler.domain.state import JobState
from tests.support.builders import a_job
from tests.unit.prometheus.scrape import value


def test_abandoned_handlers_are_counted_by_the_types_that_are_known_and_shown_while_they_run_on() -> None:
    metrics = Metrics()
    stops = StopMetrics(metrics, types=["email.send", "report"])

    stops.handler_abandoned(a_job(JobState.RUNNING, type="email.send"), alive=1)
    stops.handler_abandoned(a_job(JobState.RUNNING, type="unheard-of"), alive=2)
    stops.worn_out(alive=2)
    stops.grown(megabytes=2)

    counts = [value(metrics, "handlers_abandoned_total", type=name) for name in ("email.send", "other", "report")]
    assert counts == [1, 1, 0]
    assert value(metrics, "handlers_abandoned_total", type="unheard-of") is None
    assert value(metrics, "handlers_abandoned_alive") == 2
    stops.abandoned_handler_ended(a_job(JobState.RUNNING), alive=1)
    assert value(metrics, "handlers_abandoned_alive") == 1


def test_the_latency_of_cancels_is_told_apart_between_a_millisecond_and_half_a_minute() -> None:
    metrics = Metrics()
    stops = StopMetrics(metrics, types=[])

    for seconds in (-0.1, 0.02, 4.0):
        stops.cancelled(timedelta(seconds=seconds))

    within = [value(metrics, "cancel_latency_seconds_bucket", le=bound) for bound in ("0.001", "0.025", "1.0", "30.0")]
    assert within == [1, 2, 2, 3]
    assert value(metrics, "cancel_latency_seconds_sum") == 4.02

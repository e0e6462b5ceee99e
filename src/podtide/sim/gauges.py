"""Which of a service's gauges a policy's metric is, and what the simulated pods answer when it is read.

`runner` asks. What a metric means cannot be seen from its name alone, so every guess is said.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from podtide.core import names
from podtide.core.algorithms import target
from podtide.core.model.reading import Failure, Reading, Reason, Sample, Span
from podtide.core.model.spec import AutoscalerSpec, Formula, Gauge, MetricSpec, Quantile, Resource
from podtide.core.model.view import TargetView
from podtide.sim.service import Service

LOST = Failure(Reason.TIMEOUT, "the simulation lost this scrape")
NO_PODS = Failure(Reason.NO_DATA, "there is no ready pod")


class UnknownMetric(ValueError):
    """A metric that the service cannot stand for; the text says what to give."""


@dataclass(frozen=True, slots=True)
class Link:
    """A metric and the gauge that is read for it."""

    metric: MetricSpec
    gauge: str
    is_guess: bool
    """Whether nothing said so: neither its name nor the user."""

    @property
    def name(self) -> str:
        """What the metric is called."""
        return name(self.metric)


def name(metric: MetricSpec) -> str:
    """What a metric is called, in a policy and by the user."""
    return metric.source.name if isinstance(metric.source, Resource) else metric.select.metric


def links(spec: AutoscalerSpec, service: Service, told: Mapping[str, str]) -> tuple[Link, ...]:
    """One link per metric that is read. `told` has the user's: metric name → gauge. Raises UnknownMetric."""
    return tuple(
        _link(metric, service.gauges, told) for metric in spec.metrics if not isinstance(metric.source, Formula)
    )


def _link(metric: MetricSpec, gauges: tuple[str, ...], told: Mapping[str, str]) -> Link:
    called = name(metric)
    if isinstance(metric.derive, Quantile):
        raise UnknownMetric(f'"{called}" is a quantile, which no simulated pod has; simulate with another metric')
    if called in told:
        if told[called] not in gauges:
            raise UnknownMetric(f"--metric {called}={told[called]}: the gauges are {', '.join(gauges)}")
        return Link(metric, told[called], is_guess=False)
    counters = [gauge for gauge in gauges if gauge.endswith("_total")]
    if not isinstance(metric.derive, Gauge):
        found = next((each for each in names.candidates(called) if each in counters), None)
        return Link(metric, found or counters[-1], is_guess=found is None)
    found = next((each for each in names.candidates(called) if each in gauges), None)
    return Link(metric, found or gauges[0], is_guess=found is None)


@dataclass(slots=True)
class Scraper:
    """Reads one metric of the simulated pods."""

    link: Link
    service: Service
    lost: float
    """Share of the pods' answers that get lost, 0 to 1."""
    rng: random.Random

    def read(self, view: TargetView, now: float) -> Reading:
        """What a source would put into the mailbox at this instant."""
        metric = self.link.metric
        if not target.is_per_pod(metric):
            return self._whole(metric, now)
        values = self.service.read(self.link.gauge, now)
        failures: dict[str, Failure] = {}
        if self.lost:
            failures = {uid: LOST for uid in values if self.rng.random() < self.lost}
            values = {uid: value for uid, value in values.items() if uid not in failures}
        expected = len(values) + len(failures)
        failure = None if expected else NO_PODS
        if not isinstance(metric.derive, Gauge):
            series = {uid: (Sample(self.link.gauge, {}, value),) for uid, value in values.items()}
            return Reading(metric.id, now, series=series, expected=expected, failures=failures, failure=failure)
        spans = {}
        if isinstance(metric.source, Resource):
            spans = {uid: Span(now, metric.interval) for uid in values}
        return Reading(
            metric.id, now, values=values, spans=spans, expected=expected, failures=failures, failure=failure
        )

    def _whole(self, metric: MetricSpec, now: float) -> Reading:
        if self.lost and self.rng.random() < self.lost:
            return Reading(metric.id, now, failure=LOST)
        value = self.service.total(self.link.gauge, now)
        if isinstance(metric.derive, Gauge):
            return Reading(metric.id, now, total=value)
        return Reading(metric.id, now, series={"": (Sample(self.link.gauge, {}, value),)}, expected=1)

"""The exported metrics, all in one place. Control and sources call the methods; `health` serves the registry.

Series of an autoscaler exist as long as it does; no label ever holds a pod's name, a URL or an error's text.
"""

import platform
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

import podtide
from podtide.core.model.decision import Applied, Decision, Outcome
from podtide.core.model.reading import Failure
from podtide.core.model.spec import Key

_OBJECT = ("namespace", "name")
_METRICS_APIS = ("custom.metrics.k8s.io", "external.metrics.k8s.io")
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Described:
    """One metric as the reference shows it."""

    name: str
    """As on the page; of a histogram without `_bucket`, `_sum` and `_count`."""
    kind: str
    labels: tuple[str, ...]
    text: str


class Meters:
    """Every metric of one controller process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)

        self.described: list[Described] = []
        """Every metric of ours, for the reference."""

        def named(name: str, kind: str, labels: tuple[str, ...], text: str, suffix: str = "") -> str:
            self.described.append(Described(f"podtide_{name}{suffix}", kind, labels, text))
            return f"podtide_{name}"

        def gauge(name: str, text: str, labels: tuple[str, ...] = _OBJECT) -> Gauge:
            return Gauge(named(name, "gauge", labels, text), text, labels, registry=self.registry)

        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(named(name, "counter", labels, text, "_total"), text, labels, registry=self.registry)

        def histogram(name: str, text: str, labels: tuple[str, ...] = ()) -> Histogram:
            called = named(name, "histogram", labels, text)
            return Histogram(called, text, labels, buckets=_FAST, registry=self.registry)

        running = "The version that runs; always 1."
        build = Info(named("build", "gauge", ("version", "python"), running, "_info"), running, registry=self.registry)
        build.info({"version": podtide.__version__, "python": platform.python_version()})

        self._desired = gauge("autoscaler_desired_replicas", "Replicas that the last decision asks for.")
        self._current = gauge("autoscaler_current_replicas", "The target's spec.replicas when it was decided.")
        self._ready = gauge("autoscaler_ready_replicas", "Ready pods of the target.")
        self._starting = gauge("autoscaler_starting_replicas", "Pods of the target that are on their way.")
        self._minimum = gauge("autoscaler_min_replicas", "The lower bound in force.")
        self._maximum = gauge("autoscaler_max_replicas", "The upper bound in force.")
        self._panicking = gauge("autoscaler_panic", "1 while the autoscaler is in panic (KPA).")
        self._paused = gauge("autoscaler_suppressed", "1 while a change is wanted but mode or a conflict forbids it.")
        by_metric = (*_OBJECT, "metric")
        self._value = gauge("autoscaler_metric_value", "The observed value, in the unit of its target.", by_metric)
        self._target = gauge("autoscaler_metric_target", "The value that the metric is held at.", by_metric)
        self._burst = gauge(
            "autoscaler_excess_burst_capacity",
            "Load that ready pods could take beyond the present one and targetBurstCapacity; below 0 it falls short.",
            by_metric,
        )
        self._coverage = gauge(
            "autoscaler_metric_coverage_ratio", "The share of the expected pods that answered.", by_metric
        )
        self._condition = gauge(
            "autoscaler_condition",
            "1 while a condition of the autoscaler is True, 0 while it is False; none while it is Unknown.",
            (*_OBJECT, "condition"),
        )
        self._foreseen = gauge(
            "autoscaler_forecast_load", "The load that the forecast provides for, of the whole workload.", by_metric
        )
        self._foreseen_low = gauge(
            "autoscaler_forecast_load_low", "Nine tenths of such forecasts were exceeded from here.", by_metric
        )
        self._foreseen_high = gauge(
            "autoscaler_forecast_load_high", "Nine tenths of such forecasts were not exceeded beyond this.", by_metric
        )
        self._foreseen_error = gauge(
            "autoscaler_forecast_error_ratio", "Mean error of the forecasts of late, as a share of the load.", by_metric
        )
        self._shadow = gauge("autoscaler_shadow_desired_replicas", "Replicas that the shadow policy would ask for.")
        self._insecure = gauge(
            "autoscaler_insecure_skip_verify", "1 while a source of the autoscaler accepts any certificate."
        )
        self.autoscalers = gauge("autoscalers", "Autoscalers this replica works on, by state.", ("state",))
        self.decisions = counter(
            "decisions", "Decisions by what they did and the step that set them.", ("direction", "reason")
        )
        self.scalings = counter("scalings", "Scale patches by outcome.", ("outcome",))
        self.tick_seconds = histogram("tick_duration_seconds", "Time to decide and carry out one tick.")
        self.tick_lag = histogram("tick_lag_seconds", "How late a tick began.")
        self.loop_lag = histogram("loop_lag_seconds", "How late the event loop ran a task that was due.")
        self.tasks = gauge("tasks", "Tasks of the event loop: some twenty, and one per active autoscaler.", ())
        self.crashes = counter("worker_crashes", "Workers that ended by an unexpected error and were restarted.")
        self.scrape_seconds = histogram("scrape_duration_seconds", "Time of one scrape that got an answer.")
        self.scrape_failures = counter("scrape_failures", "Scrapes without a value, by reason.", ("reason",))
        self.api_requests = counter(
            "api_requests", "Requests to the API server; code 0 is no answer.", ("verb", "resource", "code")
        )
        self.api_seconds = histogram("api_request_duration_seconds", "Time of requests to the API server.", ("verb",))
        self.leader = gauge("leader", "1 while this replica holds the shard's lease.", ("shard",))
        self._series: dict[tuple[Gauge, tuple[str, ...]], Gauge] = {}
        """What there is of the gauges above, by labels."""
        self._metrics: dict[Key, set[str]] = {}
        self._conditions: dict[Key, set[str]] = {}

    def decided(self, decision: Decision, applied: Applied) -> None:
        """One tick of one autoscaler."""
        labels = (decision.key.namespace, decision.key.name)
        self._set(self._desired, labels, decision.desired)
        self._set(self._current, labels, decision.current)
        self._set(self._ready, labels, decision.ready)
        self._set(self._starting, labels, decision.starting)
        self._set(self._minimum, labels, decision.bounds.minimum)
        self._set(self._maximum, labels, decision.bounds.maximum)
        self._set(self._panicking, labels, any(proposal.panicking for proposal in decision.proposals))
        self._set(self._paused, labels, applied.outcome is Outcome.SUPPRESSED)
        self._observed(decision)
        self._foresaw(decision)
        self._judged(decision)
        change = decision.desired - decision.current
        direction = "up" if change > 0 else "down" if change < 0 else "none"
        self.decisions.labels(direction, decision.reason).inc()
        if applied.outcome not in (Outcome.UNCHANGED, Outcome.SUPPRESSED):
            self.scalings.labels(applied.outcome.value).inc()

    def _foresaw(self, decision: Decision) -> None:
        """The forecasts and the shadow; what is not known is no sample."""
        labels = (decision.key.namespace, decision.key.name)
        for outlook in decision.outlooks:
            for gauge, value in (
                (self._foreseen, outlook.load),
                (self._foreseen_low, outlook.low),
                (self._foreseen_high, outlook.high),
                (self._foreseen_error, outlook.error),
            ):
                if value is None:
                    self._remove(gauge, (*labels, outlook.metric))
                else:
                    self._set(gauge, (*labels, outlook.metric), value)
        for metric in self._metrics.get(decision.key, set()) - {outlook.metric for outlook in decision.outlooks}:
            for gauge in (self._foreseen, self._foreseen_low, self._foreseen_high, self._foreseen_error):
                self._remove(gauge, (*labels, metric))
        if decision.shadow is None:
            self._remove(self._shadow, labels)
        else:
            self._set(self._shadow, labels, decision.shadow.desired)

    def _observed(self, decision: Decision) -> None:
        labels = (decision.key.namespace, decision.key.name)
        known = self._metrics.setdefault(decision.key, set())
        for proposal in decision.proposals:
            known.add(proposal.metric)
            if proposal.value is None:
                # A value that is not known is no sample, never an old one or a zero.
                self._remove(self._value, (*labels, proposal.metric))
            else:
                self._set(self._value, (*labels, proposal.metric), proposal.value)
            if proposal.excess_burst_capacity is None:
                self._remove(self._burst, (*labels, proposal.metric))
            else:
                self._set(self._burst, (*labels, proposal.metric), proposal.excess_burst_capacity)
            if proposal.target is not None:
                self._set(self._target, (*labels, proposal.metric), proposal.target)
        for signal in decision.signals:
            known.add(signal.metric)
            self._set(self._coverage, (*labels, signal.metric), signal.coverage)
        for metric in known - {proposal.metric for proposal in decision.proposals}:
            self._forget_metric(decision.key, metric)

    def _judged(self, decision: Decision) -> None:
        labels = (decision.key.namespace, decision.key.name)
        told = {condition.type: condition.status for condition in decision.conditions if condition.status is not None}
        for name, holds in told.items():
            self._set(self._condition, (*labels, name), holds)
        for name in self._conditions.get(decision.key, set()) - told.keys():
            self._remove(self._condition, (*labels, name))
        self._conditions[decision.key] = set(told)

    def scraped(self, seconds: float, failure: Failure | None) -> None:
        """One scrape of a pod."""
        if failure is None:
            self.scrape_seconds.observe(seconds)
        else:
            self.scrape_failures.labels(failure.reason.value).inc()

    def insecure(self, key: Key, skips: bool) -> None:
        """Whether any of an autoscaler's sources accepts any certificate."""
        self._set(self._insecure, (key.namespace, key.name), skips)

    def forget(self, key: Key) -> None:
        """An autoscaler is gone, and its series with it."""
        for metric in tuple(self._metrics.pop(key, ())):
            self._forget_metric(key, metric)
        for condition in self._conditions.pop(key, ()):
            self._remove(self._condition, (key.namespace, key.name, condition))
        for gauge in (
            self._desired,
            self._current,
            self._ready,
            self._starting,
            self._minimum,
            self._maximum,
            self._panicking,
            self._paused,
            self._insecure,
            self._shadow,
        ):
            self._remove(gauge, (key.namespace, key.name))

    def _forget_metric(self, key: Key, metric: str) -> None:
        self._metrics.get(key, set()).discard(metric)
        for gauge in (
            self._value,
            self._target,
            self._burst,
            self._coverage,
            self._foreseen,
            self._foreseen_low,
            self._foreseen_high,
            self._foreseen_error,
        ):
            self._remove(gauge, (key.namespace, key.name, metric))

    def api_request(self, verb: str, resource: str, code: int, seconds: float) -> None:
        """One request to the API server; `kube.client.Observe`."""
        if not resource or resource.startswith("."):
            # Discovery, of a group that any object can make up, too.
            resource = "discovery"
        for group in _METRICS_APIS:
            # There the resource is the metric's name, which any object can make up.
            if resource.endswith(group):
                resource = group
        self.api_requests.labels(verb, resource, str(code)).inc()
        if verb != "WATCH":
            self.api_seconds.labels(verb).observe(seconds)

    def _set(self, gauge: Gauge, labels: tuple[str, ...], value: float) -> None:
        """Set one series. Looking it up by its labels costs many times as much, and each tick sets twenty."""
        series = self._series.get((gauge, labels))
        if series is None:
            series = self._series[gauge, labels] = gauge.labels(*labels)
        series.set(value)

    def _remove(self, gauge: Gauge, labels: tuple[str, ...]) -> None:
        if self._series.pop((gauge, labels), None) is not None:
            gauge.remove(*labels)

"""Answers of the Kubernetes metrics APIs as thousandths. The sources that read metrics.k8s.io and its kin call it.

A pod's usage is what its containers use; one that lacks the resource leaves the whole pod without a value, because a
part of the load would otherwise pass for all of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from podtide.core.model import quantity
from podtide.core.model.reading import Failure, Reason, Span

DEFAULT_WINDOW = 60.0
"""Seconds a custom metric is taken to cover where the API does not say."""


@dataclass(frozen=True, slots=True)
class PodUsage:
    """One item of metrics.k8s.io."""

    pod: str
    at: float
    """Seconds since 1970."""
    window: float
    """Seconds."""
    containers: Sequence[tuple[str, Mapping[str, str]]]
    """Container name and its usage: resource name → quantity."""


@dataclass(frozen=True, slots=True)
class Value:
    """One item of custom.metrics.k8s.io or external.metrics.k8s.io."""

    value: str
    """A quantity."""
    pod: str = ""
    """The described pod's name, for metrics of pods."""
    at: float = 0.0
    """Seconds since 1970."""
    window: float | None = None
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one answer says of pods, by pod name. A pod may be in none of them: then the API has no value for it."""

    values: dict[str, int] = field(default_factory=dict)
    """Thousandths."""
    spans: dict[str, Span] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)


def usage(items: Iterable[PodUsage], resource: str, container: str | None = None) -> Measured | Failure:
    """What the pods use of a resource, of one container if one is named. No items at all is a failure."""
    measured, answered = Measured(), False
    for item in items:
        answered = True
        try:
            amount = _used(item.containers, resource, container)
        except quantity.QuantityError as error:
            measured.failures[item.pod] = Failure(Reason.PARSE, str(error))
            continue
        if amount is not None:
            measured.values[item.pod] = amount
            measured.spans[item.pod] = Span(item.at, item.window)
    return measured if answered else Failure(Reason.NO_DATA, "no metrics returned from resource metrics API")


def of_pods(items: Iterable[Value]) -> Measured | Failure:
    """A custom metric of pods. No items at all is a failure; of two for one pod the later counts."""
    measured, answered = Measured(), False
    for item in items:
        answered = True
        try:
            amount = quantity.milli(item.value)
        except quantity.QuantityError as error:
            measured.failures[item.pod] = Failure(Reason.PARSE, str(error))
            continue
        measured.values[item.pod] = amount
        measured.spans[item.pod] = Span(item.at, DEFAULT_WINDOW if item.window is None else item.window)
    return measured if answered else Failure(Reason.NO_DATA, "no metrics returned from custom metrics API")


def of_workload(items: Iterable[Value]) -> list[int] | Failure:
    """An external metric's values, or the one of a described object, in thousandths and in order.

    None at all is a failure, and so is one that is no quantity: the rest would pass for the whole.
    """
    try:
        values = [quantity.milli(item.value) for item in items]
    except quantity.QuantityError as error:
        return Failure(Reason.PARSE, str(error))
    return values or Failure(Reason.NO_DATA, "no metrics returned from external metrics API")


def _used(containers: Sequence[tuple[str, Mapping[str, str]]], resource: str, container: str | None) -> int | None:
    # Each container is rounded on its own before adding, as Kubernetes does.
    if container is not None:
        amounts = [used.get(resource) for name, used in containers if name == container]
    else:
        amounts = [used.get(resource) for _, used in containers]
    if not amounts or None in amounts:
        return None
    return quantity.saturate(sum(quantity.milli(amount) for amount in amounts if amount is not None))

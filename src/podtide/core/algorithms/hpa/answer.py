"""What the calculator answers: a count and the clause it rests on, or a named trouble."""

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """The clause of the algorithm that set a count."""

    PLAIN_WITHIN = "plain_within"
    """All pods known, inside the tolerance."""
    PLAIN_SCALED = "plain_scaled"
    """All pods known, outside the tolerance."""
    PLAIN_SCALED_AGAINST_DIRECTION = "plain_scaled_against_direction"
    """The same, but the counted pods differ so much from the current count that it moves against the ratio."""
    REBALANCED_WITHIN = "rebalanced_within"
    """With guesses for the unknown pods it is inside the tolerance."""
    REBALANCED_DIRECTION_REVERSED = "rebalanced_direction_reversed"
    """The guesses turned the direction round, so nothing is done."""
    REBALANCED_COUNT_REVERSED = "rebalanced_count_reversed"
    """The ratio kept its direction, the count did not, so nothing is done."""
    REBALANCED_SCALED = "rebalanced_scaled"
    """Even with guesses that resist the change, it is outside the tolerance."""
    WITHIN = "within"
    """A value of the whole workload inside the tolerance."""
    SCALED = "scaled"
    """The same, outside: an even share of it per pod."""
    VALUE_SCALED = "value_scaled"
    """The same, outside: its ratio times the ready pods."""
    FROM_ZERO = "from_zero"
    """No replicas: the value alone decides, without tolerance."""


class TroubleKind(StrEnum):
    """Why there is no count."""

    METRICS_UNAVAILABLE = "metrics_unavailable"
    NO_PODS = "no_pods"
    NO_USABLE_METRICS = "no_usable_metrics"
    MISSING_REQUEST = "missing_request"
    MISSING_POD_REQUEST = "missing_pod_request"
    CONTAINER_NOT_FOUND = "container_not_found"
    ZERO_REQUESTS = "zero_requests"
    INVALID_TARGET = "invalid_target"
    """Ours: a spec that the decoder should have refused."""


NO_PODS = "no pods returned by selector while calculating replica count"
NO_USABLE_METRICS = "did not receive metrics for targeted pods (pods might be unready)"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One metric that cannot say."""

    kind: TroubleKind
    text: str
    """Word for word what Kubernetes reports, where it has the case."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The count one metric asks for."""

    replicas: int
    """Can be negative where a value is; whoever applies it stops at zero."""
    rule: Rule
    ratio: float
    """Usage over target, as the last step saw it."""
    usage: int | None
    """Thousandths, before any guess: per pod for average and utilization targets, else the whole workload's.

    None where it would be a share of no replicas.
    """
    utilization: int | None = None
    """Per cent of the requests, before any guess; None for other targets."""

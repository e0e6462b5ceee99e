"""The replica count that per-pod values ask for. Unknown pods are guessed so that the guess resists the change."""

from collections.abc import Mapping, Sequence

from podtide.core.algorithms.hpa import arithmetic, pods, requests
from podtide.core.algorithms.hpa.answer import NO_PODS, NO_USABLE_METRICS, Answer, Rule, Trouble, TroubleKind
from podtide.core.algorithms.hpa.measures import AverageValue, Measure, Utilization
from podtide.core.model.spec import Tolerance
from podtide.core.model.view import PodView


def for_average(
    listed: Sequence[PodView],
    usage: Mapping[str, int],
    target: int,
    *,
    current: int,
    tolerance: Tolerance,
    readiness: pods.Readiness | None,
) -> Answer | Trouble:
    """The count that holds the mean of the pods' values at the target.

    `usage` is pod uid → thousandths, `target` thousandths, `current` the scale's spec.replicas; `readiness` is given
    for cpu.
    """
    counted = _counted(listed, usage, readiness)
    if isinstance(counted, Trouble):
        return counted
    return _answer(AverageValue(target), *counted, current=current, tolerance=tolerance)


def for_utilization(
    listed: Sequence[PodView],
    usage: Mapping[str, int],
    target: int,
    *,
    resource: str,
    container: str | None,
    current: int,
    tolerance: Tolerance,
    readiness: pods.Readiness | None,
) -> Answer | Trouble:
    """The count that holds the pods' use of a resource at `target` per cent of what they request of it.

    With a container's name `usage` is of that container alone, and so are the requests.
    """
    counted = _counted(listed, usage, readiness)
    if isinstance(counted, Trouble):
        return counted
    # After the values, as upstream: "no metrics" wins over "missing request". Failed and leaving pods count here.
    requested = requests.of_pods(listed, resource, container)
    if isinstance(requested, Trouble):
        return requested
    return _answer(Utilization(target, requested), *counted, current=current, tolerance=tolerance)


def _counted(
    listed: Sequence[PodView], usage: Mapping[str, int], readiness: pods.Readiness | None
) -> tuple[pods.Groups, Mapping[str, int]] | Trouble:
    """The pods in groups, and the values without those of unready and ignored pods."""
    if not listed:
        return Trouble(TroubleKind.NO_PODS, NO_PODS)
    groups = pods.group(listed, usage, readiness)
    if groups.unready or groups.ignored:
        left_out = {*groups.unready, *groups.ignored}
        usage = {uid: value for uid, value in usage.items() if uid not in left_out}
    if not usage:
        return Trouble(TroubleKind.NO_USABLE_METRICS, NO_USABLE_METRICS)
    return groups, usage


def _answer(
    measure: Measure, groups: pods.Groups, usage: Mapping[str, int], *, current: int, tolerance: Tolerance
) -> Answer | Trouble:
    level = measure.level(usage)
    if isinstance(level, Trouble):
        return level
    rule, ratio, replicas = _decide(measure, usage, groups, level.ratio, current=current, tolerance=tolerance)
    return Answer(replicas, rule, ratio, level.average, level.utilization)


def _decide(
    measure: Measure,
    usage: Mapping[str, int],
    groups: pods.Groups,
    ratio: float,
    *,
    current: int,
    tolerance: Tolerance,
) -> tuple[Rule, float, int]:
    if not groups.missing and not (groups.unready and ratio > 1.0):
        if arithmetic.is_within(ratio, tolerance):
            return Rule.PLAIN_WITHIN, ratio, current
        # The pods that were counted, not the current count: the load is theirs.
        replicas = arithmetic.count(ratio * groups.ready)
        against = _is_against(ratio, replicas, current)
        return Rule.PLAIN_SCALED_AGAINST_DIRECTION if against else Rule.PLAIN_SCALED, ratio, replicas

    guessed = {**usage, **_guesses(measure, groups, ratio)}
    level = measure.level(guessed)
    # The requests did not add up to zero without the guesses, and guesses only add to them.
    new = level.ratio if not isinstance(level, Trouble) else ratio
    if arithmetic.is_within(new, tolerance):
        return Rule.REBALANCED_WITHIN, new, current
    if (ratio < 1.0 < new) or (new < 1.0 < ratio):
        return Rule.REBALANCED_DIRECTION_REVERSED, new, current
    replicas = arithmetic.count(new * len(guessed))
    if _is_against(new, replicas, current):
        return Rule.REBALANCED_COUNT_REVERSED, new, current
    return Rule.REBALANCED_SCALED, new, replicas


def _guesses(measure: Measure, groups: pods.Groups, ratio: float) -> dict[str, int]:
    """Values for the pods that have none: as if busy when shrinking, as if idle when growing."""
    if ratio < 1.0:
        return {uid: measure.at_target(uid) for uid in groups.missing}
    if ratio > 1.0:
        return dict.fromkeys((*groups.missing, *groups.unready), 0)
    return {}


def _is_against(ratio: float, replicas: int, current: int) -> bool:
    return (ratio < 1.0 and replicas > current) or (ratio > 1.0 and replicas < current)

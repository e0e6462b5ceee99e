"""A load that is coming asks for pods before it is there; that only ever raises a count. `judge` and others call.

The forecast looks as far ahead as the target's pods take to start. What it asks for goes through everything around the
strategy like what the metrics ask for, so the rates, the stabilisation and the bounds hold for it too.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

from podtide.core.algorithms import ratio, target
from podtide.core.forecast import Foresight, startup
from podtide.core.limits import freshness
from podtide.core.memory import Frozen, Memory
from podtide.core.model.decision import Note, Outlook
from podtide.core.model.spec import AutoscalerSpec, Forecast, Hpa, MetricSpec, TargetType
from podtide.core.model.view import TargetView

STAGE = "forecast"


def absorb(memory: Memory, spec: AutoscalerSpec, metric: MetricSpec, at: float, load: float) -> None:
    """Take note of a metric's whole load."""
    if spec.forecast is None:
        memory.forecasts.clear()
        return
    known = memory.forecasts.get(metric.id)
    if isinstance(known, Frozen):
        known = _restored(spec.forecast, known)
    if known is None:
        known = Foresight(spec.forecast)
    elif known.rules != spec.forecast:
        known.obey(spec.forecast)
    memory.forecasts[metric.id] = known
    known.absorb(at, load, memory.horizon)


def _restored(rules: Forecast, saved: Frozen) -> Foresight | None:
    """What a snapshot held; None where it is of other rules or another version."""
    try:
        return Foresight.restore(rules, saved.data)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def horizon(spec: AutoscalerSpec, view: TargetView) -> float | None:
    """How many seconds ahead to look: a start-up time, and the tick it takes to ask. None where that is not known."""
    if spec.forecast is None:
        return None
    seconds = spec.forecast.horizon
    if seconds is None:
        seconds = startup.learned(view, limit=spec.starting_limit)
    return None if seconds is None else seconds + spec.interval


def outlooks(memory: Memory, spec: AutoscalerSpec, view: TargetView, now: float) -> tuple[Outlook, ...]:
    """What each metric's load will be, and the count that it will need then."""
    if spec.forecast is None:
        return ()
    # Looking farther than has been practised would be a forecast of unknown quality.
    ahead = memory.horizon
    found = (_outlook(memory, spec, metric, view, ahead, now) for metric in spec.metrics if not metric.is_input)
    return tuple(outlook for outlook in found if outlook is not None)


def _outlook(
    memory: Memory, spec: AutoscalerSpec, metric: MetricSpec, view: TargetView, ahead: float | None, now: float
) -> Outlook | None:
    known, kept = memory.forecasts.get(metric.id), memory.metrics.get(metric.id)
    if not isinstance(known, Foresight) or kept is None or kept.at is None:
        return None
    if metric.threshold.kind is TargetType.VALUE:
        return Outlook(metric.id, reason="NotALoad", message="a target for the whole says nothing about a load to come")
    if now - kept.at > freshness.max_age(metric.interval):
        return Outlook(metric.id, reason="StaleMetrics", message="the newest value is too old to look ahead from")
    outlook = known.outlook(metric.id, now, ahead)
    share = target.per_pod(metric, view)
    if outlook.load is None or share is None or share <= 0:
        return outlook
    needed = outlook.load / share
    # A forecast that is off by a tenth of the load cannot tell whether a tenth more will be needed: it would add a pod
    # and give it back, over and over.
    band = max(spec.algorithm.tolerance.up, outlook.error or 0.0)
    if view.replicas < needed <= view.replicas * (1.0 + band):
        told = f"{outlook.message}; {needed:.3g} pods, within {band:.0%} of those there are"
        return replace(outlook, replicas=view.replicas, message=told)
    # A hair less, so that a load which is the pods' exact share does not round up.
    return replace(outlook, replicas=ratio.count(ratio.ceiling(needed - 1e-9)))


def lift(
    asked: int, found: Iterable[Outlook], spec: AutoscalerSpec, *, ready: int, current: int
) -> tuple[int, Note | None]:
    """The count that the highest forecast asks for, if that is more, as far as the strategy's up rate goes."""
    best = max((each for each in found if each.replicas is not None), key=lambda each: each.replicas or 0, default=None)
    if best is None or best.replicas is None or current == 0:
        return asked, None
    rules = spec.algorithm
    # HPA's rate is that of `behavior`, or Kubernetes' doubling; both follow later.
    most = best.replicas if isinstance(rules, Hpa) else math.ceil(rules.max_scale_up_rate * max(1, ready))
    wanted = min(best.replicas, most)
    if wanted <= asked:
        return asked, None
    return wanted, Note(STAGE, asked, wanted, best.reason, f"{best.metric}: {best.message}")

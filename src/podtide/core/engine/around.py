"""The limits around every strategy, in their order: stabilise, rates, bounds. `decide` calls this, and the vectors do.

Kubernetes has two ways here: with `behavior`, and without. The first is every strategy's where the object has
`behavior`; the second is HPA's own. KPA and APA without `behavior` have AIBrix's cooldown windows, and their own rates.
"""

from typing import NamedTuple

from podtide.core.limits import bounds as limits
from podtide.core.limits import rates, stabilise
from podtide.core.model.decision import Note
from podtide.core.model.history import History
from podtide.core.model.spec import AutoscalerSpec, Behavior, Bounds, Cooldown, Hpa


class Limited(NamedTuple):
    """A count after the limits."""

    replicas: int
    stable: int
    """Between stabilising and limiting."""
    stabilised: Note | None
    """Why it was held back, if it was."""
    limited: Note | None
    """The rate or the bound that cut it, if one did."""
    notes: tuple[Note, ...]
    """Both, in order."""
    outdated: float
    """Recommendations made before this no longer count."""


def limit(
    spec: AutoscalerSpec, replicas: int, history: History, *, current: int, bounds: Bounds, now: float
) -> Limited:
    """What is left of a proposal. The current count is within the bounds, or zero."""
    if spec.behavior is not None:
        # A share of no pods is none: with Kubernetes' arithmetic alone, policies of shares would never let it wake.
        return with_behavior(
            replicas,
            spec.behavior,
            history,
            current=current,
            bounds=bounds,
            otherwise=spec.cooldown.down,
            first=0 if spec.is_exact else 1,
            now=now,
        )
    if isinstance(spec.algorithm, Hpa) and not spec.cooldown.up:
        return without_behavior(replicas, history, current=current, bounds=bounds, window=spec.cooldown.down, now=now)
    return with_cooldown(
        replicas,
        spec.cooldown,
        history,
        current=current,
        bounds=bounds,
        is_doubling=isinstance(spec.algorithm, Hpa),
        now=now,
    )


def with_behavior(
    replicas: int,
    behavior: Behavior,
    history: History,
    *,
    current: int,
    bounds: Bounds,
    otherwise: float,
    first: int = 0,
    now: float,
) -> Limited:
    """Kubernetes with `behavior`.

    `otherwise` is the scale-down window in seconds where the rules leave it open; `first` what a wake may always have.
    """
    up = behavior.up.window or 0.0
    down = otherwise if behavior.down.window is None else behavior.down.window
    stable, held = stabilise.between(replicas, history, current=current, up=up, down=down, now=now)
    paced, rate = rates.policies(
        stable, behavior.up, behavior.down, history, current=current, bounds=bounds, first=first, now=now
    )
    within, bound = limits.ahead(paced, bounds, current=current)
    return _limited(within, stable, held, rate, bound, outdated=now - max(up, down))


def without_behavior(
    replicas: int, history: History, *, current: int, bounds: Bounds, window: float, now: float
) -> Limited:
    """Kubernetes without `behavior`. `window` is the scale-down stabilisation in seconds."""
    stable, held = stabilise.hold_peak(replicas, history, window=window, now=now)
    if stable < bounds.minimum:
        # Before the rate: a return into the bounds is not held up by it.
        within, bound = limits.clamp(stable, bounds)
        return _limited(within, stable, held, None, bound, outdated=now - window)
    paced, rate = rates.doubling(stable, current=current, bounds=bounds)
    within, bound = (paced, None) if rate else limits.clamp(paced, bounds)
    return _limited(within, stable, held, rate, bound, outdated=now - window)


def with_cooldown(
    replicas: int,
    cooldown: Cooldown,
    history: History,
    *,
    current: int,
    bounds: Bounds,
    is_doubling: bool,
    now: float,
) -> Limited:
    """AIBrix's cooldown windows; the rates are the algorithm's own, or Kubernetes' doubling for HPA."""
    stable, held = stabilise.between(replicas, history, current=current, up=cooldown.up, down=cooldown.down, now=now)
    paced, rate = rates.doubling(stable, current=current, bounds=bounds) if is_doubling else (stable, None)
    within, bound = limits.clamp(paced, bounds)
    return _limited(within, stable, held, rate, bound, outdated=now - max(cooldown.up, cooldown.down))


def _limited(
    replicas: int, stable: int, held: Note | None, rate: Note | None, bound: Note | None, *, outdated: float
) -> Limited:
    notes = tuple(note for note in (held, rate, bound) if note is not None)
    return Limited(replicas, stable, held, bound or rate, notes, outdated)

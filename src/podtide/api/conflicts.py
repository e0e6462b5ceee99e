"""Which autoscalers want the same target: `validate` asks for the objects of its files. (In a cluster, where
HorizontalPodAutoscalers count too and the older acts, `targets.rivals` watches.)"""

from collections.abc import Iterable
from itertools import combinations

from podtide.core.model import spec


def between(specs: Iterable[spec.AutoscalerSpec]) -> list[tuple[spec.AutoscalerSpec, spec.AutoscalerSpec]]:
    """Every pair that would scale the same thing, in the order given."""
    acting = [one for one in specs if one.mode is spec.Mode.ACTIVE]
    return [(one, other) for one, other in combinations(acting, 2) if is_conflict(one, other)]


def is_conflict(one: spec.AutoscalerSpec, other: spec.AutoscalerSpec, *, pooled: bool = True) -> bool:
    """Whether two autoscalers scale the same thing. Versions of one API group serve the same objects.

    `pooled` is what the object with the roles is, for autoscalers that leave it to that.
    """
    if one.key == other.key or one.key.namespace != other.key.namespace or _identity(one) != _identity(other):
        return False
    mine, theirs = _role(one.target, pooled=pooled), _role(other.target, pooled=pooled)
    # Who scales the whole scales every role of it.
    return mine is None or theirs is None or mine == theirs


def _identity(one: spec.AutoscalerSpec) -> tuple[str, str, str]:
    return one.target.api_version.rpartition("/")[0], one.target.kind, one.target.name


def _role(target: spec.TargetRef, *, pooled: bool) -> str | None:
    """The role that is scaled; in replica mode a role only says which pods are measured."""
    mode = target.role_mode or ("pool" if pooled else "replica")
    return None if mode == "replica" else target.role

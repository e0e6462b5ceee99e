"""What must hold between fields once each is readable by itself. `decode` calls this last."""

from collections.abc import Mapping
from typing import Any

from podtide.api import defaults
from podtide.api.annotations import Tuning
from podtide.api.errors import Findings
from podtide.core.engine import zero
from podtide.core.model import spec


def bounds(fields: Mapping[str, Any], tuning: Tuning, findings: Findings) -> spec.Bounds | None:
    """The bounds outside every schedule; None if they are unusable, which is then noted."""
    maximum = fields.get("maxReplicas")
    minimum = fields.get("minReplicas", defaults.MIN_REPLICAS)
    usable = True
    if minimum < 0:
        findings.problem("spec.minReplicas", minimum, "is negative; write 0 or more")
        usable = False
    if maximum is None:
        return None
    if maximum < 1:
        findings.problem("spec.maxReplicas", maximum, "is too small; write at least 1")
        usable = False
    elif minimum > maximum:
        findings.problem("spec.minReplicas", minimum, f"is greater than maxReplicas {maximum}; write at most {maximum}")
        usable = False
    if not usable:
        return None
    return spec.Bounds(_floor(minimum, tuning, findings), maximum)


def _floor(minimum: int, tuning: Tuning, findings: Findings) -> int:
    path = 'metadata.annotations["autoscaling.aibrix.ai/scale-to-zero"]'
    wanted = tuning.get("to_zero", None)
    if wanted is True and minimum > 0:
        findings.warn(path, "true", f"does nothing while minReplicas is {minimum}; write minReplicas: 0")
    if wanted is False and minimum == 0:
        findings.warn(path, "false", "keeps one replica although minReplicas is 0; remove one of them")
        return 1
    return minimum


def whole(decoded: spec.AutoscalerSpec, findings: Findings) -> None:
    """Everything that takes more than one part of the spec to see."""
    _fallback(decoded, findings)
    _zero(decoded, findings)
    _role(decoded, findings)


def _fallback(decoded: spec.AutoscalerSpec, findings: Findings) -> None:
    fallback, limits = decoded.fallback, decoded.bounds
    if fallback is not None and not limits.minimum <= fallback.replicas <= limits.maximum:
        findings.warn(
            "spec.fallback.replicas",
            fallback.replicas,
            f"is outside the bounds, which always hold; write {limits.minimum} to {limits.maximum}",
        )


def _zero(decoded: spec.AutoscalerSpec, findings: Findings) -> None:
    """Without pods, only a source that needs none can tell that there is work."""
    lowest = min([decoded.bounds.minimum, *(s.minimum for s in decoded.schedules if s.minimum is not None)])
    if lowest == 0 and decoded.metrics and not zero.has_waker(decoded):
        findings.warn(
            "spec.minReplicas",
            0,
            "allows zero, but no metrics source works without pods, so nothing would wake the workload; "
            "add an external or prometheus source, or write 1",
        )


def _role(decoded: spec.AutoscalerSpec, findings: Findings) -> None:
    target = decoded.target
    if target.role is not None and target.kind in {"Deployment", "StatefulSet", "ReplicaSet"}:
        findings.problem(
            "spec.subTargetSelector.roleName", target.role, f"does not go with a {target.kind}, which has no roles"
        )

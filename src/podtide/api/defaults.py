"""What an object means where it says nothing. `decode` asks here; nothing else knows a default of the API."""

from podtide.api.settings import Settings
from podtide.core.model import spec

MIN_REPLICAS = 1
OBSERVE_WINDOW = 180.0
"""Seconds."""
PANIC_WINDOW = 60.0
"""Seconds."""
TIMEZONE = "UTC"
ENDPOINT_PATH = "/metrics"
CA_KEY = "ca.crt"
BEARER_KEY = "token"
HEADER_KEY = "value"

_APPS = frozenset({"Deployment", "StatefulSet", "ReplicaSet"})


def api_version(kind: str) -> str | None:
    """The group and version of a kind that everybody knows, for references that leave it out."""
    if kind in _APPS:
        return "apps/v1"
    return "v1" if kind == "ReplicationController" else None


def interval(strategy: str, settings: Settings) -> float:
    """Seconds between two readings of a source that does not say."""
    return settings.intervals.kpa if strategy == "KPA" else settings.intervals.others


def panic_window(observe: float) -> float:
    """Seconds; AIBrix refuses an observe window below its panic default, we shorten the panic window with it."""
    return min(PANIC_WINDOW, observe)


def tolerance(strategy: str, settings: Settings) -> spec.Tolerance:
    """The band in which nothing happens. Knative's algorithm has none, so KPA's is empty unless asked for."""
    share = 0.0 if strategy == "KPA" else settings.deciding.tolerance
    return spec.Tolerance(up=share, down=share)


UP_RULES = spec.ScalingRules(
    window=0.0,
    select=spec.SelectPolicy.MAX,
    policies=(spec.Policy("Pods", 4, 15.0), spec.Policy("Percent", 100, 15.0)),
)
"""autoscaling/v2's defaults for growing."""

DOWN_RULES = spec.ScalingRules(
    window=None,
    select=spec.SelectPolicy.MAX,
    policies=(spec.Policy("Percent", 100, 15.0),),
)
"""autoscaling/v2's defaults for shrinking; its window is the controller's."""

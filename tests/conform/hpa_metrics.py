"""autoscaling/v2 metrics and their vector data as the core's types, and upstream's words around the core's answers."""

from collections.abc import Mapping
from typing import Any

from podtide.core.algorithms.hpa import totals
from podtide.core.algorithms.hpa.answer import Answer, Trouble
from podtide.core.model import quantity
from podtide.core.model.reading import Failure, Reason
from podtide.core.model.signal import Signal
from podtide.core.model.spec import (
    Custom,
    External,
    MetricSpec,
    ObjectRef,
    Resource,
    Select,
    Source,
    TargetType,
    Threshold,
    Tolerance,
)
from tests.conform import hpa_pods

Wire = Mapping[str, Any]

BODIES = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}


def body(metric: Wire) -> Wire:
    """The part of a metric that its type names."""
    found: Wire = metric[BODIES[metric["type"]]]
    return found


def name(metric: Wire) -> str:
    """The metric's name, or the resource's."""
    inner = body(metric)
    return str(inner["name"] if "name" in inner else inner["metric"]["name"])


def spec(place: int, metric: Wire) -> MetricSpec:
    """One entry of an HPA's metrics."""
    return MetricSpec(
        id=f"{place}:{name(metric)}", source=_source(metric), select=Select(name(metric)), threshold=threshold(metric)
    )


def threshold(metric: Wire) -> Threshold:
    """The target. Where both are given, the average value counts."""
    target = body(metric)["target"]
    if "averageValue" in target:
        return _threshold(target["averageValue"], TargetType.AVERAGE_VALUE)
    if "averageUtilization" in target:
        return _threshold(str(target["averageUtilization"]), TargetType.UTILIZATION)
    return _threshold(target["value"], TargetType.VALUE)


def _threshold(text: str, kind: TargetType) -> Threshold:
    milli = quantity.milli(text)
    return Threshold(value=milli / 1000, milli=milli, kind=kind)


def _source(metric: Wire) -> Source:
    inner = body(metric)
    if metric["type"] in ("Resource", "ContainerResource"):
        return Resource(inner["name"], inner.get("container"))
    if metric["type"] == "External":
        return External(name(metric))
    if metric["type"] == "Pods":
        return Custom(name(metric))
    described = inner["describedObject"]
    return Custom(name(metric), ObjectRef(described.get("apiVersion", ""), described["kind"], described["name"]))


def signal(wanted: MetricSpec, metric: Wire, data: Wire, now: float) -> Signal:
    """One metric's data as a source would have handed it on."""
    error = _fetch_error(metric, data)
    if error is not None:
        return Signal(wanted.id, None, failure=Failure(Reason.API, error))
    total: int | None = None
    if metric["type"] == "Object":
        total = data.get("value_milli", 0)
    elif metric["type"] == "External":
        values = data.get("values_milli") or []
        is_average = wanted.threshold.kind is TargetType.AVERAGE_VALUE
        total = totals.added_up_for_average(values) if is_average else totals.added_up(values)
    return Signal(
        wanted.id,
        now,
        per_pod={pod: value / 1000 for pod, value in hpa_pods.usage(data.get("metrics")).items()},
        spans=hpa_pods.spans(data.get("metrics")),
        total=None if total is None else total / 1000,
        coverage=1.0,
        age=0.0,
    )


def _fetch_error(metric: Wire, data: Wire) -> str | None:
    """Why nothing was fetched, as upstream's clients say it. They are not the core's."""
    inner = body(metric)
    selector = inner.get("metric", {}).get("selector") or {}
    for condition in selector.get("matchExpressions", ()):
        if condition["operator"] not in ("In", "NotIn", "Exists", "DoesNotExist"):
            return f'"{condition["operator"]}" is not a valid label selector operator'
    if not data.get("error"):
        return None
    prefix = {
        "Resource": f"unable to get metrics for resource {name(metric)}: ",
        "ContainerResource": f"unable to get metrics for resource {name(metric)}: ",
        "Pods": f"unable to get metric {name(metric)}: ",
        "Object": f"unable to get metric {name(metric)}: {inner.get('describedObject', {}).get('kind')} on ns main/",
        "External": f"unable to get external metric ns/{name(metric)}/nil: ",
    }
    return prefix[metric["type"]] + str(data["error"])


def tolerance(behavior: Wire | None, flag: float) -> Tolerance:
    """The tolerances in force: `behavior`'s own, each direction for itself, else the controller's."""
    up, down = ((behavior or {}).get(direction) or {} for direction in ("scaleUp", "scaleDown"))
    return Tolerance(
        up=quantity.ratio(str(up["tolerance"])) if up.get("tolerance") is not None else flag,
        down=quantity.ratio(str(down["tolerance"])) if down.get("tolerance") is not None else flag,
    )


def title(metric: Wire) -> str:
    """What upstream calls the metric that won."""
    inner = body(metric)
    is_average = "averageValue" in inner["target"]
    described = inner.get("describedObject", {}).get("kind")
    return {
        "Resource": f"{name(metric)} resource" + ("" if is_average else " utilization (percentage of request)"),
        "ContainerResource": f"{name(metric)} container resource"
        + ("" if is_average else " utilization (percentage of request)"),
        "Pods": f"pods metric {name(metric)}",
        # Upstream's own slip: an object's average value is called an external metric.
        "Object": f"external metric {name(metric)}(nil)" if is_average else f"{described} metric {name(metric)}",
        "External": f"external metric {name(metric)}(nil)",
    }[metric["type"]]


def errors(metric: Wire, trouble: Trouble) -> tuple[str, str]:
    """The texts of ScalingActive and of the pass's error for a metric that could not be computed."""
    kind, label = metric["type"], name(metric)
    is_average = "averageValue" in body(metric)["target"]
    condition, outer = (
        trouble.text,
        {
            "Resource": f"failed to get {label} resource metric value: ",
            "ContainerResource": f"failed to get {body(metric).get('container')} container metric value: ",
            "Pods": "failed to get pods metric value: ",
            "Object": "failed to get object metric value: ",
            "External": f"failed to get {label} external metric value: ",
        }[kind],
    )
    error = condition
    if kind in ("Resource", "ContainerResource"):
        condition = error = f"failed to get {label} {'usage' if is_average else 'utilization'}: {error}"
    elif kind == "Object" and is_average:
        error = f"failed to get {label} object metric: {error}"
    elif kind == "External":
        wording = f"{label} external metric" if is_average else f"external metric {label}"
        error = f"failed to get {wording}: {error}"
    return condition, outer + error


def status(metric: Wire, answer: Answer) -> dict[str, Any]:
    """The metric's entry in an autoscaling/v2 status, with quantities in thousandths."""
    inner, target = body(metric), body(metric)["target"]
    current: dict[str, Any] = {"value" if "value" in target else "averageValue": answer.usage}
    if answer.utilization is not None:
        current["averageUtilization"] = answer.utilization
    kept = {key: value for key, value in inner.items() if key != "target"}
    return {"type": metric["type"], BODIES[metric["type"]]: {**kept, "current": current}}


def status_in_thousandths(wire: Wire | None) -> dict[str, Any] | None:
    """A status entry as upstream wrote it, with quantities in thousandths, so that they compare by value."""
    if wire is None:
        return None
    inner = wire[BODIES[wire["type"]]]
    current = {
        key: quantity.milli(value) if isinstance(value, str) else value for key, value in inner["current"].items()
    }
    return {"type": wire["type"], BODIES[wire["type"]]: {**inner, "current": current}}

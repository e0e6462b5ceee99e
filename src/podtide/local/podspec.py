"""What the API server fills into pods and pod templates, and what it refuses in them.

`strategies` uses it for pods and for every workload that has a template.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from podtide.local.refusals import Cause, Object


def fill(spec: Object) -> None:
    """Defaults of a pod spec, in place."""
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        _fill_container(container)
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")


def _fill_container(container: Object) -> None:
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    resources = container.setdefault("resources", {})
    for name, limit in (resources.get("limits") or {}).items():
        resources.setdefault("requests", {}).setdefault(name, limit)
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    image = str(container.get("image", "")).rpartition("/")[2]
    tagged = (":" in image and not image.endswith(":latest")) or "@" in image
    container.setdefault("imagePullPolicy", "IfNotPresent" if tagged else "Always")


def admit(pod: Object) -> None:
    """What admission adds to a new pod, and the status it starts with."""
    spec = pod.setdefault("spec", {})
    tolerations = spec.setdefault("tolerations", [])
    for trouble in ("not-ready", "unreachable"):
        key = f"node.kubernetes.io/{trouble}"
        if not any(toleration.get("key") == key for toleration in tolerations):
            tolerations.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})
    spec.setdefault("priority", 0)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    pod["status"] = {"phase": "Pending", "qosClass": _quality(spec)}


def _quality(spec: Object) -> str:
    resources = [container.get("resources") or {} for container in spec.get("containers") or ()]
    requests = [r.get("requests") or {} for r in resources]
    limits = [r.get("limits") or {} for r in resources]
    if not any(requests) and not any(limits):
        return "BestEffort"
    full = all({"cpu", "memory"} <= set(limit) for limit in limits)
    return "Guaranteed" if full and requests == limits else "Burstable"


def problems(spec: Any, path: str) -> Iterator[Cause]:
    """What a pod spec must have and has not."""
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if not containers:
        yield Cause("FieldValueRequired", "Required value", f"{path}.containers")
        return
    seen = set()
    for at, container in enumerate(containers):
        where = f"{path}.containers[{at}]"
        for name in ("name", "image"):
            if not container.get(name):
                yield Cause("FieldValueRequired", "Required value", f"{where}.{name}")
        if container.get("name") in seen:
            name = container["name"]
            yield Cause("FieldValueDuplicate", f'Duplicate value: "{name}"', f"{where}.name")
        seen.add(container.get("name"))
        for index, port in enumerate(container.get("ports") or ()):
            number = port.get("containerPort")
            if not isinstance(number, int) or not 0 < number < 65536:
                text = f"Invalid value: {number}: must be between 1 and 65535, inclusive"
                yield Cause("FieldValueInvalid", text, f"{where}.ports[{index}].containerPort")


_CHANGEABLE = ("image", "resources")


def fixed(spec: Object) -> Object:
    """What of a pod's spec may not change once it exists."""
    kept = {
        name: value
        for name, value in spec.items()
        if name not in ("activeDeadlineSeconds", "tolerations", "nodeName", "terminationGracePeriodSeconds")
    }
    for group in ("containers", "initContainers"):
        kept[group] = [
            {name: value for name, value in container.items() if name not in _CHANGEABLE}
            for container in spec.get(group) or ()
        ]
    return kept

"""What a kubelet writes into a pod's status, as changes to hand to `Store.patch`.

`pods.PodFleet` writes them as its pods start and become ready.
"""

from __future__ import annotations

from collections.abc import Callable

from podtide.local.refusals import Object
from podtide.local.store import timestamp

Change = Callable[[Object], Object]


def bound(node: str) -> Change:
    """The pod has a node."""

    def change(pod: Object) -> Object:
        pod["spec"]["nodeName"] = node
        return pod

    return change


def running(ip: str, now: float) -> Change:
    """The containers run; they are not ready yet."""
    at = timestamp(now)

    def change(pod: Object) -> Object:
        status = {**pod["status"], "phase": "Running", "hostIP": "127.0.0.1", "hostIPs": [{"ip": "127.0.0.1"}]}
        status |= {"podIP": ip, "podIPs": [{"ip": ip}], "startTime": at}
        told = (("PodScheduled", "True"), ("Initialized", "True"), ("ContainersReady", "False"), ("Ready", "False"))
        status["conditions"] = [_condition(kind, value, at) for kind, value in told]
        status["containerStatuses"] = [_container(one, at) for one in pod["spec"]["containers"]]
        return {**pod, "status": status}

    return change


def stuck(why: str) -> Change:
    """The containers cannot be started."""

    def change(pod: Object) -> Object:
        waiting = {"waiting": {"reason": "CreateContainerError", "message": why}}
        statuses = [
            {"name": one["name"], "image": one["image"], "ready": False, "restartCount": 0, "state": waiting}
            for one in pod["spec"]["containers"]
        ]
        return {**pod, "status": {**pod["status"], "containerStatuses": statuses}}

    return change


def ready(now: float) -> Change:
    """The containers are ready."""
    at = timestamp(now)

    def change(pod: Object) -> Object:
        status = dict(pod["status"])
        status["conditions"] = [
            _condition(one["type"], "True", at) if one["status"] == "False" else one
            for one in status.get("conditions") or ()
        ]
        status["containerStatuses"] = [{**one, "ready": True} for one in status.get("containerStatuses") or ()]
        return {**pod, "status": status}

    return change


def _condition(kind: str, value: str, at: str) -> Object:
    told: Object = {"type": kind, "status": value, "lastProbeTime": None, "lastTransitionTime": at}
    if value == "False":
        told |= {"reason": "ContainersNotReady", "message": "containers are starting"}
    return told


def _container(container: Object, at: str) -> Object:
    return {
        "name": container["name"],
        "state": {"running": {"startedAt": at}},
        "lastState": {},
        "ready": False,
        "restartCount": 0,
        "image": container["image"],
        "imageID": "",
        "containerID": "",
        "started": True,
    }

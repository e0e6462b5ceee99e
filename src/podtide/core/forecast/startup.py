"""How long a workload's pods take from created to ready, as those that are there show it. The engine asks."""

from podtide.core.model.view import TargetView

_SHARE = 0.75
"""Of the pods that were quicker: a pod that was late because of its node should not set the time for all."""


def learned(view: TargetView, *, limit: float) -> float | None:
    """Seconds from creation to ready that three quarters of the pods did not exceed; None where no pod shows it.

    A pod's Ready condition tells when it last changed, so one that failed in between looks slow. What took longer than
    `limit` seconds is therefore left out.
    """
    times = sorted(
        pod.ready_since - pod.created
        for pod in view.pods
        if pod.is_ready
        and pod.ready_since is not None
        and pod.created is not None
        and 0 <= pod.ready_since - pod.created <= limit
    )
    return times[int(_SHARE * (len(times) - 1))] if times else None

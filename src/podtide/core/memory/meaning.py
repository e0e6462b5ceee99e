"""What a metric's numbers are of: where they come from, and which series are meant. `Memory` asks, after an edit.

A metric keeps its name when its query, its labels or its port are edited. Numbers of before are then another quantity,
perhaps in another unit, and say nothing about the new one. How the source is asked (credentials, time limits) and
what the numbers are held against (the target) may change without that.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from podtide.core.model.spec import Endpoint, Formula, Http, MetricSpec, PodPage, Query


def digest(metric: MetricSpec, metrics: Sequence[MetricSpec]) -> str:
    """Short text that is equal for specs whose numbers go on from one another. `metrics` are all of the autoscaler."""
    return hashlib.blake2b(_told(metric, metrics).encode(), digest_size=8).hexdigest()


def _told(metric: MetricSpec, metrics: Sequence[MetricSpec]) -> str:
    source = metric.source
    if isinstance(source, PodPage | Endpoint | Query):
        source = replace(source, http=Http())
    inputs: list[str] = []
    if isinstance(source, Formula):
        used = {id_ for _, id_ in source.inputs}
        inputs = [_told(each, metrics) for each in metrics if each.id in used and each is not metric]
    return f"{source!r} {metric.select!r} {metric.derive!r} {inputs}"

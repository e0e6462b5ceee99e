"""Who else scales a target: the older one acts, the younger says so (DESIGN §6, rule 2).

A younger HorizontalPodAutoscaler acts, too, since it knows nothing of us: then it is the older that says so.

What counts as the same target is `api.conflicts`' to say: a role and the whole it is in are, two roles are not, and an
autoscaler that changes nothing (DryRun, Paused) disturbs nobody. A rival that goes is gone at the next tick.
"""

import bisect
import contextlib
import itertools
from dataclasses import dataclass
from datetime import UTC, datetime

from podtide.api import conflicts
from podtide.core.model.spec import AutoscalerSpec, Key, Mode, TargetRef
from podtide.kube import errors, kinds, objects
from podtide.kube.cache import Cache
from podtide.kube.informers import Informers
from podtide.targets.ownership import FIRST_LIST

_Age = tuple[datetime, str]
MOST_TOLD = 10
"""Rivals that are named."""
_NEVER = datetime.max.replace(tzinfo=UTC)
"""When an autoscaler from a file was made: that is not known, so it gives way to every HorizontalPodAutoscaler."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """An autoscaler of ours."""

    spec: AutoscalerSpec
    metadata: objects.Meta
    target: str


class Rivals:
    """Every autoscaler by its target, Podtide's own and Kubernetes'."""

    def __init__(self, informers: Informers) -> None:
        self._informers = informers
        self._hpas: Cache[objects.Hpa] = informers.cache(kinds.HPAS, target=_hpa_target)
        self._claims: dict[Key, _Claim] = {}
        self._by_target: dict[str, list[tuple[_Age, str, Key]]] = {}
        """Those that scale it, the oldest first."""

    def put(self, spec: AutoscalerSpec, metadata: objects.Meta) -> None:
        """An autoscaler of ours and what it scales."""
        self.drop(spec.key)
        claim = self._claims[spec.key] = _Claim(spec, metadata, _target(spec))
        if spec.mode is Mode.ACTIVE:
            bisect.insort(self._by_target.setdefault(claim.target, []), _place(metadata, spec.key))

    def drop(self, key: Key) -> None:
        """An autoscaler of ours is gone, or is not valid any more."""
        claim = self._claims.pop(key, None)
        if claim is not None:
            listed = self._by_target.get(claim.target, [])
            mine = _place(claim.metadata, key)
            place = bisect.bisect_left(listed, mine)
            if listed[place : place + 1] == [mine]:
                del listed[place]
            if not listed:
                self._by_target.pop(claim.target, None)

    async def listed(self) -> None:
        """Wait for the first list of HorizontalPodAutoscalers: until then an older one would go unseen.

        Raises:
            KubeError: they cannot be listed now. Who may not list them at all, knows of none.
        """
        if not self._hpas.synced.is_set():
            with contextlib.suppress(errors.Forbidden, errors.NotFound):
                await self._informers.listed(kinds.HPAS, within=FIRST_LIST)

    def older(self, spec: AutoscalerSpec, *, pooled: bool = True) -> tuple[str, ...]:
        """The oldest on the same target that came first: `PodAutoscaler ns/name`, `HorizontalPodAutoscaler ns/name`.

        `pooled` is what the target is, for autoscalers of a role that leave it to the target.
        """
        claim = self._claims.get(spec.key)
        if claim is None or spec.mode is not Mode.ACTIVE:
            return ()
        target = claim.target
        listed = self._by_target.get(target, [])
        if len(listed) <= 1 and not self._hpas.find("target", target):
            return ()
        mine = _age(claim.metadata)
        before = itertools.takewhile(lambda each: each[0] < mine, listed)
        # One is enough; a thousand on one target, each of which looks at all before it, would hold everybody up.
        ours = itertools.islice(
            (other for _, _, other in before if conflicts.is_conflict(spec, self._claims[other].spec, pooled=pooled)),
            MOST_TOLD,
        )
        theirs = [hpa for hpa in self._hpas.find("target", target) if _age(hpa.metadata) < mine]
        return tuple([f"PodAutoscaler {key}" for key in sorted(ours)] + sorted(map(_called, theirs)))

    def younger(self, spec: AutoscalerSpec) -> tuple[str, ...]:
        """HorizontalPodAutoscalers on the same target that came later and scale it all the same."""
        claim = self._claims.get(spec.key)
        if claim is None or spec.mode is not Mode.ACTIVE:
            return ()
        found = self._hpas.find("target", claim.target)
        return tuple(sorted(_called(hpa) for hpa in found if _age(hpa.metadata) > _age(claim.metadata)))


def _called(hpa: objects.Hpa) -> str:
    return f"HorizontalPodAutoscaler {hpa.metadata.namespace}/{hpa.metadata.name}"


def _age(metadata: objects.Meta) -> _Age:
    """Sorts the oldest first; of two made in one second, the lower uid. (A file's object has its name for a uid.)"""
    return metadata.creationTimestamp or _NEVER, metadata.uid


def _place(metadata: objects.Meta, key: Key) -> tuple[_Age, str, Key]:
    return _age(metadata), str(key), key


def _target(spec: AutoscalerSpec) -> str:
    return _entry(spec.key.namespace, spec.target)


def _entry(namespace: str, ref: TargetRef) -> str:
    # Versions of one group serve the same objects.
    return "/".join((namespace, ref.api_version.rpartition("/")[0], ref.kind, ref.name))


def _hpa_target(hpa: objects.Hpa) -> tuple[str, ...]:
    ref = hpa.spec.scaleTargetRef
    return (_entry(hpa.metadata.namespace, TargetRef(ref.apiVersion, ref.kind, ref.name)),)

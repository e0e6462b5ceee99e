"""Who else scales a target: the older one acts, the younger says so (DESIGN §6, rule 2).

A younger HorizontalPodAutoscaler acts, too, since it knows nothing of us: then it is the older that says so.

What counts as the same target is `api.conflicts`' to say: a role and the whole it is in are, two roles are not, and an
autoscaler that changes nothing (DryRun, Paused) disturbs nobody. A rival that goes is gone at the next tick.
"""

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime

from podtide.api import conflicts
from podtide.core.model.spec import AutoscalerSpec, Key, Mode, TargetRef
from podtide.kube import errors, kinds, objects
from podtide.kube.cache import Cache
from podtide.kube.informers import Informers
from podtide.targets.ownership import FIRST_LIST

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
        self._by_target: dict[str, set[Key]] = {}

    def put(self, spec: AutoscalerSpec, metadata: objects.Meta) -> None:
        """An autoscaler of ours and what it scales."""
        self.drop(spec.key)
        claim = self._claims[spec.key] = _Claim(spec, metadata, _target(spec))
        self._by_target.setdefault(claim.target, set()).add(spec.key)

    def drop(self, key: Key) -> None:
        """An autoscaler of ours is gone, or is not valid any more."""
        claim = self._claims.pop(key, None)
        if claim is not None:
            keys = self._by_target[claim.target]
            keys.discard(key)
            if not keys:
                del self._by_target[claim.target]

    async def listed(self) -> None:
        """Wait for the first list of HorizontalPodAutoscalers: until then an older one would go unseen.

        Raises:
            KubeError: they cannot be listed now. Who may not list them at all, knows of none.
        """
        if not self._hpas.synced.is_set():
            with contextlib.suppress(errors.Forbidden, errors.NotFound):
                await self._informers.listed(kinds.HPAS, within=FIRST_LIST)

    def older(self, spec: AutoscalerSpec, *, pooled: bool = True) -> tuple[str, ...]:
        """Those on the same target that came first: `PodAutoscaler ns/name`, `HorizontalPodAutoscaler ns/name`.

        `pooled` is what the target is, for autoscalers of a role that leave it to the target.
        """
        claim = self._claims.get(spec.key)
        if claim is None or spec.mode is not Mode.ACTIVE:
            return ()
        target = claim.target
        if len(self._by_target[target]) == 1 and not self._hpas.find("target", target):
            return ()
        mine = _age(claim.metadata)
        ours = [
            other
            for other in self._by_target.get(target, ())
            if other != spec.key
            and self._claims[other].spec.mode is Mode.ACTIVE
            and conflicts.is_conflict(spec, self._claims[other].spec, pooled=pooled)
            and _age(self._claims[other].metadata) < mine
        ]
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


def _age(metadata: objects.Meta) -> tuple[datetime, str]:
    """Sorts the oldest first; of two made in one second, the lower uid. (A file's object has its name for a uid.)"""
    return metadata.creationTimestamp or _NEVER, metadata.uid


def _target(spec: AutoscalerSpec) -> str:
    return _entry(spec.key.namespace, spec.target)


def _entry(namespace: str, ref: TargetRef) -> str:
    # Versions of one group serve the same objects.
    return "/".join((namespace, ref.api_version.rpartition("/")[0], ref.kind, ref.name))


def _hpa_target(hpa: objects.Hpa) -> tuple[str, ...]:
    ref = hpa.spec.scaleTargetRef
    return (_entry(hpa.metadata.namespace, TargetRef(ref.apiVersion, ref.kind, ref.name)),)

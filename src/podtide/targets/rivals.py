"""Who else scales a target: the older one acts, the younger says so (DESIGN §6, rule 2)."""

from datetime import UTC, datetime

from podtide.core.model.spec import Key, TargetRef
from podtide.kube import kinds, objects
from podtide.kube.cache import Cache
from podtide.kube.informers import Informers

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Rivals:
    """Every autoscaler by its target, Podtide's own and Kubernetes'."""

    def __init__(self, informers: Informers) -> None:
        self._hpas: Cache[objects.Hpa] = informers.cache(kinds.HPAS, target=_hpa_target)
        self._ours: dict[str, dict[Key, objects.Meta]] = {}
        self._targets: dict[Key, str] = {}

    def put(self, key: Key, metadata: objects.Meta, ref: TargetRef) -> None:
        """An autoscaler of ours and what it scales."""
        self.drop(key)
        target = _entry(key.namespace, ref.api_version, ref.kind, ref.name, ref.role or "")
        self._targets[key] = target
        self._ours.setdefault(target, {})[key] = metadata

    def drop(self, key: Key) -> None:
        """An autoscaler of ours is gone."""
        target = self._targets.pop(key, None)
        if target is not None:
            del self._ours[target][key]
            if not self._ours[target]:
                del self._ours[target]

    def older(self, key: Key, ref: TargetRef) -> tuple[str, ...]:
        """Those on the same target that came first: `PodAutoscaler ns/name`, `HorizontalPodAutoscaler ns/name`."""
        target = _entry(key.namespace, ref.api_version, ref.kind, ref.name, ref.role or "")
        ours = self._ours.get(target, {})
        mine = _age(ours[key]) if key in ours else (datetime.max.replace(tzinfo=UTC), "")
        return tuple(
            [f"PodAutoscaler {other}" for other, meta in sorted(ours.items()) if other != key and _age(meta) < mine]
            + [
                f"HorizontalPodAutoscaler {hpa.metadata.namespace}/{hpa.metadata.name}"
                for hpa in self._hpas.find("target", target)
                if _age(hpa.metadata) < mine
            ]
        )


def _age(metadata: objects.Meta) -> tuple[datetime, str]:
    """Sorts the oldest first; of two made in one second, the lower uid."""
    return metadata.creationTimestamp or _LONG_AGO, metadata.uid


def _entry(namespace: str, api_version: str, kind: str, name: str, role: str) -> str:
    # Versions of one group serve the same objects.
    return "/".join((namespace, api_version.rpartition("/")[0], kind, name, role))


def _hpa_target(hpa: objects.Hpa) -> tuple[str, ...]:
    ref = hpa.spec.scaleTargetRef
    return (_entry(hpa.metadata.namespace, ref.apiVersion, ref.kind, ref.name, ""),)

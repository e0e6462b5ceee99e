"""Anything with a `scale` subresource: seen through watches, changed by a merge patch of `/scale`.

No request per object and tick: built-in kinds show their replicas in the watch; of others the watch shows only that
something changed, and the scale is then asked for once.
"""

from dataclasses import replace

from podtide.core.model.decision import Action, Applied, Decision, Outcome
from podtide.core.model.spec import Key, TargetRef
from podtide.core.model.view import TargetView
from podtide.kube import errors, kinds, objects
from podtide.kube.cache import Cache
from podtide.kube.discovery import Discovery
from podtide.kube.informers import Informers
from podtide.kube.kinds import ScaleRecord
from podtide.kube.resources import Resource
from podtide.targets.ownership import Ownership
from podtide.targets.rivals import Rivals


class ScaleTarget:
    """One object with replicas."""

    def __init__(
        self,
        owner: Key,
        ref: TargetRef,
        informers: Informers,
        discovery: Discovery,
        ownership: Ownership,
        rivals: Rivals,
    ) -> None:
        """`owner` is the autoscaler's key; the target is in its namespace."""
        self._owner = owner
        self._ref = ref
        self._key = Key(owner.namespace, ref.name)
        self._informers = informers
        self._client = informers.client
        self._discovery = discovery
        self._ownership = ownership
        self._rivals = rivals
        self._scale: objects.Scale | None = None
        """The last scale asked for, of kinds that keep their replicas where we do not know."""

    async def view(self, now: float) -> TargetView:
        """What is there now; a target that is not there or cannot be read is a view with `failure`."""
        try:
            resource = await self._resource()
            cache = self._informers.cache(kinds.scalable(resource))
            record = await self._record(resource, cache)
            pods = await self._ownership.pods_of(self._key.namespace, record.metadata.uid, resource.kind)
        except errors.KubeError as error:
            return TargetView(at=now, failure=_failed_get_scale(error))
        return TargetView(
            at=now,
            replicas=record.replicas or 0,
            status_replicas=record.status_replicas,
            version=record.metadata.resourceVersion,
            pods=pods,
            rivals=self._rivals.older(self._owner, self._ref),
        )

    async def apply(self, decision: Decision) -> Applied:
        """Patch the scale if the decision says so; a scale that has changed since the view is left alone."""
        if decision.action is not Action.PATCH:
            outcome = Outcome.UNCHANGED if decision.action is Action.KEEP else Outcome.SUPPRESSED
            return Applied(outcome, decision.current)
        body = {"metadata": {"resourceVersion": decision.version}, "spec": {"replicas": decision.desired}}
        try:
            resource = await self._resource()
            scale = await self._client.patch(
                resource, self._key.namespace, self._key.name, body, into=objects.Scale, sub="scale"
            )
        except errors.Conflict as error:
            # The next tick sees the new scale and decides anew.
            self._scale = None
            return Applied(Outcome.REFUSED, decision.current, error.message)
        except errors.KubeError as error:
            return Applied(Outcome.FAILED, decision.current, str(error))
        self._remember(resource, scale)
        return Applied(Outcome.PATCHED, scale.spec.replicas or 0, version=scale.metadata.resourceVersion)

    async def _resource(self) -> Resource:
        resource = await self._discovery.resource(self._ref.api_version, self._ref.kind)
        if not resource.has_scale:
            raise errors.NotFound(404, "NotFound", f"{resource.name} has no scale subresource")
        return resource

    async def _record(self, resource: Resource, cache: Cache[ScaleRecord]) -> ScaleRecord:
        """The target's size, from the watch where it tells, else from its scale."""
        record = cache.get(self._key)
        if record is not None and record.replicas is not None:
            return record
        if record is None and cache.synced.is_set():
            raise errors.NotFound(404, "NotFound", f'{resource.name} "{self._key.name}" not found')
        # Not watched (yet, or for want of rights), or a kind whose watch does not tell.
        known = self._scale
        if known is None or record is None or known.metadata.resourceVersion != record.metadata.resourceVersion:
            known = await self._client.get(
                resource, self._key.namespace, self._key.name, into=objects.Scale, sub="scale"
            )
            self._scale = known
        return ScaleRecord(known.metadata, known.spec.replicas or 0, known.status.replicas or 0)

    def _remember(self, resource: Resource, scale: objects.Scale) -> None:
        """Show the next tick what we have just done, though the watch may not have told yet."""
        cache = self._informers.cache(kinds.scalable(resource))
        record = cache.get(self._key)
        self._scale = scale
        if record is not None and record.metadata.uid == scale.metadata.uid:
            metadata = objects.with_version(record.metadata, scale.metadata.resourceVersion)
            replicas = None if record.replicas is None else scale.spec.replicas or 0
            cache.put(self._key, replace(record, metadata=metadata, replicas=replicas))


def _failed_get_scale(error: errors.KubeError) -> str:
    text = error.message if isinstance(error, errors.StatusError) else str(error)
    return f"FailedGetScale: {text}"

"""Anything with a `scale` subresource: seen through watches, changed by a merge patch of `/scale`.

No request per object and tick: built-in kinds show their replicas in the watch; of others the watch shows only that
something changed, and the scale is then asked for once.
"""

import contextlib
from collections.abc import Callable

from podtide.core.model.decision import Action, Applied, Decision, Outcome
from podtide.core.model.spec import AutoscalerSpec, Key
from podtide.core.model.view import PodView, TargetView
from podtide.kube import errors, kinds, objects
from podtide.kube.cache import Cache
from podtide.kube.kinds import ScaleRecord
from podtide.kube.resources import Resource
from podtide.targets import victims
from podtide.targets.answers import Name
from podtide.targets.base import always
from podtide.targets.context import Context
from podtide.targets.ownership import FIRST_LIST


class ScaleTarget:
    """One object with replicas."""

    def __init__(self, spec: AutoscalerSpec, context: Context) -> None:
        """The target of `spec`; it is in the autoscaler's namespace."""
        self._spec = spec
        self._ref = spec.target
        self._key = Key(spec.key.namespace, spec.target.name)
        self._context = context
        self._client = context.informers.client
        self._name = Name(self._ref.api_version, self._ref.kind, self._key)
        self._known = context.answers.get(self._name)
        """The last scale that the API server answered with, to a patch of ours or where the watch does not tell it."""
        self._is_doubted = False
        """Whether the API server has refused a patch because its scale is not the one that we knew."""
        self._pods: tuple[PodView, ...] = ()

    async def view(self, now: float) -> TargetView:
        """What is there now; a target that is not there or cannot be read is a view with `failure`."""
        try:
            resource = await self.resource()
            await self._context.rivals.listed()
            record = await self._record(resource)
            pods = self._pods = await self.pods(record, resource)
        except errors.KubeError as error:
            return failed(now, error)
        return TargetView(
            at=now,
            replicas=record.replicas or 0,
            status_replicas=record.status_replicas,
            version=record.metadata.resourceVersion,
            pods=pods,
            rivals=self._context.rivals.older(self._spec),
            younger=self._context.rivals.younger(self._spec),
        )

    async def apply(self, decision: Decision, *, may_write: Callable[[], bool] = always) -> Applied:
        """Patch the scale if the decision says so; a scale that has changed since the view is left alone."""
        if decision.action is not Action.PATCH:
            return untouched(decision)
        if self._spec.removes_least_loaded and decision.desired < decision.current:
            await victims.mark(self._client, self._key.namespace, self._pods, decision, may_write=may_write)
        body = {"metadata": {"resourceVersion": decision.version}, "spec": {"replicas": decision.desired}}
        try:
            scale = await self._client.patch(
                await self.resource(),
                self._key.namespace,
                self._key.name,
                body,
                into=objects.Scale,
                sub="scale",
                permit=may_write,
                timeout=self._context.patch_timeout,
            )
        except errors.KubeError as error:
            self._is_doubted = isinstance(error, errors.Conflict)
            return refused(decision, error)
        known = self._known = _recorded(scale)
        self._context.answers.put(self._name, known)
        return Applied(Outcome.PATCHED, known.replicas or 0, version=known.metadata.resourceVersion)

    async def resource(self) -> Resource:
        """Where the API serves the target's kind.

        Raises:
            NotFound: the kind has no scale.
            KubeError: the server does not have the kind, or does not answer.
        """
        resource = await self._context.discovery.resource(self._ref.api_version, self._ref.kind)
        if not resource.has_scale:
            raise errors.NotFound(404, "NotFound", f"{resource.name} has no scale subresource")
        if not resource.namespaced:
            # It is everybody's: whoever may write in one namespace would set its count for all.
            raise errors.NotFound(
                404, "NotFound", f"{resource.name} are in no namespace, and only what is in one's own is scaled"
            )
        return resource

    async def pods(self, record: ScaleRecord, resource: Resource) -> tuple[PodView, ...]:
        """The pods of the target."""
        return await self._context.ownership.pods_of(self._key.namespace, record.metadata.uid, resource)

    async def watched(self, resource: Resource) -> ScaleRecord | None:
        """The target as the watch shows it; None where that has not told of it (yet, or for want of rights).

        Raises:
            NotFound: the watch knows that there is none.
        """
        kind = kinds.scalable(resource)
        cache: Cache[ScaleRecord] = self._context.informers.cache(kind)
        if not cache.synced.is_set():
            # Else a fleet that starts would ask for each of its targets.
            with contextlib.suppress(errors.KubeError):
                await self._context.informers.listed(kind, within=FIRST_LIST)
        record = cache.get(self._key)
        if record is None and cache.synced.is_set():
            raise errors.NotFound(404, "NotFound", f'{resource.name} "{self._key.name}" not found')
        return record

    async def _record(self, resource: Resource) -> ScaleRecord:
        """The target's size: what the watch says or what we were answered ourselves, whichever is newer."""
        record = await self.watched(resource)
        if self._is_doubted:
            # A watch whose connection is dead tells nothing for minutes, in which every patch would be refused.
            with contextlib.suppress(errors.KubeError):
                self._known = await self._scale(resource)
            self._is_doubted = False
        known = self._known
        if record is not None and known is not None:
            # Whether or not it is the same object: versions grow from one of a kind to the next that takes its name.
            seen, told = record.metadata.resourceVersion, known.metadata.resourceVersion
            if objects.is_newer(told, seen):
                return known
            self._context.answers.drop(self._name)
            if seen == told:
                return known
        if record is not None and record.replicas is not None:
            return record
        self._known = await self._scale(resource)
        return self._known

    async def _scale(self, resource: Resource) -> ScaleRecord:
        key = self._key
        scale = await self._client.get(resource, key.namespace, key.name, into=objects.Scale, sub="scale")
        return _recorded(scale)


def _recorded(scale: objects.Scale) -> ScaleRecord:
    return ScaleRecord(scale.metadata, scale.spec.replicas or 0, scale.status.replicas or 0)


def failed(now: float, error: errors.KubeError) -> TargetView:
    """A view of a target that could not be read."""
    text = error.message if isinstance(error, errors.StatusError) else str(error)
    return TargetView(at=now, failure=f"FailedGetScale: {text}")


def untouched(decision: Decision) -> Applied:
    """What becomes of a decision that changes nothing."""
    outcome = Outcome.UNCHANGED if decision.action is Action.KEEP else Outcome.SUPPRESSED
    return Applied(outcome, decision.current)


def refused(decision: Decision, error: errors.KubeError) -> Applied:
    """What became of a patch that did not go through."""
    if isinstance(error, errors.Withheld):
        return Applied(Outcome.SUPPRESSED, decision.current, str(error))
    if isinstance(error, errors.Conflict):
        # The next tick sees the new scale and decides anew.
        return Applied(Outcome.REFUSED, decision.current, error.message)
    return Applied(Outcome.FAILED, decision.current, str(error))

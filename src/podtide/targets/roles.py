"""A role inside a larger object, `subTargetSelector.roleName`: AIBrix's StormService in its two modes.

Pooled: one role set whose roles have replicas of their own, at `spec.template.spec.roles[].replicas`; that is what is
scaled. Replica: the number of whole role sets is scaled through `/scale`, and the role says whose pods are measured.
The autoscaler's annotation says which, else the object itself.
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace

from podtide.core.model.decision import Action, Applied, Decision, Outcome
from podtide.core.model.spec import AutoscalerSpec, Key
from podtide.core.model.view import PodView, TargetView
from podtide.kube import errors, kinds, objects, resources
from podtide.kube.kinds import ScaleRecord
from podtide.kube.resources import Resource
from podtide.targets import heads
from podtide.targets.answers import Name
from podtide.targets.base import always
from podtide.targets.context import Context
from podtide.targets.scale import ScaleTarget, failed, refused, untouched

_JSON_PATCH = "application/json-patch+json"


class RoleTarget:
    """One role of one StormService."""

    def __init__(self, spec: AutoscalerSpec, role: str, context: Context) -> None:
        self._spec = spec
        self._role = role
        self._key = Key(spec.key.namespace, spec.target.name)
        self._context = context
        self._client = context.informers.client
        self._whole = ScaleTarget(spec, context)
        self._name = Name(spec.target.api_version, spec.target.kind, self._key, of_roles=True)
        self._known = context.answers.get(self._name)
        """What our own patch was answered, until the watch has caught up."""
        self._index: int | None = None
        """Where the role stands in the list, as of the last view; None while whole role sets are scaled."""
        self._is_doubted = False
        """Whether the API server has refused a patch because its object is not the one that we knew."""

    async def view(self, now: float) -> TargetView:
        """What is there now; a role that is not there is a view with `failure`."""
        try:
            await self._context.rivals.listed()
            record = await self._record()
            index = self._find(record)
            rivals = self._context.rivals.older(self._spec, pooled=record.pooled)
            if not self._is_pooled(record):
                self._index = None
                view = await self._whole.view(now)
                return replace(view, pods=self._mine(view.pods), rivals=rivals)
            replicas = record.roles[index][1]
            if replicas is None:
                raise errors.NotFound(
                    404,
                    "NotFound",
                    f'role "{self._role}" of {self._spec.target.kind} "{self._key.name}" has no replicas; '
                    f"set spec.template.spec.roles[{index}].replicas",
                )
            pods = self._mine(await self._whole.pods(record, await self._whole.resource()))
        except errors.KubeError as error:
            return failed(now, error)
        self._index = index
        return TargetView(
            at=now,
            replicas=replicas,
            # As a workload counts in its status: without those that leave or have ended.
            status_replicas=sum(not pod.deleting and pod.phase in ("Pending", "Running") for pod in pods),
            version=record.metadata.resourceVersion,
            pods=pods,
            rivals=rivals,
            younger=self._context.rivals.younger(self._spec),
        )

    async def apply(self, decision: Decision, *, may_write: Callable[[], bool] = always) -> Applied:
        """Patch the role's replicas, or the scale of the whole."""
        if self._index is None:
            return await self._whole.apply(decision, may_write=may_write)
        if decision.action is not Action.PATCH:
            return untouched(decision)
        role = f"/spec/template/spec/roles/{self._index}"
        # A merge patch would replace the whole list; these operations touch one number and fail if the list has moved.
        body = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": decision.version},
            {"op": "test", "path": f"{role}/name", "value": self._role},
            {"op": "replace", "path": f"{role}/replicas", "value": decision.desired},
        ]
        try:
            stored = await self._client.patch(
                await self._whole.resource(),
                self._key.namespace,
                self._key.name,
                body,
                into=objects.StormService,
                content_type=_JSON_PATCH,
                permit=may_write,
                timeout=self._context.patch_timeout,
            )
        except errors.KubeError as error:
            # Invalid is a list of roles that has moved: the test of the name fails before any version is compared.
            self._is_doubted = isinstance(error, errors.Conflict | errors.Invalid)
            return refused(decision, error)
        self._known = kinds.storm_service(stored)
        self._context.answers.put(self._name, self._known)
        return Applied(Outcome.PATCHED, decision.desired, version=stored.metadata.resourceVersion)

    async def _record(self) -> ScaleRecord:
        resource = await self._whole.resource()
        if (resource.group, resource.kind) != resources.STORM_SERVICE:
            raise errors.NotFound(
                404,
                "NotFound",
                f"{resource.name} has no roles; subTargetSelector.roleName is for StormServices of AIBrix",
            )
        record = await self._whole.watched(resource)
        if record is None:
            return await self._stored(resource)
        if self._is_doubted:
            # As of a scale: the watch may be late, or its connection dead.
            with contextlib.suppress(errors.KubeError):
                self._known = await self._stored(resource)
            self._is_doubted = False
        known = self._known
        if known is not None and objects.is_newer(known.metadata.resourceVersion, record.metadata.resourceVersion):
            return known
        self._context.answers.drop(self._name)
        return record

    async def _stored(self, resource: Resource) -> ScaleRecord:
        stored = await self._client.get(resource, self._key.namespace, self._key.name, into=objects.StormService)
        return kinds.storm_service(stored)

    def _find(self, record: ScaleRecord) -> int:
        names = [name for name, _ in record.roles]
        try:
            return names.index(self._role)
        except ValueError:
            has = ", ".join(names) or "none"
            raise errors.NotFound(
                404, "NotFound", f'{self._spec.target.kind} "{self._key.name}" has no role "{self._role}"; it has {has}'
            ) from None

    def _is_pooled(self, record: ScaleRecord) -> bool:
        mode = self._spec.target.role_mode
        return record.pooled if mode is None else mode == "pool"

    def _mine(self, pods: tuple[PodView, ...]) -> tuple[PodView, ...]:
        return tuple(pod for pod in pods if pod.labels.get(heads.ROLE) == self._role)

"""The API server's state and its rules, without HTTP: create, get, list, update, patch, delete.

The routes call it for clients; the workload controller and the simulated pods call it in the process. Everything is
synchronous: a write is finished, and its watchers told, when the call returns.
"""

from __future__ import annotations

import datetime
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from podtide.local import (
    admission,
    convert,
    deletion,
    ownership,
    refusals,
    scales,
    shapes,
    versions,
)
from podtide.local.admission import Write
from podtide.local.kinds import Kind
from podtide.local.refusals import Cause, Object
from podtide.local.shelves import Shelves
from podtide.local.versions import Stored

Patch = Callable[[Object], Object]
"""Makes the wanted object from a private copy of the present one."""

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
_KEPT_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
)


def timestamp(at: float) -> str:
    """Seconds since the epoch as Kubernetes writes times."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store(Shelves):
    """The state of one cluster and the rules of its API."""

    def __init__(self, *, now: Callable[[], float] = time.time, log_length: int = 20_000) -> None:
        """`log_length` is how many changes of a kind a watch can go back."""
        super().__init__(now=now, log_length=log_length)
        for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
            self.create(self.kind("v1", "namespaces"), "", {"metadata": {"name": name}})

    def create(self, kind: Kind, namespace: str, body: Object, write: Write | None = None) -> Stored:
        """Adds an object; raises `Refusal` 400, 404 (namespace), 409 or 422."""
        write = write or Write()
        shapes.check(kind, convert.to_storage(kind, body))
        metadata = self._begin(kind, namespace, body)
        name = metadata["name"]
        body = convert.to_storage(kind, body)
        admission.admit(kind, body, None, write)
        if (metadata.get("namespace", ""), name) in self.collection(kind).items:
            raise refusals.already_exists(kind.resource, name)
        body = self._ordered(kind, body)
        if not write.applies or "managedFields" not in metadata:
            ownership.record(None, body, self._writer(kind, write), admission.list_keys(kind))
        return self._kept(kind, body, write)

    def _begin(self, kind: Kind, namespace: str, body: Object) -> Object:
        metadata: Object = body.setdefault("metadata", {})
        if (metadata.get("namespace") or namespace) != namespace:
            raise refusals.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        if metadata.get("resourceVersion"):
            raise refusals.Refusal(500, "", "resourceVersion should not be set on objects to be created")
        if kind.namespaced:
            self._check_namespace(kind, namespace, str(metadata.get("name", "")))
            metadata["namespace"] = namespace
        if not metadata.get("name"):
            if not metadata.get("generateName"):
                cause = Cause("FieldValueRequired", "Required value: name or generateName is required", "metadata.name")
                raise refusals.invalid(kind.name, kind.group, "", [cause])
            metadata["name"] = metadata["generateName"] + "".join(secrets.choice(_SUFFIX) for _ in range(5))
        for given in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
            metadata.pop(given, None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = timestamp(self.now())
        if kind.counts_generations:
            metadata["generation"] = 1
        if kind.has("status"):
            body.pop("status", None)
        return metadata

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        home = self._collections["/namespaces"].items.get(("", namespace))
        if home is None:
            raise refusals.not_found("namespaces", namespace)
        if home.fields["status.phase"] == "Terminating":
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise refusals.forbidden(kind.resource, name, why)

    def update(self, kind: Kind, namespace: str, name: str, body: Object, write: Write | None = None) -> Stored:
        """Replaces an object, its status or its scale; raises `Refusal` 400, 404, 409 or 422."""
        write = write or Write()
        before = self.get(kind, namespace, name)
        metadata = body.setdefault("metadata", {})
        if metadata.setdefault("name", name) != name:
            given = metadata["name"]
            raise refusals.bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
        if write.sub == "scale":
            return self._rescale(kind, before, body, write, patched=False)
        if not metadata.get("resourceVersion") and not kind.unconditional:
            text = "Invalid value: 0: must be specified for an update"
            cause = Cause("FieldValueInvalid", text, "metadata.resourceVersion")
            # The one validation error that names the resource where the others name the kind.
            raise refusals.invalid(kind.plural, kind.group, name, [cause])
        return self._replace(kind, before, body, write)

    def patch(self, kind: Kind, namespace: str, name: str, patch: Patch, write: Write | None = None) -> Stored:
        """Changes an object, its status or its scale by a function of it; raises like `update`."""
        write = write or Write()
        before = self.get(kind, namespace, name)
        if write.sub == "scale":
            return self._rescale(kind, before, patch(scales.patchable(kind, before.read())), write, patched=True)
        wanted = patch(convert.from_storage(kind, before.read()))
        return self._replace(kind, before, wanted, write)

    def apply(self, kind: Kind, namespace: str, name: str, applied: Object, write: Write) -> Stored:
        """Server-side apply, creating the object when there is none; raises `Refusal` 409 on a conflict."""
        metadata = applied.setdefault("metadata", {})
        if metadata.get("managedFields"):
            raise refusals.bad_request("metadata.managedFields must be nil")
        before = self.collection(kind).items.get((namespace, name))
        keys = admission.list_keys(kind)
        writer = self._writer(kind, write)
        if before is None:
            if write.sub:
                raise refusals.not_found(kind.resource, name)
            metadata.setdefault("name", name)
            empty: Object = {"metadata": {}}
            owned = ownership.apply(empty, _plain(kind, applied), writer, keys, force=True)
            applied["metadata"]["managedFields"] = owned["metadata"].get("managedFields", [])
            return self.create(kind, namespace, applied, write)
        live = convert.from_storage(kind, before.read())
        if write.sub == "scale":
            replicas = scales.check(applied, strict=write.unknown_fields == "Strict", patched=True)
            applied = {"metadata": {}}
            scales.write_back(kind, applied, replicas)
        elif write.sub:
            applied = {"metadata": {}, write.sub: applied.get(write.sub) or {}}
        else:
            applied = _plain(kind, applied)
            if kind.storage == "/secrets":
                admission.strategy(kind).fill(applied)
        wanted = ownership.apply(live, applied, writer, keys, force=write.force)
        if metadata.get("resourceVersion"):
            wanted["metadata"]["resourceVersion"] = metadata["resourceVersion"]
        return self._replace(kind, before, wanted, write)

    def _rescale(self, kind: Kind, before: Stored, scale: Object, write: Write, *, patched: bool) -> Stored:
        replicas = scales.check(scale, strict=write.unknown_fields == "Strict", patched=patched)
        wanted = before.read()
        scales.write_back(kind, wanted, replicas)
        wanted["metadata"]["resourceVersion"] = (scale.get("metadata") or {}).get("resourceVersion")
        return self._replace(kind, before, wanted, write)

    def _replace(self, kind: Kind, before: Stored, new: Object, write: Write) -> Stored:
        old, new = before.read(), convert.to_storage(kind, new)
        shapes.check(kind, new)
        self._check_identity(kind, before, new)
        new = self._settled(kind, old, new, write)
        admission.admit(kind, new, old, write)
        if admission.differs(kind, old, new):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if write.applies:
            if new == old:
                return before
        elif _content(new) == _content(old):
            return before
        else:
            ownership.record(old, new, self._writer(kind, write), admission.list_keys(kind))
        new = self._ordered(kind, new)
        metadata = new["metadata"]
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            waits = kind.storage == "/namespaces" or metadata.get("deletionGracePeriodSeconds", 0) > 0
            if not waits and old["metadata"].get("finalizers") and not write.dry_run:
                self.drop(kind, before.key)
                return replace(before, data=versions.stored(new, before.revision, ()).data)
        return self._kept(kind, new, write, before=before)

    def _check_identity(self, kind: Kind, before: Stored, new: Object) -> None:
        metadata = new["metadata"]
        if metadata.get("resourceVersion") not in (None, "", str(before.revision)):
            raise refusals.conflict(kind.resource, before.name)
        if metadata.get("uid") not in (None, "", before.uid):
            why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {before.uid}"
            raise refusals.conflict(kind.resource, before.name, why)

    def _settled(self, kind: Kind, old: Object, new: Object, write: Write) -> Object:
        """The wanted object with all that this write may not touch put back."""
        managed = new["metadata"].get("managedFields")
        metadata = {name: value for name, value in new["metadata"].items() if name not in _KEPT_METADATA}
        metadata |= {name: old["metadata"][name] for name in _KEPT_METADATA if name in old["metadata"]}
        if write.applies:
            metadata["managedFields"] = managed or []
        new = {**new, "metadata": metadata, "kind": kind.name, "apiVersion": kind.storage_version}
        if write.sub == "status":
            # A status write of a pod may change labels and annotations, as kubelets do; no other may.
            kept = metadata if kind.storage == "/pods" else {**old["metadata"], **_managed(metadata)}
            new = {**old, "metadata": kept, "status": new.get("status", old.get("status"))}
            if new["status"] is None:
                del new["status"]
        elif kind.has("status"):
            new.pop("status", None)
            if "status" in old:
                new["status"] = old["status"]
        return new

    def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        options: Mapping[str, Any] | None = None,
        write: Write | None = None,
    ) -> Stored | None:
        """Deletes an object; None when it is gone, else what is left of it while it waits for grace or finalizers."""
        options, write = options or {}, write or Write()
        before = self.get(kind, namespace, name)
        deletion.check(kind, before, options)
        body = before.read()
        plan = deletion.plan(kind, body, options)
        if write.dry_run:
            return None if plan.removes else before
        left = before
        if plan.marks:
            left = self.keep(kind, self._marked(kind, body, plan))
        if not plan.removes:
            return left
        self.drop(kind, before.key)
        return None

    def _marked(self, kind: Kind, body: Object, plan: deletion.Plan) -> Object:
        metadata = body["metadata"]
        metadata["deletionTimestamp"] = timestamp(self.now() + plan.grace)
        if kind.storage == "/namespaces":
            body["status"] = {"phase": "Terminating"}
        else:
            metadata["deletionGracePeriodSeconds"] = plan.grace
        if plan.finalizers:
            metadata["finalizers"] = list(plan.finalizers)
        if "generation" in metadata:
            metadata["generation"] += 1
        return self._ordered(kind, body)

    def _kept(self, kind: Kind, body: Object, write: Write, before: Stored | None = None) -> Stored:
        if write.dry_run:
            return versions.stored(body, before.revision if before else None, ())
        return self.keep(kind, body)

    def _ordered(self, kind: Kind, body: Object) -> Object:
        """The object with kind and apiVersion where list answers expect them."""
        if kind.custom:
            first: Object = {"apiVersion": kind.storage_version, "kind": kind.name}
        else:
            first = {"kind": kind.name, "apiVersion": kind.storage_version}
        first["metadata"] = body["metadata"]
        return {**first, **{name: value for name, value in body.items() if name not in first}}

    def _writer(self, kind: Kind, write: Write) -> ownership.Writer:
        return ownership.Writer(
            manager=write.manager,
            api_version=kind.api_version,
            time=timestamp(self.now()),
            subresource=write.sub,
            operation="Apply" if write.applies else "Update",
        )


def _plain(kind: Kind, applied: Object) -> Object:
    """An apply configuration without what the main resource ignores."""
    aside = ("status",) if kind.has("status") else ()
    return {name: value for name, value in applied.items() if name not in aside}


def _managed(metadata: Object) -> Object:
    return {"managedFields": metadata["managedFields"]} if "managedFields" in metadata else {}


def _content(body: Object) -> Object:
    metadata = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    return {**body, "metadata": metadata}

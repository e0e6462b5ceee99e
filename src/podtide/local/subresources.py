"""The subresources that are actions: eviction, binding, service account tokens, logs.

The routes send everything here that is neither `status` nor `scale`.
"""

from __future__ import annotations

import secrets

from podtide.local import access, bodies, refusals
from podtide.local.asking import Target
from podtide.local.kinds import Kind
from podtide.local.refusals import Object
from podtide.local.store import Store, timestamp


def answer(store: Store, gate: access.Gate, kind: Kind, target: Target, data: bytes) -> Object | str:
    """Carries the action out; raises `Refusal` 405 for those that need a node behind the pod."""
    stored = store.get(kind, target.namespace, target.name)
    match target.sub:
        case "eviction":
            store.delete(kind, target.namespace, target.name, (bodies.options(data, "")).get("deleteOptions"))
            return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        case "binding":
            node = bodies.options(data, "")["target"]["name"]

            def bind(pod: Object) -> Object:
                pod["spec"]["nodeName"] = node
                return pod

            store.patch(kind, target.namespace, target.name, bind)
            return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        case "token":
            return _token(store, gate, stored.namespace, stored.name, bodies.options(data, ""))
        case "log":
            return ""
    raise refusals.not_allowed()


def _token(store: Store, gate: access.Gate, namespace: str, name: str, asked: Object) -> Object:
    token = secrets.token_urlsafe(24)
    if gate.tokens is not None:
        gate.tokens[token] = access.service_account(namespace, name)
    seconds = int((asked.get("spec") or {}).get("expirationSeconds") or 3600)
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": timestamp(store.now())},
        "spec": {**(asked.get("spec") or {}), "expirationSeconds": seconds},
        "status": {"token": token, "expirationTimestamp": timestamp(store.now() + seconds)},
    }

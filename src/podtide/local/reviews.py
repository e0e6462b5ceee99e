"""Reviews: objects that are questions, answered at once and never kept.

The routes send POSTs of the authentication and authorization groups here.
"""

from __future__ import annotations

from typing import Any

from podtide.local.access import Ask, Gate, User
from podtide.local.refusals import Object


def answer(plural: str, body: Object, user: User, gate: Gate) -> Object:
    """The review with its status."""
    spec: Object = body.setdefault("spec", {})
    match plural:
        case "selfsubjectaccessreviews":
            body["status"] = {"allowed": gate.allows(user, _ask(spec))}
        case "subjectaccessreviews" | "localsubjectaccessreviews":
            asked = User(spec.get("user", ""), tuple(spec.get("groups") or ()))
            body["status"] = {"allowed": gate.allows(asked, _ask(spec))}
        case "selfsubjectrulesreviews":
            body["status"] = _rules(gate, user, spec.get("namespace", ""))
        case "selfsubjectreviews":
            del body["spec"]
            body["status"] = {"userInfo": _info(user)}
        case "tokenreviews":
            found = (gate.tokens or {}).get(spec.get("token", ""))
            body["status"] = {"authenticated": True, "user": _info(found)} if found else {"authenticated": False}
    body.setdefault("metadata", {})
    return body


def _ask(spec: Object) -> Ask:
    plain = spec.get("nonResourceAttributes")
    if plain:
        return Ask(plain.get("verb", ""), path=plain.get("path", ""))
    asked: dict[str, Any] = spec.get("resourceAttributes") or {}
    return Ask(
        verb=asked.get("verb", ""),
        group=asked.get("group", ""),
        resource=asked.get("resource", ""),
        sub=asked.get("subresource", ""),
        namespace=asked.get("namespace", ""),
        name=asked.get("name", ""),
    )


def _info(user: User) -> Object:
    return {"username": user.name, "groups": list(user.groups)}


def _rules(gate: Gate, user: User, namespace: str) -> Object:
    resources: list[Object] = []
    paths: list[Object] = []
    if gate.allows(user, Ask("*", group="*", resource="*", namespace=namespace)):
        resources.append({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
    for where, rule in gate.rules(user):
        if where in ("", namespace):
            (paths if rule.get("nonResourceURLs") else resources).append(dict(rule))
    return {"resourceRules": resources, "nonResourceRules": paths, "incomplete": False}

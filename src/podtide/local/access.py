"""Who may do what: bearer tokens to users, and RBAC over the Roles and bindings in the store.

The routes ask it before anything else; access reviews ask it on behalf of clients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from podtide.local import refusals
from podtide.local.refusals import Object
from podtide.local.store import Store
from podtide.local.versions import Change

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who sends requests."""

    name: str
    groups: tuple[str, ...] = (AUTHENTICATED,)


ADMIN = User("system:admin", (MASTERS, AUTHENTICATED))
ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


def service_account(namespace: str, name: str) -> User:
    """The user that a ServiceAccount's token stands for."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(f"system:serviceaccount:{namespace}:{name}", groups)


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody wants to do."""

    verb: str
    group: str = ""
    resource: str = ""
    """Plural; empty for a path that is no resource."""
    sub: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


_OPEN_PATHS = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_DISCOVERY = ("/api", "/apis", "/openapi")
_SELF_REVIEWS = ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews")

Rule = Mapping[str, Any]


class Gate:
    """Authentication by token and authorization by RBAC."""

    def __init__(self, store: Store, tokens: Mapping[str, User] | None) -> None:
        """Without `tokens` everybody is the administrator; with them, requests without one are anonymous."""
        self.tokens = None if tokens is None else dict(tokens)
        self._store = store
        self._rules: dict[User, list[tuple[str, Rule]]] = {}
        store.listen(self._forget)

    def _forget(self, storage: str, change: Change) -> None:
        del change
        if storage.startswith("rbac.authorization.k8s.io/"):
            self._rules.clear()

    def user(self, authorization: str) -> User:
        """Who sends this Authorization header; raises `Refusal` 401 for a token nobody has."""
        if self.tokens is None:
            return ADMIN
        if not authorization:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        found = self.tokens.get(token.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise refusals.unauthorized()
        return found

    def check(self, user: User, ask: Ask) -> None:
        """Raises `Refusal` 403, worded as RBAC does, when the user may not."""
        if self.allows(user, ask):
            return
        if not ask.resource:
            why = f'User "{user.name}" cannot {ask.verb} path "{ask.path}"'
            raise refusals.Refusal(403, "Forbidden", f"forbidden: {why}", {})
        resource = f"{ask.resource}/{ask.sub}" if ask.sub else ask.resource
        why = f'User "{user.name}" cannot {ask.verb} resource "{resource}" in API group "{ask.group}"'
        why += f' in the namespace "{ask.namespace}"' if ask.namespace else " at the cluster scope"
        whole = f"{ask.resource}.{ask.group}" if ask.group else ask.resource
        raise refusals.forbidden(whole, ask.name, why)

    def allows(self, user: User, ask: Ask) -> bool:
        """Whether the user may."""
        if MASTERS in user.groups or ask.path in _OPEN_PATHS:
            return True
        if AUTHENTICATED in user.groups:
            if ask.verb == "get" and not ask.resource and ask.path.startswith(_DISCOVERY):
                return True
            if ask.verb == "create" and ask.resource in _SELF_REVIEWS:
                return True
        return any(namespace in ("", ask.namespace) and _permits(rule, ask) for namespace, rule in self.rules(user))

    def rules(self, user: User) -> list[tuple[str, Rule]]:
        """The rules bound to a user, each with the namespace it holds in (empty: everywhere)."""
        if user not in self._rules:
            self._rules[user] = list(self._bound(user))
        return self._rules[user]

    def _bound(self, user: User) -> Iterator[tuple[str, Rule]]:
        for plural in ("clusterrolebindings", "rolebindings"):
            for binding in self._read(plural):
                subjects = binding.get("subjects") or ()
                if any(_is(subject, user, binding) for subject in subjects):
                    namespace = binding["metadata"].get("namespace", "")
                    for rule in self._role(binding["roleRef"], namespace):
                        yield namespace, rule

    def _read(self, plural: str) -> list[Object]:
        kind = self._store.kind("rbac.authorization.k8s.io/v1", plural)
        return [stored.read() for stored in self._store.collection(kind).current()]

    def _role(self, reference: Mapping[str, str], namespace: str) -> list[Rule]:
        is_cluster = reference["kind"] == "ClusterRole"
        if is_cluster and reference["name"] == "cluster-admin":
            return [
                {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
                {"verbs": ["*"], "nonResourceURLs": ["*"]},
            ]
        kind = self._store.kind("rbac.authorization.k8s.io/v1", "clusterroles" if is_cluster else "roles")
        key = ("" if is_cluster else namespace, reference["name"])
        found = self._store.collection(kind).items.get(key)
        return list(found.read().get("rules") or ()) if found else []


def _is(subject: Mapping[str, str], user: User, binding: Object) -> bool:
    match subject["kind"]:
        case "User":
            return subject["name"] == user.name
        case "Group":
            return subject["name"] in user.groups
    namespace = subject.get("namespace") or binding["metadata"].get("namespace", "")
    return user.name == f"system:serviceaccount:{namespace}:{subject['name']}"


def _permits(rule: Rule, ask: Ask) -> bool:
    verbs = rule.get("verbs") or ()
    if "*" not in verbs and ask.verb not in verbs:
        return False
    if not ask.resource:
        urls = rule.get("nonResourceURLs") or ()
        return any(url in ("*", ask.path) or (url.endswith("*") and ask.path.startswith(url[:-1])) for url in urls)
    groups = rule.get("apiGroups") or ()
    if "*" not in groups and ask.group not in groups:
        return False
    wanted = f"{ask.resource}/{ask.sub}" if ask.sub else ask.resource
    resources = rule.get("resources") or ()
    if "*" not in resources and wanted not in resources and f"*/{ask.sub}" not in resources:
        return False
    names = rule.get("resourceNames") or ()
    return not names or ask.name in names

"""The shapes of built-in objects as far as the server reads them, so that nonsense is refused, not stumbled over.

`admission` checks every built-in object against them. They are types only; what values mean is in `strategies`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from podtide.local import refusals, schema
from podtide.local.kinds import Kind
from podtide.local.refusals import Object

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string", "nullable": True}
_WHOLE: Schema = {"type": "integer", "nullable": True}
_TEXTS: Schema = {"type": "object", "nullable": True, "additionalProperties": {"type": "string"}}
_ANY: Schema = {"type": "object", "nullable": True}


def _object(required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    return {"type": "object", "nullable": True, "properties": properties, "required": list(required)}


def _list(items: Schema) -> Schema:
    return {"type": "array", "nullable": True, "items": {**items, "nullable": False}}


_METADATA = _object(
    name=_TEXT,
    generateName=_TEXT,
    namespace=_TEXT,
    uid=_TEXT,
    resourceVersion=_TEXT,
    labels=_TEXTS,
    annotations=_TEXTS,
    finalizers=_list({"type": "string"}),
    ownerReferences=_list(
        _object(("apiVersion", "kind", "name", "uid"), apiVersion=_TEXT, kind=_TEXT, name=_TEXT, uid=_TEXT)
    ),
)
_CONTAINER = _object(
    name=_TEXT,
    image=_TEXT,
    ports=_list(_object(containerPort=_WHOLE, name=_TEXT, protocol=_TEXT)),
    resources=_object(requests=_ANY, limits=_ANY),
    env=_list(_ANY),
)
_POD_SPEC = _object(
    containers=_list(_CONTAINER),
    initContainers=_list(_CONTAINER),
    nodeName=_TEXT,
    tolerations=_list(_ANY),
    terminationGracePeriodSeconds=_WHOLE,
)
_EXPRESSION = _object(
    ("key", "operator"),
    key=_TEXT,
    operator={"type": "string", "enum": ["In", "NotIn", "Exists", "DoesNotExist"]},
    values=_list({"type": "string"}),
)
_SELECTOR = _object(matchLabels=_TEXTS, matchExpressions=_list(_EXPRESSION))
_TEMPLATE = _object(metadata=_object(labels=_TEXTS, annotations=_TEXTS), spec=_POD_SPEC)
_CONDITIONS = _object(conditions=_list(_object(("type", "status"), type=_TEXT, status=_TEXT)))
_POD_STATUS = _object(
    phase=_TEXT,
    podIP=_TEXT,
    conditions=_list(_object(("type", "status"), type=_TEXT, status=_TEXT)),
    containerStatuses=_list(_object(restartCount=_WHOLE)),
)
_WORKLOAD = _object(
    replicas=_WHOLE,
    minReadySeconds=_WHOLE,
    revisionHistoryLimit=_WHOLE,
    selector=_SELECTOR,
    template=_TEMPLATE,
    strategy=_object(type=_TEXT, rollingUpdate=_ANY),
    updateStrategy=_object(type=_TEXT, rollingUpdate=_object(partition=_WHOLE)),
)
_NAME: Schema = {"type": "string"}
_NAMES = _object(
    kind=_TEXT, plural=_TEXT, singular=_TEXT, listKind=_TEXT, shortNames=_list(_NAME), categories=_list(_NAME)
)
_SCALE = _object(
    ("specReplicasPath", "statusReplicasPath"),
    specReplicasPath=_NAME,
    statusReplicasPath=_NAME,
    labelSelectorPath=_TEXT,
)
_VERSION = _object(
    ("name",),
    name=_NAME,
    schema=_object(openAPIV3Schema=_ANY),
    subresources=_object(status=_ANY, scale=_SCALE),
    additionalPrinterColumns=_list(_object(("name", "type", "jsonPath"), name=_NAME, type=_NAME, jsonPath=_NAME)),
)
_RULE = _object(verbs=_list({"type": "string"}), apiGroups=_list({"type": "string"}))
_SUBJECT = _object(("kind", "name"), kind=_TEXT, name=_TEXT, namespace=_TEXT)
_ROLE_REF = _object(("kind", "name"), kind=_TEXT, name=_TEXT)
_BINDING = {"subjects": _list(_SUBJECT), "roleRef": _ROLE_REF}

_SHAPES: Mapping[str, Mapping[str, Schema]] = {
    "/pods": {"spec": _POD_SPEC, "status": _POD_STATUS},
    "/secrets": {"data": _TEXTS, "stringData": _TEXTS, "type": _TEXT},
    "/configmaps": {"data": _TEXTS},
    "/services": {"spec": _object(ports=_list(_ANY))},
    "/events": {"involvedObject": _ANY, "source": _ANY},
    "apps/deployments": {"spec": _WORKLOAD, "status": _CONDITIONS},
    "apps/replicasets": {"spec": _WORKLOAD, "status": _CONDITIONS},
    "apps/statefulsets": {"spec": _WORKLOAD, "status": _CONDITIONS},
    "autoscaling/horizontalpodautoscalers": {
        "spec": _object(scaleTargetRef=_object(kind=_TEXT, name=_TEXT), minReplicas=_WHOLE, maxReplicas=_WHOLE)
    },
    "rbac.authorization.k8s.io/roles": {"rules": _list(_RULE)},
    "rbac.authorization.k8s.io/clusterroles": {"rules": _list(_RULE)},
    "rbac.authorization.k8s.io/rolebindings": _BINDING,
    "rbac.authorization.k8s.io/clusterrolebindings": _BINDING,
    "apiextensions.k8s.io/customresourcedefinitions": {
        "spec": _object(group=_TEXT, names=_NAMES, versions=_list(_VERSION))
    },
}
_ELSE = _object(spec=_ANY, status=_ANY)
_WHOLES = {storage: _object(**{"spec": _ANY, "status": _ANY, **fields}) for storage, fields in _SHAPES.items()}


def check(kind: Kind, body: Object) -> None:
    """Drops nulls, which mean absent, from metadata and spec; raises `Refusal` 400 for values of wrong types."""
    known = _ELSE if kind.custom else _WHOLES.get(kind.storage, _ELSE)
    metadata = schema.validate(body.get("metadata"), _METADATA, "metadata")
    for cause in (*metadata, *schema.validate(body, known)):
        message = f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: {cause}'
        raise refusals.bad_request(message)
    if kind.custom is None:
        _tidy(body)


def _tidy(body: Object) -> None:
    for name in ("metadata", "spec"):
        if body.get(name, body) is None:
            del body[name]
        elif name in body:
            body[name] = _without_nulls(body[name])


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value

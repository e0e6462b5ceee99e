"""The CustomResourceDefinition, made from the declared fields. `podtide crd` prints it; config/crd holds a copy."""

from typing import Any

from podtide.api import schema, schema_status
from podtide.api.shapes import Anything, Field, Flag, Items, Labels, Number, Record, Shape, Text, Whole

NAME = f"{schema.PLURAL}.{schema.GROUP}"
SHORT_NAME = "pas"
"""`pa` and `kpa` are Knative's."""

# (name, type, JSONPath, only with -o wide)
_COLUMNS = (
    ("REFERENCE", "string", ".status.reference", False),
    ("TARGETS", "string", ".status.targets", False),
    ("MINPODS", "integer", ".spec.minReplicas", False),
    ("MAXPODS", "integer", ".spec.maxReplicas", False),
    ("REPLICAS", "integer", ".status.actualScale", False),
    ("STRATEGY", "string", ".spec.scalingStrategy", False),
    ("MODE", "string", ".status.mode", False),
    ("AGE", "date", ".metadata.creationTimestamp", False),
    ("DESIRED", "integer", ".status.desiredScale", True),
    ("LASTSCALE", "date", ".status.lastScaleTime", True),
)


def manifest() -> dict[str, Any]:
    """The whole object, to be applied to a cluster."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME},
        "spec": {
            "group": schema.GROUP,
            "names": {
                "kind": schema.KIND,
                "listKind": f"{schema.KIND}List",
                "plural": schema.PLURAL,
                "singular": schema.KIND.lower(),
                "shortNames": [SHORT_NAME],
                "categories": ["all"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": schema.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(*column) for column in _COLUMNS],
                    "schema": {"openAPIV3Schema": _root()},
                }
            ],
        },
    }


def _column(name: str, kind: str, path: str, wide: bool) -> dict[str, Any]:
    return {"name": name, "type": kind, "jsonPath": path} | ({"priority": 1} if wide else {})


def _root() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "Scales a workload on the metrics its own pods expose.",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": openapi(schema.SPEC) | {"description": "What is wanted."},
            "status": openapi(schema_status.STATUS) | {"description": "What was last seen and done."},
        },
    }


def openapi(shape: Shape) -> dict[str, Any]:
    """A shape as an OpenAPI schema that is structural, as Kubernetes wants it."""
    match shape:
        case Text():
            return _given(
                type="string",
                enum=list(shape.choices) or None,
                pattern=shape.pattern or None,
                minLength=shape.shortest,
                maxLength=shape.longest,
                format=shape.format or None,
            )
        case Whole():
            width = "int64" if shape.wide else "int32"
            return _given(type="integer", format=width, minimum=shape.minimum, maximum=shape.maximum)
        case Number():
            return {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
        case Flag():
            return {"type": "boolean"}
        case Labels():
            return _given(type="object", additionalProperties={"type": "string"}, maxProperties=shape.longest)
        case Anything():
            return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        case Items():
            longest = None if shape.is_stored_longer else shape.longest
            return _given(type="array", items=openapi(shape.of), minItems=shape.shortest, maxItems=longest)
        case Record():
            return _object(shape)


def _object(shape: Record) -> dict[str, Any]:
    return _given(
        type="object",
        properties={field.name: _property(field) for field in shape.fields},
        required=[field.name for field in shape.fields if field.required] or None,
        **{
            "x-kubernetes-map-type": "atomic" if shape.atomic else None,
            "x-kubernetes-validations": [{"rule": rule.cel, "message": rule.message} for rule in shape.rules] or None,
        },
    )


def _property(field: Field) -> dict[str, Any]:
    return openapi(field.shape) | {"description": field.doc}


def _given(**parts: Any) -> dict[str, Any]:
    return {name: value for name, value in parts.items() if value is not None}

"""The reference of every field and annotation, as Markdown: `podtide crd -o markdown` prints it into docs/api.md."""

from collections.abc import Iterator

from podtide.api import annotations, schema, schema_status
from podtide.api.shapes import Anything, Flag, Items, Labels, Number, Record, Shape, Text, Whole

_OPENING = """\
<!-- Made by `podtide crd -o markdown`; to change it, change src/podtide/api. -->
# API reference

A `PodAutoscaler` has `apiVersion: autoscaling.aibrix.ai/v1alpha1`. Every manifest that AIBrix accepts is accepted with
the same meaning; the other fields are Podtide's. `podtide validate FILE…` checks a manifest without a cluster,
`kubectl explain pas.spec` shows this reference in a cluster.

No default is written into stored objects, so a later version's defaults, and annotations, can still apply.
"""

_ANNOTATIONS = """
## Annotations

Spec fields win over annotations. An annotation that is unknown, does not parse or has no effect is named in the
`ValidSpec` condition.

"""


def markdown() -> str:
    """The whole page."""
    return "".join(
        [
            _OPENING,
            *_section("spec", schema.SPEC),
            _ANNOTATIONS,
            *_keys(),
            *_section("status", schema_status.STATUS),
        ]
    )


def _section(path: str, shape: Record) -> Iterator[str]:
    """A table of one object's fields, then those of the objects in it."""
    yield f"\n## {path}\n\n| field | type | meaning |\n|---|---|---|\n"
    for field in shape.fields:
        required = " **Required.**" if field.required else ""
        yield f"| `{field.name}` | {_kind(field.shape)} | {_cell(field.doc)}{required} |\n"
    if shape.rules:
        yield "\nThe API server refuses what breaks a rule:\n\n"
        yield from (f"- {rule.message}\n" for rule in shape.rules)
    for field in shape.fields:
        inner, suffix = _inner(field.shape)
        if inner is not None:
            yield from _section(f"{path}.{field.name}{suffix}", inner)


def _inner(shape: Shape) -> tuple[Record | None, str]:
    match shape:
        case Record():
            return shape, ""
        case Items(of=Record() as inner):
            return inner, "[]"
        case _:
            return None, ""


_KINDS = {Number: "string or integer", Flag: "boolean", Labels: "map of strings", Anything: "object", Record: "object"}


def _kind(shape: Shape) -> str:
    match shape:
        case Text(choices=choices) if choices:
            return ", ".join(f"`{choice}`" for choice in choices)
        case Text(format=form):
            return "time" if form else "string"
        case Whole(minimum=low, maximum=high):
            return f"integer{_range(low, high)}"
        case Items(of=inner, longest=longest):
            most = "" if longest is None else f", at most {longest}"
            return f"list{most}" if isinstance(inner, Record) else f"list of {_kind(inner)}s{most}"
        case Labels(longest=int(most)):
            return f"map of strings, at most {most}"
        case _:
            return _KINDS[type(shape)]


def _range(low: int | None, high: int | None) -> str:
    if low is None:
        return ""
    return f", {low} or more" if high is None else f", {low} to {high}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _keys() -> Iterator[str]:
    yield "| annotation | with | meaning |\n|---|---|---|\n"
    for key in annotations.KEYS:
        strategies = "all" if len(key.strategies) == 3 else ", ".join(sorted(key.strategies))
        meaning = f"Yesterday's `{key.instead}`." if key.instead else annotations.DOCS[key.meaning]
        yield f"| `{key.full}` | {strategies} | {_cell(meaning)} |\n"

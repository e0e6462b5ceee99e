"""Who owns which field (`metadata.managedFields`), and server-side apply on top of it.

The store calls `record` after every write and `apply` for an apply patch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from podtide.local import fieldpaths, refusals
from podtide.local.fieldpaths import ListKeys, Path, Tree
from podtide.local.refusals import Object


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, and how."""

    manager: str
    """The field manager: `fieldManager`, or the start of the user agent."""

    api_version: str
    time: str
    subresource: str = ""
    operation: str = "Update"

    def owns(self, entry: Mapping[str, Any]) -> bool:
        """Whether a managedFields entry is this writer's."""
        theirs = (entry["manager"], entry["operation"], entry.get("subresource", ""))
        return theirs == (self.manager, self.operation, self.subresource)

    def entry(self, tree: Tree) -> Object:
        """A managedFields entry of these fields."""
        made: Object = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": tree,
        }
        if self.subresource:
            made["subresource"] = self.subresource
        return made


def record(before: Object | None, after: Object, writer: Writer, keys: ListKeys) -> None:
    """Gives the fields that changed to the writer, in `after`'s managedFields."""
    old = fieldpaths.leaves(before, keys) if before else {}
    new = fieldpaths.leaves(after, keys)
    missing = object()
    changed = [path for path, value in new.items() if old.get(path, missing) != value]
    removed = [path for path in old if path not in new]
    entries: list[Object] = list((before or after)["metadata"].get("managedFields") or [])
    if changed or removed:
        own = next((entry for entry in entries if writer.owns(entry)), None)
        if own is None and changed:
            own = writer.entry({})
            entries.append(own)
        for entry in entries:
            for path in removed if entry is own else (*removed, *changed):
                fieldpaths.discard(entry["fieldsV1"], path)
        if own is not None:
            own["time"] = writer.time
            for path in changed:
                fieldpaths.insert(own["fieldsV1"], path)
    _keep(after, entries)


def _keep(body: Object, entries: list[Object]) -> None:
    kept = [entry for entry in entries if entry["fieldsV1"]]
    if kept:
        body["metadata"]["managedFields"] = kept
    else:
        body["metadata"].pop("managedFields", None)


def apply(live: Object, applied: Object, writer: Writer, keys: ListKeys, *, force: bool) -> Object:
    """The live object with an apply configuration merged in; raises `Refusal` 409 on a conflict."""
    wanted = fieldpaths.leaves(applied, keys)
    present = fieldpaths.leaves(live, keys)
    entries: list[Object] = list(live["metadata"].get("managedFields") or [])
    others = [entry for entry in entries if not writer.owns(entry)]
    taken = _taken(wanted, present, others)
    if taken and not force:
        raise _conflict(taken)
    for entry, path in taken:
        fieldpaths.discard(entry["fieldsV1"], path)
    own = next((entry for entry in entries if writer.owns(entry)), None)
    result: Object = _merged(live, applied, (), keys)
    for path in fieldpaths.walk(own["fieldsV1"]) if own else ():
        given_up = path not in wanted and not any(other[: len(path)] == path for other in wanted)
        if given_up and not any(fieldpaths.contains(entry["fieldsV1"], path) for entry in others):
            _drop(result, path[:-1] if path[-1] == "." else path)
    tree: Tree = {}
    for path in wanted:
        fieldpaths.insert(tree, path)
    if own is not None and own["fieldsV1"] == tree:
        mine = own
    else:
        mine = writer.entry(tree)
    _keep(result, [mine, *others])
    return result


def _taken(wanted: Mapping[Path, Any], present: Mapping[Path, Any], others: list[Object]) -> list[tuple[Object, Path]]:
    """The fields whose value would change under another owner."""
    return [
        (entry, path)
        for path, value in wanted.items()
        if path[-1] != "." and path in present and present[path] != value
        for entry in others
        if fieldpaths.contains(entry["fieldsV1"], path)
    ]


def _conflict(taken: list[tuple[Object, Path]]) -> refusals.Refusal:
    causes = []
    for entry, path in taken:
        message = f'conflict with "{entry["manager"]}" using {entry["apiVersion"]}'
        causes.append({"reason": "FieldManagerConflict", "message": message, "field": fieldpaths.dotted(path)})
    plural = "" if len(causes) == 1 else "s"
    told = "; ".join(f"{cause['message']}: {cause['field']}" for cause in causes)
    return refusals.Refusal(
        409, "Conflict", f"Apply failed with {len(causes)} conflict{plural}: {told}", {"causes": causes}
    )


def _merged(live: Any, applied: Any, path: Path, keys: ListKeys) -> Any:
    if isinstance(live, dict) and isinstance(applied, dict):
        result = dict(live)
        for name, value in applied.items():
            result[name] = _merged(live[name], value, (*path, f"f:{name}"), keys) if name in live else value
        return result
    if isinstance(live, list) and isinstance(applied, list) and applied and isinstance(applied[0], dict):
        by = keys(path, applied)
        if by is not None:
            return _merged_items(live, applied, path, keys, by)
    return applied


def _merged_items(live: list[Any], applied: list[Any], path: Path, keys: ListKeys, by: tuple[str, ...]) -> list[Any]:
    result = {fieldpaths.item_step(item, by): item for item in live}
    for item in applied:
        step = fieldpaths.item_step(item, by)
        result[step] = _merged(result[step], item, (*path, step), keys) if step in result else item
    return list(result.values())


def _drop(node: Any, path: Path) -> None:
    """Removes what a path leads to, if it is still there."""
    for step in path[:-1]:
        node = _follow(node, step)
        if node is None:
            return
    last = path[-1]
    if last.startswith("f:") and isinstance(node, dict):
        node.pop(last[2:], None)
    elif last.startswith("k:") and isinstance(node, list):
        found = _follow(node, last)
        if found is not None:
            node.remove(found)


def _follow(node: Any, step: str) -> Any:
    if step.startswith("f:"):
        return node.get(step[2:]) if isinstance(node, dict) else None
    if not isinstance(node, list):
        return None
    by = fieldpaths.keys_of_step(step)
    return next((item for item in node if fieldpaths.item_step(item, by) == step), None)

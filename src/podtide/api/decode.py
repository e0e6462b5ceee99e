"""A PodAutoscaler manifest becomes an `AutoscalerSpec`, or the list of everything that is wrong with it.

The controller's feeds, `validate` and the simulator call `autoscaler`; nothing else reads a manifest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from podtide.api import (
    algorithms,
    annotations,
    behavior,
    defaults,
    formulas,
    schedules,
    schema,
    shadows,
    sources,
    structure,
    validate,
)
from podtide.api.errors import MISSING, Findings, Problem
from podtide.api.settings import Settings
from podtide.core.model import spec

_LONGEST_NAME = 317
"""Characters of a group and a version, the longest name there is in Kubernetes."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a manifest says."""

    key: spec.Key
    spec: spec.AutoscalerSpec | None
    """None if there is any problem: an invalid object is never scaled."""
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    manifest: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What was read, for recordings."""


def is_autoscaler(manifest: Any) -> bool:
    """Whether a document is of our kind, of whatever version."""
    return (
        isinstance(manifest, Mapping)
        and manifest.get("kind") == schema.KIND
        and str(manifest.get("apiVersion", "")).partition("/")[0] == schema.GROUP
    )


def is_meant_for_us(manifest: Any) -> bool:
    """Whether a document is of our group, whatever its kind is spelled like, or of our kind and no group at all."""
    if not isinstance(manifest, Mapping):
        return False
    group = str(manifest.get("apiVersion") or "").partition("/")[0]
    return group == schema.GROUP or (not group and manifest.get("kind") == schema.KIND)


def autoscaler(manifest: Mapping[str, Any], settings: Settings | None = None) -> Decoded:
    """Read one manifest. Nothing that a manifest may hold raises: every problem is listed, and none stops the rest."""
    settings = settings or Settings()
    findings = Findings()
    metadata = _metadata(manifest, findings)
    key = spec.Key(str(metadata.get("namespace") or "default"), str(metadata.get("name") or ""))
    fields = _fields(manifest, findings)
    decoded = _spec(key, metadata, fields, settings, findings) if isinstance(fields, dict) else None
    return Decoded(
        key,
        None if findings.problems else decoded,
        tuple(findings.problems),
        tuple(findings.warnings),
        manifest,
    )


def _metadata(manifest: Mapping[str, Any], findings: Findings) -> Mapping[str, Any]:
    version = manifest.get("apiVersion")
    if version != schema.API_VERSION:
        fix = "is missing" if version is None else "is not supported"
        findings.problem("apiVersion", MISSING if version is None else version, f'{fix}; write "{schema.API_VERSION}"')
    if manifest.get("kind") != schema.KIND:
        findings.problem("kind", manifest.get("kind"), f'is not known in {schema.GROUP}; write "{schema.KIND}"')
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping):
        findings.problem("metadata", MISSING, "is missing; write at least metadata.name")
        return {}
    if not isinstance(metadata.get("name"), str) or not metadata["name"]:
        findings.problem("metadata.name", metadata.get("name", MISSING), "is not a name; write for example web")
    for part in ("annotations", "labels"):
        structure.check(metadata.get(part) or {}, annotations.SHAPE, f"metadata.{part}", findings)
    return metadata


def _fields(manifest: Mapping[str, Any], findings: Findings) -> Any:
    fields = manifest.get("spec")
    if fields is None:
        findings.problem("spec", MISSING, "is missing; see config/samples for examples")
        return MISSING
    for name in sorted(manifest.keys() - {"apiVersion", "kind", "metadata", "spec", "status"}, key=str):
        findings.warn(str(name), MISSING, "is not a field and is ignored; does it belong below spec?")
    return structure.check(fields, schema.SPEC, "spec", findings)


def _spec(
    key: spec.Key, metadata: Mapping[str, Any], fields: Mapping[str, Any], settings: Settings, findings: Findings
) -> spec.AutoscalerSpec | None:
    strategy = fields.get("scalingStrategy")
    tuning = annotations.read(metadata, strategy, findings)
    # With an unusable strategy the rest is still read, for its problems' sake; the result is thrown away.
    strategy = strategy or "KPA"
    target = _target(fields, key.namespace, tuning, findings)
    bounds = validate.bounds(fields, tuning, findings)
    entries = _sources(fields, findings)
    expression = formulas.parse(fields.get("formula", {}), entries, findings)
    inputs = formulas.inputs(fields.get("formula", {}), expression, entries)
    read = sources.read(entries, strategy, settings, findings, inputs=inputs)
    metrics = (*read.values(), *formulas.read(fields.get("formula", {}), expression, entries, read, findings))
    windows = behavior.cooldown(fields.get("behavior", {}), tuning, strategy, settings)
    rules = behavior.read(fields.get("behavior"), tuning, strategy, windows, findings)
    timetable = schedules.read(fields.get("schedules", ()), bounds, findings)
    algorithm = algorithms.read(fields, strategy, tuning, rules, settings, findings)
    fallback = _fallback(fields.get("fallback"), settings)
    if target is None or bounds is None:
        return None
    decoded = spec.AutoscalerSpec(
        key=key,
        uid=str(metadata.get("uid") or ""),
        generation=_generation(metadata),
        target=target,
        metrics=metrics,
        algorithm=algorithm,
        bounds=bounds,
        schedules=timetable,
        behavior=rules,
        cooldown=windows,
        mode=spec.Mode(fields.get("mode", "Active")),
        fallback=fallback,
        min_coverage=fields.get("minCoveragePercent", settings.deciding.min_coverage * 100) / 100,
        starting_limit=float(fields.get("startupLimitSeconds", settings.deciding.starting_limit)),
        removes_least_loaded=fields.get("removeLeastLoaded", False),
        forecast=shadows.forecast(fields.get("forecast")),
        created=_created(metadata),
    )
    validate.whole(decoded, findings)
    if "shadow" not in fields:
        return decoded
    other = shadows.shadow(
        fields, decoded, lambda merged, found: _spec(key, metadata, merged, settings, found), findings
    )
    return replace(decoded, shadow=other)


def _generation(metadata: Mapping[str, Any]) -> int:
    generation = metadata.get("generation")
    return generation if isinstance(generation, int) else 0


def _created(metadata: Mapping[str, Any]) -> float:
    """Seconds since 1970; 0 for an object that no API server has stored."""
    stamp = metadata.get("creationTimestamp")
    try:
        return datetime.fromisoformat(stamp).timestamp() if isinstance(stamp, str) else 0.0
    except (ValueError, OverflowError):
        return 0.0


def _target(
    fields: Mapping[str, Any], namespace: str, tuning: annotations.Tuning, findings: Findings
) -> spec.TargetRef | None:
    reference = fields.get("scaleTargetRef")
    if reference is None:
        return None
    path = "spec.scaleTargetRef"
    kind, name = reference.get("kind", ""), reference.get("name", "")
    version = reference.get("apiVersion") or defaults.api_version(kind)
    role = fields.get("subTargetSelector", {}).get("roleName") or None
    for part, value, example in (("kind", kind, "Deployment"), ("name", name, "web")):
        if not value:
            findings.problem(f"{path}.{part}", MISSING, f"is missing; write for example {example}")
    for where, word in (
        (f"{path}.kind", kind),
        (f"{path}.name", name),
        (f"{path}.apiVersion", version or ""),
        ("spec.subTargetSelector.roleName", role or ""),
    ):
        if len(word) > _LONGEST_NAME:
            findings.problem(where, word, f"is longer than {_LONGEST_NAME} characters, which no name is")
    if kind and version is None:
        findings.problem(f"{path}.apiVersion", MISSING, f"is missing; write the group and version of {kind}")
    other = reference.get("namespace")
    if other and other != namespace:
        findings.problem(
            f"{path}.namespace", other, f'is not the PodAutoscaler\'s own; write "{namespace}" or leave it out'
        )
    for part in sorted(reference.keys() & {"fieldPath", "resourceVersion", "uid"}):
        findings.warn(f"{path}.{part}", reference[part], "is not used; leave it out")
    return spec.TargetRef(version or "", kind, name, role, tuning.get("role_mode", None))


def _sources(fields: Mapping[str, Any], findings: Findings) -> list[Any]:
    """The metrics sources; AIBrix's first API had one metric, which its own sample still writes."""
    entries = fields.get("metricsSources")
    metric = fields.get("targetMetric")
    if entries is not None:
        for name in sorted(fields.keys() & {"targetMetric", "targetValue"}):
            findings.warn(f"spec.{name}", fields[name], "is ignored beside metricsSources; remove it")
        return list(entries)
    advice = "write metricsSources with a metricSourceType, targetMetric and targetValue"
    if any(problem.path == "spec.metricsSources" for problem in findings.problems):
        return []
    if metric is None or metric.lower() not in {"cpu", "memory"}:
        findings.problem("spec.metricsSources", MISSING, f"is missing; {advice}")
        return []
    findings.warn(
        "spec.targetMetric", metric, f"is of an API that AIBrix has given up, and read as a resource; {advice}"
    )
    if "targetValue" not in fields:
        findings.problem("spec.targetValue", MISSING, f"is missing; {advice}")
        return []
    return [{"metricSourceType": "resource", "targetMetric": metric, "targetValue": fields["targetValue"]}]


def _fallback(entry: Mapping[str, Any] | None, settings: Settings) -> spec.Fallback | None:
    if entry is None or "replicas" not in entry:
        return None
    return spec.Fallback(entry["replicas"], float(entry.get("afterSeconds", settings.deciding.fallback_after)))

"""Every field of a PodAutoscaler's spec, declared once: `structure` checks by it, `crd` and docs/api.md come from it.

No field has a default here: a default that the API server wrote into stored objects could no longer be told from a
choice, and would win over an annotation. `defaults` fills gaps when an object is read.

Overlapping schedules are not refused by a rule here: comparing each with each costs more than the API server allows
for a list that AIBrix leaves unbounded. `schedules` finds them.
"""

from podtide.api.schema_source import METRICS_SOURCE
from podtide.api.shapes import Field, Flag, Items, Number, Record, Rule, Text, Whole

GROUP = "autoscaling.aibrix.ai"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "PodAutoscaler"
PLURAL = "podautoscalers"

MOST_SOURCES = 64
MOST_SCHEDULES = 50
"""What one object may have of each, since everybody's objects are read and decided by one process: every source is
decided on at every tick, and every schedule is held against every other."""

_TIME = Text(
    pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$",
    hint='is not a time of day; write hours and minutes with two digits each, for example "09:00"',
)

SCALE_TARGET_REF = Record(
    (
        Field("apiVersion", Text(), "Group and version of the target. Default: apps/v1 for Deployment and its like."),
        Field("kind", Text(), "Kind of the target; anything with a scale subresource."),
        Field("name", Text(), "Name of the target."),
        Field("namespace", Text(), "The PodAutoscaler's own namespace; no other may be scaled."),
        Field("fieldPath", Text(), "Not used."),
        Field("resourceVersion", Text(), "Not used."),
        Field("uid", Text(), "Not used."),
    ),
    atomic=True,
)

SUB_TARGET_SELECTOR = Record(
    (Field("roleName", Text(), "The role to scale inside a larger object, AIBrix's StormService for one."),)
)

SCHEDULE = Record(
    (
        Field(
            "name",
            Text(
                pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
                hint='is not a name; write lower-case letters, digits and dashes, for example "office-hours"',
                shortest=1,
            ),
            "Name of the schedule, for status and events.",
            required=True,
            example='"office-hours"',
        ),
        Field("timezone", Text(), "IANA time zone, such as `Europe/Berlin`. Default: UTC."),
        Field("daysOfWeek", Items(Text(), shortest=1), "Days, as Mon to Sun, on which it starts. Default: every day."),
        Field("startTime", _TIME, "When it begins, included.", required=True, example='"09:00"'),
        Field(
            "endTime",
            _TIME,
            "When it ends, not included; at or before `startTime` means on the next day.",
            required=True,
            example='"18:00"',
        ),
        Field("minReplicas", Whole(), "The least replicas meanwhile. Default: the spec's."),
        Field("maxReplicas", Whole(), "The most replicas meanwhile. Default: the spec's."),
    ),
    rules=(
        Rule("has(self.minReplicas) || has(self.maxReplicas)", "a schedule needs minReplicas, maxReplicas or both"),
        Rule(
            "!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
            "a schedule's minReplicas must not be greater than its maxReplicas",
        ),
        Rule("!has(self.minReplicas) || self.minReplicas >= 0", "a schedule's minReplicas must not be negative"),
        Rule("!has(self.maxReplicas) || self.maxReplicas >= 1", "a schedule's maxReplicas must be at least 1"),
    ),
)

_POLICIES = Items(
    Record(
        (
            Field("type", Text(("Pods", "Percent")), "Whether `value` counts pods or per cent.", required=True),
            Field("value", Whole(1), "The most change within any one period.", required=True, example="4"),
            Field("periodSeconds", Whole(1, 1800), "Length of the period in seconds.", required=True, example="60"),
        )
    ),
    longest=32,
)


def _rules(stabilization: str, policies: str) -> Record:
    return Record(
        (
            Field("stabilizationWindowSeconds", Whole(0, 3600), stabilization),
            Field("selectPolicy", Text(("Max", "Min", "Disabled")), "Which policy rules. Default: Max."),
            Field("policies", _POLICIES, policies),
            Field(
                "tolerance",
                Number('is not a number; write for example "0.05"', "0.05"),
                "Relative deviation from the target that is left alone. Default: the strategy's.",
            ),
        )
    )


BEHAVIOR = Record(
    (
        Field(
            "scaleUp",
            _rules(
                "Grow to the lowest recommendation of so many seconds. Default: 0.",
                "How fast the count may grow. Default: 4 pods or 100 per cent in 15 seconds, whichever is more.",
            ),
            "Rules for growing.",
        ),
        Field(
            "scaleDown",
            _rules(
                "Shrink to the highest recommendation of so many seconds. Default: 300.",
                "How fast the count may shrink. Default: 100 per cent in 15 seconds.",
            ),
            "Rules for shrinking.",
        ),
    )
)

FALLBACK = Record(
    (
        Field("replicas", Whole(0), "The count to go to.", required=True, example="3"),
        Field(
            "afterSeconds",
            Whole(1),
            "Seconds without metrics before it is used. Default: 300.",
        ),
    )
)

FORMULA = Record(
    (
        Field(
            "expression",
            Text(shortest=1, longest=1000),
            "The sum: numbers, names of sources, `+ - * /`, parentheses, `min max abs ceil floor`, comparisons and "
            "`a > b ? a : b`. A name stands for the value over the whole workload.",
            required=True,
            example='"(waiting + running) / 2"',
        ),
        Field("targetValue", Number(), "What it is held at, greater than 0.", required=True, example='"50"'),
        Field(
            "targetType",
            Text(("AverageValue", "Value")),
            "What `targetValue` is compared with: the result per pod, or the result. Default: AverageValue.",
        ),
        Field(
            "activationValue",
            Number('is not a number; write for example "1"', "1"),
            "At zero replicas, a result above this wakes the workload. Default: 0.",
        ),
    )
)

KPA = Record(
    (
        Field("activationScale", Whole(1), "The least count when there is any load at all. Default: 1."),
        Field("scaleDownDelaySeconds", Whole(0, 3600), "Seconds whose highest recommendation counts. Default: 0."),
        Field(
            "scaleToZeroGraceSeconds",
            Whole(0, 3600),
            "Seconds that a workload asked to be zero keeps its pods. Default: 30.",
        ),
        Field("lastPodRetentionSeconds", Whole(0, 3600), "Seconds that the last pod is kept. Default: 0."),
        Field("weightedWindows", Flag(), "Let recent values weigh more. Default: false."),
        Field(
            "targetBurstCapacity",
            Number(),
            "Head-room wanted over the whole workload; the excess is reported. Default: 0, off; -1 is unlimited.",
        ),
        Field("totalValue", Number(), "The load one pod can carry, for the excess. Default: the target value."),
    )
)

FORECAST = Record(
    (
        Field(
            "methods",
            Items(Text(("Trend", "Daily", "Weekly")), shortest=1),
            "Ways to look ahead: Trend, a line through the last minutes; Daily and Weekly, what is usual at that time. "
            "The one that has been right most of late is believed. Default: all.",
        ),
        Field("windowSeconds", Whole(60, 3600), "Seconds that the trend is drawn through. Default: 300."),
        Field(
            "horizonSeconds",
            Whole(1, 3600),
            "How far to look ahead. Default: the time that the target's own pods take from created to ready.",
        ),
        Field(
            "maxErrorPercent",
            Whole(1, 100),
            "Mean error of late, in per cent of the load, above which a forecast is silent. Default: 30.",
        ),
        Field(
            "coveragePercent",
            Whole(1, 99),
            "Provide for a load that so many of the past outcomes were below. Default: 50, the middle.",
        ),
    )
)

SHADOW = Record(
    (
        Field("scalingStrategy", Text(("HPA", "KPA", "APA")), "The shadow's algorithm."),
        Field("minReplicas", Whole(), "The least replicas the shadow would have."),
        Field("maxReplicas", Whole(), "The most replicas the shadow would have."),
        Field(
            "targetValues", Items(Number(), 1, MOST_SOURCES), "Target values, one per metrics source, in their order."
        ),
        Field("observeWindowSeconds", Whole(1, 3600, wide=True), "As in the spec."),
        Field("panicWindowSeconds", Whole(1, 3600, wide=True), "As in the spec."),
        Field("behavior", BEHAVIOR, "As in the spec."),
        Field("kpa", KPA, "As in the spec."),
        Field("forecast", FORECAST, "As in the spec."),
    )
)

SPEC = Record(
    (
        Field(
            "scaleTargetRef",
            SCALE_TARGET_REF,
            "What is scaled.",
            required=True,
            example="{apiVersion: apps/v1, kind: Deployment, name: web}",
        ),
        Field("subTargetSelector", SUB_TARGET_SELECTOR, "A part of the target to scale instead of the whole."),
        Field("minReplicas", Whole(), "The least replicas; 0 allows scaling to zero. Default: 1."),
        Field("maxReplicas", Whole(), "The most replicas.", required=True, example="10"),
        Field(
            "schedules",
            Items(SCHEDULE, 1, MOST_SCHEDULES, is_stored_longer=True),
            "Other bounds at some hours of some days.",
        ),
        Field(
            "metricsSources",
            Items(METRICS_SOURCE, 1, MOST_SOURCES, is_stored_longer=True),
            "The metrics. Each proposes a count, the highest wins.",
        ),
        Field(
            "formula",
            FORMULA,
            "One metric computed from several named sources, which then propose nothing by themselves.",
        ),
        Field(
            "observeWindowSeconds",
            Whole(1, 3600, wide=True),
            "Seconds over which values are averaged (KPA's stable window). Default: 180.",
        ),
        Field(
            "panicWindowSeconds",
            Whole(1, 3600, wide=True),
            "Seconds of KPA's panic window. Default: 60, or the observe window if that is shorter.",
        ),
        Field(
            "scalingStrategy",
            Text(("HPA", "KPA", "APA")),
            "The algorithm: HPA, Kubernetes' ratio; KPA, Knative's windows with panic; APA, AIBrix's tolerance band.",
            required=True,
            example='"KPA"',
        ),
        Field(
            "behavior",
            BEHAVIOR,
            "How fast the count may change: autoscaling/v2's behavior, for every strategy. "
            "What is set here wins over annotations.",
        ),
        Field(
            "mode",
            Text(("Active", "DryRun", "Paused")),
            "Active scales; DryRun decides and reports what it would do; Paused leaves the target alone. "
            "Default: Active.",
        ),
        Field("fallback", FALLBACK, "What to do when metrics stay unavailable. Default: keep the count."),
        Field(
            "minCoveragePercent",
            Whole(1, 100),
            "Share of the ready pods that must have answered before the count may shrink. Default: 50.",
        ),
        Field(
            "startupLimitSeconds",
            Whole(1, 86400),
            "Seconds that a starting pod counts as capacity on its way. Default: 600.",
        ),
        Field(
            "removeLeastLoaded",
            Flag(),
            "Before a scale-down, mark the least loaded pods with `controller.kubernetes.io/pod-deletion-cost`, so "
            "that they go first. For targets built on ReplicaSets; needs the right to patch pods. Default: false.",
        ),
        Field("kpa", KPA, "What else KPA can be told."),
        Field(
            "forecast",
            FORECAST,
            "Ask for pods before the load is there, as early as they take to start. It only ever raises the count, and "
            "is silent while its forecasts are wrong. Default: no forecast.",
        ),
        Field(
            "shadow",
            SHADOW,
            "Another policy for the same target and metrics: computed at every decision, reported, never carried out. "
            "What it leaves out is as in the spec.",
        ),
        Field("targetMetric", Text(), "Deprecated: `cpu` or `memory`; write `metricsSources`."),
        Field("targetValue", Number(), "Deprecated: goes with `targetMetric`."),
    ),
    rules=(
        Rule(
            "(has(self.minReplicas) ? self.minReplicas : 1) <= self.maxReplicas",
            "minReplicas (1 by default) must not be greater than maxReplicas",
        ),
        Rule("!has(self.minReplicas) || self.minReplicas >= 0", "minReplicas must not be negative"),
        Rule("self.maxReplicas >= 1", "maxReplicas must be at least 1"),
        Rule(
            "!has(self.panicWindowSeconds) || self.panicWindowSeconds <= "
            "(has(self.observeWindowSeconds) ? self.observeWindowSeconds : 180)",
            "panicWindowSeconds must not be greater than observeWindowSeconds (180 by default)",
        ),
        Rule(
            "has(self.scaleTargetRef.name) && self.scaleTargetRef.name != '' "
            "&& has(self.scaleTargetRef.kind) && self.scaleTargetRef.kind != ''",
            "scaleTargetRef needs kind and name",
        ),
    ),
)

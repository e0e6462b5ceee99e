"""The fields of a PodAutoscaler's status, declared once. `status` fills them, `crd` makes the schema of them."""

from podtide.api.shapes import Anything, Field, Flag, Items, Record, Text, Whole

_WHEN = Text(format="date-time")
HISTORY = 5
"""Scalings that the status remembers."""

CONDITION = Record(
    (
        Field(
            "type",
            Text(
                pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
                r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
                longest=316,
            ),
            "What is said: Ready, ValidSpec, AbleToScale, ScalingActive, ScalingLimited, MetricsAvailable and others.",
            required=True,
        ),
        Field("status", Text(("True", "False", "Unknown")), "Whether it holds.", required=True),
        Field(
            "reason",
            Text(pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", shortest=1, longest=1024),
            "One word why.",
            required=True,
        ),
        Field("message", Text(longest=32768), "Why, and what to do about it.", required=True),
        Field("lastTransitionTime", _WHEN, "When the status last changed.", required=True),
        Field("observedGeneration", Whole(0, wide=True), "The spec's generation this was said of."),
    )
)

SCALING = Record(
    (
        Field("timestamp", _WHEN, "When.", required=True),
        Field("previousScale", Whole(), "Replicas before.", required=True),
        Field("newScale", Whole(), "Replicas asked for.", required=True),
        Field("reason", Text(), "Why.", required=True),
        Field("success", Flag(), "Whether the API server took it.", required=True),
        Field("error", Text(), "What it said if not."),
    )
)

SCHEDULED_BOUNDS = Record(
    (
        Field("activeSchedule", Text(), "The schedule in force, if any."),
        Field("effectiveMinReplicas", Whole(), "The least replicas now.", required=True),
        Field("effectiveMaxReplicas", Whole(), "The most replicas now.", required=True),
    )
)

METRIC = Record(
    (
        Field("name", Text(), "The entry of `metricsSources`: its index and its metric.", required=True),
        Field("current", Text(), "The value last observed, in the target's unit; empty if unknown.", required=True),
        Field("target", Text(), "The value it is held at.", required=True),
        Field("replicas", Whole(), "The count this metric asks for."),
        Field("reason", Text(), "One word on how, or why not."),
    )
)

STATUS = Record(
    (
        Field("observedGeneration", Whole(wide=True), "The spec's generation that this status is of."),
        Field("reference", Text(), "What is scaled: `Deployment/web`."),
        Field("mode", Text(), "Active, DryRun or Paused."),
        Field("targets", Text(), "Current and wanted value of each metric: `14/20`."),
        Field("desiredScale", Whole(), "Replicas that the last decision wants."),
        Field("actualScale", Whole(), "Replicas that the target has been told to have."),
        Field("readyReplicas", Whole(), "Pods that were ready at the last decision."),
        Field("lastScaleTime", _WHEN, "When the target was last scaled."),
        Field("conditions", Items(CONDITION), "What holds and what does not."),
        Field("scalingHistory", Items(SCALING, longest=HISTORY), "The last scalings, oldest first."),
        Field("scheduledBounds", SCHEDULED_BOUNDS, "The bounds in force, if the spec has schedules."),
        Field("metrics", Items(METRIC), "Each metric's last value."),
        Field(
            "lastDecision",
            Anything(),
            "How the last decision came about, for `podtide explain`. Its form carries a version and may change.",
        ),
    )
)

"""The reference of every exported metric: `python -m podtide.telemetry.reference` prints docs/metrics.md."""

import sys

from podtide.telemetry.meters import Described, Meters

_OPENING = """\
<!-- Made by `python -m podtide.telemetry.reference`; to change it, change src/podtide/telemetry/meters.py. -->
# Metrics

Served at `/metrics` on `--metrics-port` (8080) and `--health-port` (8081), as OpenMetrics where that is asked for.
Every name begins with `podtide_`; the `process_*` metrics of Prometheus' clients (memory, CPU, files) come with them.

Series with the labels `namespace` and `name` belong to one PodAutoscaler, are shown by the replica that works on it,
and vanish with it. No label holds a pod's name, a URL or the text of an error, so the number of series depends on the
number of autoscalers and of their metrics, and on nothing that happens to them. A value that is not known is no sample:
never a zero, never an old one.

The label `metric` is the source's `targetMetric`, as in the status: `num_requests_waiting`. Of several sources with one
name the second is `num_requests_waiting#2`. A formula is `formula`.

| metric | type | labels | meaning |
|---|---|---|---|
"""

_CLOSING = """
## Alerts

`charts/podtide/rules/podtide.yaml` has alerts for all that needs somebody; the chart installs them with
`metrics.prometheusRule.enabled=true`, and the dashboard with `metrics.dashboard.enabled=true`. [Alerts](alerts.md) says
of each what to do. A Prometheus without the chart's monitors needs `honor_labels: true` for this page: the labels
`namespace` and `name` on it are the autoscalers', not the controller's.

| question | query |
|---|---|
| What is at its upper bound? | `podtide_autoscaler_desired_replicas >= podtide_autoscaler_max_replicas` |
| Which metrics have no value now? | `podtide_autoscaler_metric_target unless podtide_autoscaler_metric_value` |
| How far from its target is each metric? | `podtide_autoscaler_metric_value / podtide_autoscaler_metric_target` |
| Why do scrapes fail? | `sum by (reason) (rate(podtide_scrape_failures_total[5m]))` |
| What would a DryRun have done? | `podtide_autoscaler_desired_replicas - podtide_autoscaler_current_replicas` |
| Who leads? | `podtide_leader == 1` |
"""


def markdown() -> str:
    """The whole page."""
    rows = sorted(Meters().described, key=lambda described: described.name)
    return _OPENING + "".join(map(_row, rows)) + _CLOSING


def _row(metric: Described) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.text} |\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())

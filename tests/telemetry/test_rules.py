"""Alerts and dashboard: every query is one that Prometheus reads, and asks for metrics that there are."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from podtide.core.engine import conditions
from podtide.telemetry import reference
from podtide.telemetry.meters import Meters

CHART = Path(__file__).parents[2] / "charts" / "podtide"
RULES = CHART / "rules" / "podtide.yaml"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not installed; on Debian: apt-get install prometheus"
)


def promtool(*arguments: str) -> None:
    ended = subprocess.run([str(PROMTOOL), *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def alerts() -> list[str]:
    return [rule["expr"] for rule in rules()]


def answers() -> list[str]:
    """The queries that docs/metrics.md answers questions with."""
    return re.findall(r"^\| [^|]*\? \| `(.*)` \|$", reference.markdown(), re.MULTILINE)


def panels() -> Iterator[str]:
    dashboard = json.loads((CHART / "dashboards" / "podtide.json").read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def names() -> set[str]:
    found = {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"}
    for metric in Meters().described:
        found |= {f"{metric.name}_bucket"} if metric.kind == "histogram" else {metric.name}
    return found


@pytest.mark.parametrize("query", [*alerts(), *panels(), *answers()])
def test_queries_ask_for_metrics_that_there_are(query: str) -> None:
    asked = set(re.findall(r"(?:podtide|process)_\w+", query))
    assert asked
    assert asked <= names()


def test_every_autoscaler_metric_is_on_the_dashboard() -> None:
    shown = " ".join(panels())
    own = [metric.name for metric in Meters().described if metric.name.startswith("podtide_autoscaler")]
    assert [name for name in own if name not in shown] == []


def test_panels_do_not_overlap_and_have_numbers_of_their_own() -> None:
    dashboard = json.loads((CHART / "dashboards" / "podtide.json").read_text())
    cells = [
        (x, y)
        for panel in dashboard["panels"]
        for at in [panel["gridPos"]]
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_every_alert_leads_to_its_section_and_every_section_is_an_alert() -> None:
    page = (CHART.parents[1] / "docs" / "alerts.md").read_text()
    sections = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert sections == [rule["alert"] for rule in rules()]
    links = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in rules()}
    assert links == {name: f"docs/alerts.md#{name.lower()}" for name in sections}


def test_every_alert_is_made_to_fire_and_not_to_fire() -> None:
    cases = yaml.safe_load((Path(__file__).parent / "rules.test.yaml").read_text())["tests"]
    calm, wrong = cases[0]["alert_rule_test"], cases[-1]["promql_expr_test"][0]["exp_samples"]
    names = [rule["alert"] for rule in rules()]
    assert [case["alertname"] for case in calm] == names
    assert [re.findall(r'"(\w+)"', sample["labels"])[0] for sample in wrong] == names


def test_every_panel_says_what_it_shows_in_words_of_its_own() -> None:
    dashboard = json.loads((CHART / "dashboards" / "podtide.json").read_text())
    told = [panel.get("description") for panel in dashboard["panels"] if panel["type"] != "row"]
    assert all(told)
    assert len(set(told)) == len(told)


def test_conditions_that_are_asked_for_are_ones_that_a_decision_can_have() -> None:
    """Objects that are invalid have no decision, and so no series of conditions."""
    asked = {
        name
        for query in [*alerts(), *panels()]
        for listed in re.findall(r'condition=~?"([^"]+)"', query)
        for name in listed.split("|")
    }
    source = Path(conditions.__file__).read_text()
    assert "AbleToScale" in asked
    assert [name for name in sorted(asked) if f'"{name}"' not in source] == []


@needs_promtool
def test_prometheus_accepts_the_rules() -> None:
    promtool("check", "rules", str(RULES))


@needs_promtool
def test_the_rules_fire_when_they_should_and_only_then() -> None:
    promtool("test", "rules", str(Path(__file__).parent / "rules.test.yaml"))


@needs_promtool
def test_prometheus_reads_every_query_of_dashboard_and_documentation(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "1m")}
        for number, query in enumerate([*panels(), *answers()])
    ]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", str(file))

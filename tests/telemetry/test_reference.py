"""The page of metrics: documented in full, well-formed for the real tools, and empty of what is gone."""

import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics import exposition, parser

from podtide.core.model.decision import Action, Applied, Condition, Decision, Outcome, Proposal
from podtide.core.model.reading import Failure, Reason
from podtide.core.model.signal import Signal
from podtide.core.model.spec import Bounds, Key
from podtide.kube.resources import Resource
from podtide.telemetry import reference
from podtide.telemetry.meters import Meters

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
PROMTOOL = shutil.which("promtool")
KEYS = (Key("shop", "web"), Key("shop", "checkout"))


@pytest.fixture
def meters() -> Meters:
    """A controller's metrics after every kind of thing has happened."""
    meters = Meters()
    for key in KEYS:
        meters.insecure(key, True)
        for applied in (Applied(Outcome.PATCHED, 4), Applied(Outcome.FAILED, 2, "boom")):
            meters.decided(decision(key), applied)
    meters.autoscalers.labels("active").set(2)
    meters.crashes.inc()
    meters.leader.labels("0").set(1)
    meters.scraped(0.02, None)
    meters.scraped(3.0, Failure(Reason.TIMEOUT))
    for histogram in (meters.tick_seconds, meters.tick_lag, meters.loop_lag):
        histogram.observe(0.01)
    meters.api_request("PATCH", "deployments.apps", 200, 0.01)
    return meters


def decision(key: Key, *conditions: Condition) -> Decision:
    return Decision(
        key=key,
        at=0.0,
        version="1",
        current=2,
        desired=4,
        action=Action.PATCH,
        reason="Panic",
        message="",
        bounds=Bounds(1, 9),
        proposals=(Proposal("0:rps", 4, "Panic", value=31.5, target=10.0, excess_burst_capacity=12.0),),
        signals=(Signal("0:rps", at=0.0, coverage=0.5),),
        conditions=conditions or (Condition("ScalingActive", True, "ValidMetricFound", ""),),
    )


def test_the_page_in_docs_is_the_codes() -> None:
    assert PAGE.read_text() == reference.markdown(), "run: python -m podtide.telemetry.reference > docs/metrics.md"


def test_every_family_is_documented_with_its_type_and_labels(meters: Meters) -> None:
    described = {metric.name: metric for metric in meters.described}
    ours = [family for family in meters.registry.collect() if family.name.startswith("podtide")]
    assert len(ours) == len(described)
    for family in ours:
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        found = described[family.name + suffix]
        assert found.kind == ("gauge" if family.type == "info" else family.type)
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} == set(found.labels), sample


def test_an_openmetrics_parser_reads_the_page(meters: Meters) -> None:
    families = list(parser.text_string_to_metric_families(exposition.generate_latest(meters.registry).decode()))
    names = {family.name for family in families}
    assert {"podtide_autoscaler_desired_replicas", "podtide_decisions", "process_resident_memory_bytes"} <= names


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed; on Debian: apt-get install prometheus")
def test_promtool_finds_nothing_to_say(meters: Meters) -> None:
    page = generate_latest(meters.registry)
    checked = subprocess.run([str(PROMTOOL), "check", "metrics"], input=page, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


def test_nothing_is_left_of_an_object_that_is_gone(meters: Meters) -> None:
    before = generate_latest(meters.registry).decode()
    meters.forget(KEYS[0])
    after = generate_latest(meters.registry).decode()
    assert 'name="web"' in before
    assert 'name="web"' not in after
    assert after.count('name="checkout"') == before.count('name="checkout"') == before.count('name="web"')


def test_a_condition_that_is_unknown_or_gone_is_no_sample() -> None:
    meters, (key, _) = Meters(), KEYS
    labels = {"namespace": key.namespace, "name": key.name}

    def shown() -> dict[str, float | None]:
        found = ("ScalingActive", "Paused")
        return {
            name: meters.registry.get_sample_value("podtide_autoscaler_condition", labels | {"condition": name})
            for name in found
        }

    applied = Applied(Outcome.UNCHANGED, 2)
    active, paused = Condition("ScalingActive", False, "", ""), Condition("Paused", True, "", "")
    meters.decided(decision(key, active, paused), applied)
    assert shown() == {"ScalingActive": 0.0, "Paused": 1.0}
    meters.decided(decision(key, Condition("ScalingActive", None, "", "")), applied)
    assert shown() == {"ScalingActive": None, "Paused": None}


def test_groups_that_objects_make_up_are_no_labels() -> None:
    """A target of any group is looked up in discovery, whether there is such a group or not."""
    meters = Meters()
    for number in range(5):
        meters.api_request("GET", Resource(f"made-up-{number}.example.com", "v1", "", "").name, 404, 0.01)
    meters.api_request("GET", Resource("", "v1", "", "").name, 200, 0.01)
    labels = {"verb": "GET", "resource": "discovery", "code": "404"}
    assert meters.registry.get_sample_value("podtide_api_requests_total", labels) == 5
    assert meters.registry.get_sample_value("podtide_api_requests_total", labels | {"code": "200"}) == 1


def test_names_that_objects_make_up_are_no_labels() -> None:
    meters = Meters()
    for number in range(5):
        meters.api_request("GET", f"queue-{number}.external.metrics.k8s.io", 200, 0.01)
    labels = {"verb": "GET", "resource": "external.metrics.k8s.io", "code": "200"}
    assert meters.registry.get_sample_value("podtide_api_requests_total", labels) == 5

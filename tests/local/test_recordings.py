"""The embedded server answers what a real kube-apiserver answered: every recorded exchange, replayed in order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.local import replay
from tests.local.replay import Answer

EXCHANGES = replay.exchanges()

OTHERWISE = {
    "watch-send-initial-events": "the recorded server's storage could not report progress and refused; with etcd, and "
    "here, the initial events and their bookmark follow (tests/local/test_watch.py)",
}
"""Exchanges that are answered differently on purpose, with the reason."""

ABSENT_GROUPS = {
    "apiregistration.k8s.io": "no aggregated API servers stand behind this one",
    "certificates.k8s.io": "it signs no certificates",
    "admissionregistration.k8s.io": "it calls no webhooks",
    "resource.k8s.io": "it has no devices to claim",
    "flowcontrol.apiserver.k8s.io": "it has no priority and fairness",
}
"""Groups of the recorded discovery that are not served, with the reason."""

ABSENT_VERSIONS = {"autoscaling/v1": "superseded by v2; the Scale of autoscaling/v1 is served where it belongs"}


@pytest.fixture(scope="module")
def answers() -> list[Answer]:
    return asyncio.run(replay.replay())


def _ids() -> list[str]:
    return [f"{exchange['sequence']}/{exchange['step']}" for exchange in EXCHANGES]


@pytest.mark.parametrize("number", range(len(EXCHANGES)), ids=_ids())
def test_the_answer_is_the_recorded_one(number: int, answers: list[Answer]) -> None:
    exchange, answer = EXCHANGES[number], answers[number]
    recorded = exchange["response"]
    if exchange["step"] in OTHERWISE:
        assert answer.status == 200
        return
    assert answer.status == recorded["status"], answer.body
    for name in ("content-type", "warning"):
        assert answer.headers.get(name) == recorded["headers"].get(name)
    if recorded["status"] == 500:
        # A recorded watch that failed at once; its one line is the body.
        assert answer.body == recorded["watch_events"][0]
        return
    wanted, given = _comparable(exchange, recorded.get("body")), _comparable(exchange, answer.body)
    if wanted != "<omitted>":
        assert given == wanted
    assert replay.normal(answer.events) == replay.normal(recorded.get("watch_events", []))
    assert answer.broken_links == []


def _comparable(exchange: dict[str, Any], body: Any) -> Any:
    """An answer with what no two servers share taken out."""
    body = replay.normal(body)
    match exchange["step"]:
        case "version":
            build = ("gitVersion", "gitCommit", "goVersion", "compiler")
            return {name: value for name, value in body.items() if name not in build}
        case "core-versions":
            return {**body, "serverAddressByClientCIDRs": "<address>"}
        case "group-list":
            return {**body, "groups": _served(body["groups"])}
    return body


def _served(groups: list[Any]) -> Any:
    shown = {}
    for group in groups:
        versions = [version for version in group["versions"] if version["groupVersion"] not in ABSENT_VERSIONS]
        shown[group["name"]] = {**group, "versions": versions}
    return {name: group for name, group in shown.items() if name not in ABSENT_GROUPS}


def test_what_is_listed_as_absent_is_absent(answers: list[Answer]) -> None:
    groups = next(a.body for a, e in zip(answers, EXCHANGES, strict=True) if e["step"] == "group-list")["groups"]
    assert not {group["name"] for group in groups} & ABSENT_GROUPS.keys()
    assert not {v["groupVersion"] for group in groups for v in group["versions"]} & ABSENT_VERSIONS.keys()

"""Label and field selectors: what they match, how they read, what is refused."""

from __future__ import annotations

import pytest

from podtide.local import selectors
from podtide.local.refusals import Refusal

_LABELS = {"app": "web", "tier": "front", "size": "7"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app", True),
        ("!app", False),
        ("app=web", True),
        ("app==web,tier!=back", True),
        ("app = web , tier in (front, edge)", True),
        ("tier notin (front)", False),
        ("ghost notin (a)", True),
        ("ghost!=a", True),
        ("ghost", False),
        ("size>5", True),
        ("size<5", False),
        ("app>5", False),
        ("app=", False),
        ("example.com/part-of!=x,!example.com/y", True),
    ],
)
def test_labels(text: str, *, matches: bool) -> None:
    assert selectors.matches(selectors.parse(text), _LABELS) is matches


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a===b", "found '=', expected: identifier"),
        ("a in b", "found 'b', expected: '('"),
        ("a in (b", "found '', expected: ',' or ')'"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        (",a", "found ',', expected: identifier"),
    ],
)
def test_labels_that_do_not_parse(text: str, told: str) -> None:
    with pytest.raises(Refusal) as refused:
        selectors.parse(text)
    assert (refused.value.code, refused.value.message) == (400, f"unable to parse requirement: {told}")


def test_a_selector_object_as_text() -> None:
    chosen = selectors.of_object(
        {
            "matchLabels": {"b": "2", "a": "1"},
            "matchExpressions": [
                {"key": "c", "operator": "NotIn", "values": ["y", "x"]},
                {"key": "d", "operator": "Exists"},
                {"key": "e", "operator": "DoesNotExist"},
            ],
        }
    )
    assert selectors.text(chosen) == "a=1,b=2,c notin (x,y),d,!e"


def test_fields() -> None:
    running = selectors.fields("status.phase=Running,metadata.name!=a", ("status.phase", "metadata.name"), "pods")
    assert running is not None
    assert running({"status.phase": "Running", "metadata.name": "b"})
    assert not running({"status.phase": "Running", "metadata.name": "a"})
    assert not running({"status.phase": "Pending", "metadata.name": "b"})


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(Refusal, match=r"field label not supported: spec\.colour"):
        selectors.fields("spec.colour=red", ("metadata.name",), "v1, Resource=pods")

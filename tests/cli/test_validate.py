import argparse
import io
from pathlib import Path
from typing import Any

import pytest

from podtide.cli import crd, validate
from podtide.control.feeds import documents
from tests.api import manifests

HEADER = """\
apiVersion: autoscaling.aibrix.ai/v1alpha1
kind: PodAutoscaler
metadata:
  name: web
  namespace: shop
"""
GOOD = (
    HEADER
    + """\
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 10
  scalingStrategy: KPA
  metricsSources:
    - metricSourceType: pod
      targetMetric: rps
      targetValue: "50"
"""
)


def podtide(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    validate.add_parser(commands)
    crd.add_parser(commands)
    parsed = parser.parse_args(arguments)
    code: int = parsed.run(parsed)
    return code


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "a.yaml") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return write


def test_a_valid_file(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert podtide("validate", file(GOOD)) == 0
    assert capsys.readouterr().out == "1 PodAutoscaler checked: all valid\n"


def test_a_problem_names_file_line_object_field_value_and_fix(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    bad = GOOD.replace('"50"', '"fifty"').replace("maxReplicas: 10", "maxReplicas: 0\n  maxReplica: 3")
    assert podtide("validate", file(bad)) == 1
    assert capsys.readouterr().out.splitlines() == [
        "a.yaml:8: shop/web: spec.maxReplicas: 0 is too small; write at least 1",
        "a.yaml:9: shop/web: warning: spec.maxReplica: 3 is not a field and is ignored; did you mean maxReplicas?",
        'a.yaml:14: shop/web: spec.metricsSources[0].targetValue: "fifty" is not a number; write for example "50"',
        "1 PodAutoscaler checked: 2 problems, 1 warning",
    ]


def test_every_document_counts_and_other_kinds_do_not(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    other = "kind: Deployment\napiVersion: apps/v1\n"
    second = GOOD.replace("name: web", "name: api").replace("KPA", "kpa")
    assert podtide("validate", file(f"---\n{GOOD}---\n{other}---\n\n---\n{second}")) == 1
    assert capsys.readouterr().out.splitlines() == [
        'a.yaml:29: shop/api: spec.scalingStrategy: "kpa" is not HPA, KPA or APA; write "KPA"',
        "2 PodAutoscalers checked: 1 problem; 1 of other kinds passed over",
    ]


def test_a_patch_says_what_it_lacks(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(manifests.DATA / "aibrix")
    name = "development/app/config/simulator/patch_podautoscaler_a100.yaml"
    assert podtide("validate", "-q", name) == 1
    file = f"{name}:8: default/podautoscaler-simulator-llama2-7b-a100"
    assert capsys.readouterr().out.splitlines() == [
        f"{file}: spec.maxReplicas: is missing; write for example 10",
        f'{file}: spec.scalingStrategy: is missing; write for example "KPA"',
    ]


def test_a_directory(capsys: pytest.CaptureFixture[str]) -> None:
    assert podtide("validate", "-q", str(manifests.DATA / "aibrix" / "samples")) == 0
    assert capsys.readouterr().out == ""
    podtide("validate", str(manifests.DATA / "aibrix" / "samples" / "autoscaling"))
    assert "12 PodAutoscalers checked" in capsys.readouterr().out


def test_a_list_object(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    item = "\n".join("    " + line for line in GOOD.splitlines()).replace("10", "0")
    assert podtide("validate", file(f"kind: List\napiVersion: v1\nitems:\n  -\n{item}\n")) == 1
    assert capsys.readouterr().out.splitlines()[0] == (
        "a.yaml:12: shop/web: spec.maxReplicas: 0 is too small; write at least 1"
    )


def test_two_objects_on_one_target(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    others = [GOOD.replace("  name: web\n", f"  name: web-{number}\n") for number in (2, 3)]
    assert podtide("validate", file(GOOD), file(others[0], "b.yaml"), file(others[1], "c.yaml")) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{name}.yaml:3: shop/web-{number}: warning: scales Deployment/web, as shop/web does (a.yaml:3); "
        "the older would act, the other stand by"
        for name, number in (("b", 2), ("c", 3))
    ] + ["3 PodAutoscalers checked: 2 warnings"]


def test_warnings_can_be_made_to_count(file: Any) -> None:
    name = file(GOOD.replace("  maxReplicas", "  maxReplica: 1\n  maxReplicas"))
    assert podtide("validate", name) == 0
    assert podtide("validate", "--strict", name) == 1


def test_from_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(GOOD.replace("10", "0").encode())))
    assert podtide("validate", "-") == 1
    assert capsys.readouterr().out.startswith("-:8: shop/web: spec.maxReplicas: 0 is too small")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "a: [", "line 1, column 5: expected the node content, but found '<stream end>'", id="the end is missing"
        ),
        pytest.param(
            '{"kind":\n  "x"',
            "line 2, column 6: expected ',' or '}', but got '<stream end>', "
            "while parsing a flow mapping that begins in line 1",
            id="not closed",
        ),
        pytest.param(
            "spec:\n\tname: web",
            "line 2, column 1: found character '\\t' that cannot start any token; indent with spaces",
            id="tabs",
        ),
        pytest.param(
            "a: \x00", "it is no text in UTF-8; save it as UTF-8, without control characters", id="control character"
        ),
        pytest.param(
            "a: !!python/object:os.nice x",
            "line 1, column 4: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object:os.nice'",
            id="a program",
        ),
        pytest.param("[" * 5000, "it is nested too deeply; a manifest has no more than some ten levels", id="too deep"),
        pytest.param(
            f"{GOOD}  minReplicas: 1\n  maxReplicas: 1\n",
            "line 15: maxReplicas stands in line 8 already; take one of the two away",
            id="a field twice",
        ),
    ],
)
def test_what_is_no_yaml(file: Any, capsys: pytest.CaptureFixture[str], text: str, expected: str) -> None:
    assert podtide("validate", "-q", file(text)) == 2
    assert capsys.readouterr().err == f"a.yaml: is not YAML: {expected}\n"


def test_bytes_that_are_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_bytes(b"name: caf\xe9\n")
    assert podtide("validate", str(tmp_path)) == 2
    assert capsys.readouterr().err.endswith("it is no text in UTF-8; save it as UTF-8, without control characters\n")


def test_what_stands_above_a_mistake_is_checked(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert podtide("validate", file(f"{GOOD.replace('10', '0')}---\na: [")) == 2
    told = capsys.readouterr()
    assert told.out.startswith("a.yaml:8: shop/web: spec.maxReplicas: 0 is too small; write at least 1\n")
    assert told.err.startswith("a.yaml: is not YAML: line 15")


def test_two_documents_of_one_name_in_one_file(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert podtide("validate", file(GOOD, "b.yaml"), file(f"{GOOD}---\n{GOOD}")) == 0
    assert capsys.readouterr().out.splitlines() == [
        'a.yaml:18: shop/web: warning: metadata.name: "web" is the name of the object at a.yaml:4, too, so only one of '
        "them counts; rename one or take it away",
        "3 PodAutoscalers checked: 1 warning",
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(
            "kind: PodAutoscaler",
            "kind: PodAutoScaler",
            'a.yaml:2: shop/web: kind: "PodAutoScaler" is not known in autoscaling.aibrix.ai; write "PodAutoscaler"',
            id="a kind misspelt",
        ),
        pytest.param(
            "apiVersion: autoscaling.aibrix.ai/v1alpha1\n",
            "",
            'a.yaml:1: shop/web: apiVersion: is missing; write "autoscaling.aibrix.ai/v1alpha1"',
            id="no version",
        ),
    ],
)
def test_what_is_meant_to_be_ours_is_not_passed_over(
    file: Any, capsys: pytest.CaptureFixture[str], before: str, after: str, expected: str
) -> None:
    assert podtide("validate", file(GOOD.replace(before, after, 1))) == 1
    assert capsys.readouterr().out.splitlines()[0] == expected


def test_the_autoscaler_of_another_project_is_passed_over(file: Any) -> None:
    assert podtide("validate", file(GOOD.replace("autoscaling.aibrix.ai", "autoscaling.internal.knative.dev"))) == 0


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert podtide("validate", str(tmp_path / "none.yaml")) == 2
    assert capsys.readouterr().err == f"{tmp_path}/none.yaml: No such file or directory\n"


def test_a_time_stays_text() -> None:
    (document,) = documents.documents("created: 2026-01-02T03:04:05Z\n")
    assert document.value == {"created": "2026-01-02T03:04:05Z"}


def test_anchors_and_merges_work() -> None:
    text = "base: &base {a: 1}\nother:\n  <<: *base\n  b: 2\n"
    (document,) = documents.documents(text)
    assert document.value["other"] == {"a": 1, "b": 2}
    assert document.line("other.b") == 4


@pytest.mark.parametrize(
    ("arguments", "copy"),
    [
        pytest.param((), "config/crd/podautoscalers.autoscaling.aibrix.ai.yaml", id="the definition"),
        pytest.param(("-o", "markdown"), "docs/api.md", id="the reference"),
    ],
)
def test_crd_prints_what_the_project_holds(
    arguments: tuple[str, ...], copy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert podtide("crd", *arguments) == 0
    assert capsys.readouterr().out == (Path(__file__).parents[2] / copy).read_text(encoding="utf-8")

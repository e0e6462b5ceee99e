from typing import Any

import pytest

from podtide.api import amounts, decode
from podtide.core.model import spec
from tests.api import manifests

P = "autoscaling.aibrix.ai/"


def read(annotations: dict[str, Any], **fields: Any) -> tuple[spec.AutoscalerSpec, list[str]]:
    decoded = decode.autoscaler(manifests.manifest(annotations, **fields))
    assert decoded.spec is not None, decoded.problems
    return decoded.spec, [str(warning) for warning in decoded.warnings]


def test_every_documented_annotation_reaches_kpa() -> None:
    decoded, warnings = read(
        {
            f"{P}max-scale-up-rate": "3.0",
            f"{P}max-scale-down-rate": "1.5",
            f"{P}scale-up-tolerance": "0.2",
            f"{P}scale-down-tolerance": "0.1",
            f"{P}panic-threshold": "2.5",
            f"{P}scale-up-cooldown-window": "30s",
            f"{P}scale-down-cooldown-window": "5m",
            f"{P}scale-to-zero": "false",
        }
    )
    assert warnings == []
    assert decoded.algorithm == spec.Kpa(
        max_scale_up_rate=3.0, max_scale_down_rate=1.5, panic_threshold=2.5, tolerance=spec.Tolerance(up=0.2, down=0.1)
    )
    assert decoded.cooldown == spec.Cooldown(up=30.0, down=300.0)


def test_legacy_keys_are_honoured_and_named() -> None:
    decoded, warnings = read(
        {
            f"kpa.{P}stable-window": "90s",
            f"kpa.{P}panic-window": "10s",
            f"kpa.{P}panic-threshold": "2.5",
            f"kpa.{P}scale-down-delay": "1m30s",
            f"kpa.{P}activation-scale": "3",
            f"kpa.{P}target-burst-capacity": "45.5",
        }
    )
    assert decoded.algorithm == spec.Kpa(
        stable_window=90.0,
        panic_window=10.0,
        panic_threshold=2.5,
        scale_down_delay=90.0,
        activation_scale=3,
        target_burst_capacity=45.5,
    )
    assert len(warnings) == 6
    assert (
        f'metadata.annotations["kpa.{P}scale-down-delay"]: "1m30s" is honoured here, but AIBrix ignores it now; '
        f"write {P}scale-down-cooldown-window"
    ) in warnings


def test_a_delay_of_zero_means_no_delay() -> None:
    decoded, _ = read({f"kpa.{P}scale-down-delay": "0s"})
    assert (decoded.cooldown.down, decoded.algorithm) == (0.0, spec.Kpa())


def test_the_cooldown_of_today_stands_beside_the_delay_of_yesterday() -> None:
    decoded, _ = read({f"kpa.{P}scale-down-delay": "10s", f"{P}scale-down-cooldown-window": "60s"})
    assert (decoded.cooldown.down, decoded.algorithm) == (60.0, spec.Kpa(scale_down_delay=10.0))


def test_a_spec_field_wins_over_an_annotation() -> None:
    decoded, _ = read(
        {f"{P}scale-down-cooldown-window": "60s", f"{P}scale-up-tolerance": "0.2", f"kpa.{P}stable-window": "90s"},
        behavior={"scaleDown": {"stabilizationWindowSeconds": 10}, "scaleUp": {"tolerance": "0.05"}},
        observeWindowSeconds=120,
    )
    assert decoded.cooldown == spec.Cooldown(up=0.0, down=10.0)
    assert isinstance(decoded.algorithm, spec.Kpa)
    assert decoded.algorithm.tolerance == spec.Tolerance(up=0.05, down=0.0)
    assert decoded.algorithm.stable_window == 120.0


def test_behavior_without_a_window_takes_the_annotations() -> None:
    decoded, _ = read({f"{P}scale-down-cooldown-window": "60s"}, behavior={"scaleDown": {"selectPolicy": "Min"}})
    assert decoded.behavior is not None
    assert decoded.behavior.down == spec.ScalingRules(
        60.0, spec.SelectPolicy.MIN, (spec.Policy("Percent", 100, 15.0),), None
    )


def test_hpas_rates_become_the_policies_aibrix_generates() -> None:
    decoded, _ = read({f"{P}max-scale-up-rate": "3", f"{P}max-scale-down-rate": "2"}, scalingStrategy="HPA")
    assert decoded.behavior is not None
    assert decoded.behavior.up.policies == (spec.Policy("Percent", 200, 60.0),)
    assert decoded.behavior.down.policies == (spec.Policy("Percent", 50, 60.0),)
    assert decoded.behavior.down.window == 300.0


def test_a_rate_of_one_forbids_the_direction() -> None:
    decoded, _ = read({f"{P}max-scale-down-rate": "1"}, scalingStrategy="HPA")
    assert decoded.behavior is not None
    assert decoded.behavior.down.select is spec.SelectPolicy.DISABLED


def test_hpa_without_behavior_or_rates_has_kubernetes_own() -> None:
    decoded, _ = read({}, scalingStrategy="HPA")
    assert decoded.behavior is None
    assert decoded.algorithm == spec.Hpa()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (f"{P}max-scale-up-rte", "2", f"is not a known annotation and is ignored; did you mean {P}max-scale-up-rate?"),
        (f"kpa.{P}magic", "2", "is not a known annotation and is ignored; remove it, or see the list in docs/api.md"),
        (f"{P}max-scale-up-rate", "fast", 'is ignored, as it is not a number; write for example "2.0"'),
        (f"{P}max-scale-up-rate", "nan", 'is ignored, as it is not a number; write for example "2.0"'),
        (f"{P}max-scale-up-rate", "0.5", "is ignored, as it is too small; write at least 1"),
        (
            f"{P}scale-up-cooldown-window",
            "30",
            'is ignored, as it is not a duration; write for example "30s", "5m" or "1h30m"',
        ),
        (f"{P}scale-up-cooldown-window", "2h", "is ignored, as it is too large; write at most 3600"),
        (f"{P}scale-to-zero", "yes", 'is ignored, as it is neither true nor false; write "true" or "false"'),
        (f"{P}scale-to-zero", "true", "does nothing while minReplicas is 1; write minReplicas: 0"),
        (f"{P}storm-service-mode", "both", 'is ignored, as it is not a mode; write "pool" or "replica"'),
        (f"apa.{P}window", "30s", "does nothing with KPA; remove it"),
        (
            f"{P}panic-threshold",
            "200",
            'is a factor, not per cent, so panic would hardly ever start; for 200 % write "2"',
        ),
    ],
)
def test_nothing_is_ignored_in_silence(name: str, value: str, expected: str) -> None:
    decoded, warnings = read({name: value})
    assert [warning for warning in warnings if expected in warning] == [
        f'metadata.annotations["{name}"]: "{value}" {expected}'
    ]
    if "is ignored" in expected:
        assert decoded.algorithm == spec.Kpa()


def test_the_key_of_today_wins() -> None:
    decoded, warnings = read({f"kpa.{P}panic-threshold": "3", f"{P}panic-threshold": "2.5"})
    assert decoded.algorithm == spec.Kpa(panic_threshold=2.5)
    assert warnings == [
        f'metadata.annotations["kpa.{P}panic-threshold"]: "3" is overridden; {P}panic-threshold says the same; '
        "remove this one"
    ]


def test_annotations_of_others_are_none_of_our_business() -> None:
    assert read({"kubectl.kubernetes.io/last-applied-configuration": "{}", "autoscaling.knative.dev/x": "1"})[1] == []


def test_a_label_is_not_an_annotation() -> None:
    manifest = manifests.manifest()
    manifest["metadata"]["labels"] = {f"kpa.{P}scale-down-delay": "0s"}
    assert [str(warning) for warning in decode.autoscaler(manifest).warnings] == [
        f'metadata.labels["kpa.{P}scale-down-delay"]: "0s" is a label and is ignored; write it as an annotation'
    ]


def test_scale_to_zero_can_be_forbidden() -> None:
    assert read({f"{P}scale-to-zero": "false"}, minReplicas=0)[0].bounds == spec.Bounds(1, 10)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("90s", 90.0),
        ("1m30s", 90.0),
        ("1.5h", 5400.0),
        ("500ms", 0.5),
        ("+5m", 300.0),
        ("1h1ns", 3600.000000001),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert amounts.duration(text) == pytest.approx(seconds, rel=1e-15)


@pytest.mark.parametrize("text", ["", "5", "-5s", "s", "5 s", "5x", "1h-5m", ".s", "1d", "5s5", "9" * 70 + "s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(amounts.AmountError, match="is not a duration"):
        amounts.duration(text)


def test_an_annotation_of_any_length_is_looked_at_no_further_than_it_can_be_an_amount() -> None:
    """With a search in it first, this test would not end within a day."""
    for read in (amounts.duration, amounts.number, amounts.whole, amounts.truth):
        with pytest.raises(amounts.AmountError):
            read("1" * 200_000)


@pytest.mark.parametrize("strategy", ["HPA", "KPA", "APA"])
@pytest.mark.parametrize("text", ["1e308", "1e300", "3e9"])
def test_a_rate_as_large_as_a_number_can_be_is_no_crash(strategy: str, text: str) -> None:
    rates = {f"{P}max-scale-up-rate": text, f"{P}max-scale-down-rate": text}
    decoded, _ = read(rates, scalingStrategy=strategy)
    if decoded.behavior is not None:
        assert [policy.value for policy in decoded.behavior.up.policies] == [2**31 - 1]
        assert [policy.value for policy in decoded.behavior.down.policies] in ([99], [100])

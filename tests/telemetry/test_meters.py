from prometheus_client import generate_latest

from podtide.core.model.decision import Action, Applied, Decision, Outcome, Proposal
from podtide.core.model.signal import Signal
from podtide.core.model.spec import Bounds, Key
from podtide.telemetry.meters import Meters

KEY = Key("shop", "web")


def decision(*proposals: Proposal) -> Decision:
    return Decision(
        key=KEY,
        at=0.0,
        version="1",
        current=2,
        desired=4,
        action=Action.PATCH,
        reason="Panic",
        message="",
        bounds=Bounds(1, 9),
        proposals=proposals,
        signals=tuple(Signal(proposal.metric, at=0.0, coverage=0.5) for proposal in proposals),
    )


def page(meters: Meters) -> list[str]:
    return [line for line in generate_latest(meters.registry).decode().splitlines() if 'name="web"' in line]


def test_a_decision_is_shown() -> None:
    meters = Meters()
    meters.decided(decision(Proposal("rps", 4, "Panic", value=31.5, target=10.0)), Applied(Outcome.PATCHED, 4))
    shown = page(meters)
    assert 'podtide_autoscaler_desired_replicas{name="web",namespace="shop"} 4.0' in shown
    assert 'podtide_autoscaler_metric_value{metric="rps",name="web",namespace="shop"} 31.5' in shown
    assert meters.registry.get_sample_value("podtide_scalings_total", {"outcome": "patched"}) == 1
    assert meters.registry.get_sample_value("podtide_decisions_total", {"direction": "up", "reason": "Panic"}) == 1


def test_an_unknown_value_is_no_sample() -> None:
    meters = Meters()
    applied = Applied(Outcome.UNCHANGED, 2)
    meters.decided(decision(Proposal("rps", 4, "Stable", value=31.5, target=10.0)), applied)
    meters.decided(decision(Proposal("rps", None, "FailedGetPodsMetric", target=10.0)), applied)
    assert not [line for line in page(meters) if "metric_value" in line]


def test_the_excess_burst_capacity_is_there_while_it_is_wanted() -> None:
    meters, applied = Meters(), Applied(Outcome.UNCHANGED, 2)
    meters.decided(decision(Proposal("rps", 4, "Stable", excess_burst_capacity=-15.0)), applied)
    assert 'podtide_autoscaler_excess_burst_capacity{metric="rps",name="web",namespace="shop"} -15.0' in page(meters)
    meters.decided(decision(Proposal("rps", 4, "Stable")), applied)
    assert not [line for line in page(meters) if "excess_burst" in line]


def test_a_metric_that_left_the_spec_leaves_the_page() -> None:
    meters = Meters()
    applied = Applied(Outcome.UNCHANGED, 2)
    meters.decided(decision(Proposal("rps", 4, "Stable", value=1.0, target=10.0)), applied)
    meters.decided(decision(Proposal("cpu", 4, "Stable", value=1.0, target=10.0)), applied)
    assert not [line for line in page(meters) if 'metric="rps"' in line]


def test_series_vanish_with_their_object() -> None:
    meters = Meters()
    meters.insecure(KEY, True)
    meters.decided(decision(Proposal("rps", 4, "Stable", value=1.0, target=10.0)), Applied(Outcome.UNCHANGED, 2))
    meters.forget(KEY)
    meters.forget(KEY)
    assert page(meters) == []

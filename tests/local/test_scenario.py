import pytest

from podtide.local import scenario

CURVE = ((0.0, 10.0), (0.5, 20.0), (0.5, 60.0), (1.0, 0.0))


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        pytest.param(0.0, 10.0, id="the beginning"),
        pytest.param(0.25, 15.0, id="halfway up"),
        pytest.param(0.5, 60.0, id="a step is taken at once"),
        pytest.param(0.75, 30.0, id="halfway down"),
        pytest.param(1.0, 0.0, id="the end"),
        pytest.param(9.0, 0.0, id="after the end"),
    ],
)
def test_load_follows_the_curve(at: float, expected: float) -> None:
    assert scenario.load(CURVE, at) == pytest.approx(expected)


@pytest.mark.parametrize("story", scenario.SCENARIOS.values(), ids=lambda story: story.name)
def test_scenarios_are_of_one_piece(story: scenario.Scenario) -> None:
    assert {workload for workload, _ in story.steps} <= story.loads.keys()
    assert {outage.workload for outage in story.outages} <= story.loads.keys()
    for curve in story.loads.values():
        times = [at for at, _ in curve]
        assert times == sorted(times)
        assert (times[0], times[-1]) == (0.0, 1.0)

"""The judge of the soak sees what it is there to see."""

import pytest

from benchmarks.soak_growth import SLOPE, Sample, slope
from benchmarks.soak_judge import LOOKBACK, Judge, Rule, Served


@pytest.fixture
def judge() -> Judge:
    """One that has seen three pods with seven each for the target of ten, and `a` take the Lease."""
    judge = Judge({"web": Rule("web", 2, 9, 10.0)})
    judge.leased("a", until=200.0)
    for at in range(90, 100):
        judge.served("web", Served(float(at), 7.0, 3))
    return judge


def test_what_is_asked_for_is_right(judge: Judge) -> None:
    judge.scaled("web", 100.0, by="a", before=4, after=3)
    judge.told("web", 100.0, by="a")
    judge.converged({"web": 21.0}, {"web": 3})
    assert (judge.violations, judge.lowered, judge.statuses, judge.terms) == ([], 1, 1, 1)


@pytest.mark.parametrize(
    ("at", "by", "before", "after", "said"),
    [
        pytest.param(100.0, "a", 9, 10, "outside 2 to 9", id="above its bound"),
        pytest.param(100.0, "a", 2, 1, "outside 2 to 9", id="below its bound"),
        pytest.param(100.0, "a", 3, 2, "asks for 3 at least", id="lowered below what was read"),
        pytest.param(100.0 + LOOKBACK, "a", 9, 8, "no pod has sent a sound page", id="lowered without a page"),
        pytest.param(100.0, "b", 3, 4, "while a holds the Lease", id="without the Lease"),
        pytest.param(201.0, "a", 3, 4, "1.0 s after its Lease has run out", id="too late"),
        pytest.param(100.0, "", 3, 4, "somebody sets web", id="nobody knows who"),
    ],
)
def test_what_must_not_be_is_seen(judge: Judge, at: float, by: str, before: int, after: int, said: str) -> None:
    judge.scaled("web", at, by=by, before=before, after=after)
    assert said in " ".join(judge.violations)


def test_two_writers_in_one_term_are_seen(judge: Judge) -> None:
    judge.told("web", 100.0, by="a")
    judge.leased("b", until=300.0)
    judge.told("web", 210.0, by="b")
    assert judge.violations == []
    judge.told("web", 211.0, by="a")
    assert "['a', 'b'] in one term" in judge.violations[-1]


def test_a_count_that_comes_to_rest_beside_its_load_is_seen(judge: Judge) -> None:
    judge.converged({"web": 25.0}, {"web": 2})
    assert judge.violations == ["web has come to rest at 2, not 3, which a load of 25 asks for"]


@pytest.mark.parametrize(
    ("megabytes", "is_flat"),
    [
        pytest.param([78.0 + 6.0 * (1 - 2.0 ** (-age / 60)) for age in range(400)], True, id="levels off"),
        pytest.param([78.0 + 2.0 * (age % 7 == 0) for age in range(400)], True, id="goes up and down"),
        pytest.param([78.0 + 0.01 * age for age in range(400)], False, id="grows"),
        pytest.param([78.0 + 4.0 * (age > 300) for age in range(400)], False, id="grows at a stroke"),
    ],
)
def test_memory_that_grows_on_is_seen(megabytes: list[float], is_flat: bool) -> None:
    found = slope([Sample(float(age), rss, 60, 30, 0) for age, rss in enumerate(megabytes)])
    assert found is not None
    assert (found <= SLOPE) is is_flat


def test_a_young_process_may_grow() -> None:
    assert slope([Sample(float(age), 78.0 + age, 60, 30, 0) for age in range(100)]) is None

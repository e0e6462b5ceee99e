import random

import pytest

from podtide.control import balance


@pytest.mark.parametrize(
    ("mine", "counts", "expected"),
    [
        pytest.param({0, 1, 2, 3}, {"me": 4, "new": 0}, 3, id="one has joined"),
        pytest.param({0, 1, 2}, {"me": 3, "new": 1}, 2, id="still two more"),
        pytest.param({0, 1}, {"me": 2, "new": 1}, None, id="as fair as can be"),
        pytest.param({0}, {"me": 1, "new": 0}, None, id="the leader stays the leader"),
        pytest.param({0, 1}, {"me": 2}, None, id="nobody else"),
        pytest.param({0, 1}, {}, None, id="nobody can be listed"),
        pytest.param(set(), {"me": 0, "other": 0}, None, id="nothing to give"),
    ],
)
def test_what_to_hand_over(mine: set[int], counts: dict[str, int], expected: int | None) -> None:
    assert balance.surplus(mine, counts) == expected


@pytest.mark.parametrize(
    ("free", "counts", "expected"),
    [
        pytest.param({2: 0.0}, {"me": 0, "other": 2}, {2}, id="nobody has fewer"),
        pytest.param({2: 0.0}, {"me": 2, "other": 0}, set(), id="the other has fewer"),
        pytest.param({2: 20.0}, {"me": 2, "other": 0}, {2}, id="the other does not take it"),
        pytest.param({0: 0.0, 1: 0.0}, {}, {0}, id="nobody can be listed"),
        pytest.param({}, {"me": 0}, set(), id="nothing is free"),
    ],
)
def test_what_to_take(free: dict[int, float], counts: dict[str, int], expected: set[int]) -> None:
    assert balance.wanted("me", free, counts) == expected


@pytest.mark.parametrize("shards", [1, 2, 3, 5, 16])
@pytest.mark.parametrize("seed", range(5))
def test_replicas_that_come_and_go_end_up_with_fair_shares(shards: int, seed: int) -> None:
    rng = random.Random(seed)
    holders = [""] * shards
    alive = ["a"]
    for joined in ("b", "c", None, "d", None, None):
        if joined:
            alive.append(joined)
        else:
            dead = alive.pop(rng.randrange(len(alive)))
            holders = ["" if holder == dead else holder for holder in holders]
        moves = _settle(holders, alive, rng)
        counts = balance.loads(holders, alive)
        assert sum(counts.values()) == shards
        assert max(counts.values()) - min(counts.values()) <= 1
        assert moves <= 2 * shards


def _settle(holders: list[str], alive: list[str], rng: random.Random) -> int:
    """Let everybody look in turn until nobody moves; how many shards were handed over."""
    handed = 0
    for _ in range(20 * len(holders)):
        for me in rng.sample(alive, len(alive)):
            counts = balance.loads(holders, alive)
            free = {number: 0.0 for number, holder in enumerate(holders) if not holder}
            for number in balance.wanted(me, free, counts):
                holders[number] = me
            mine = {number for number, holder in enumerate(holders) if holder == me}
            extra = None if free else balance.surplus(mine, balance.loads(holders, alive))
            if extra is not None:
                holders[extra] = ""
                handed += 1
    return handed

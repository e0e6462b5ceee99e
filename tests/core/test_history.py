"""The store of recommendations and scalings: slots are reused as in Kubernetes, and it never grows for ever."""

from podtide.core.model.history import CAPACITY, History, Recommendation, Scaling


def test_recommendations_are_looked_up_by_time() -> None:
    history = History([Recommendation(0, 5), Recommendation(10, 3), Recommendation(20, 8)])
    assert history.since(10) == [8]
    assert history.since(10, inclusive=True) == [3, 8]


def test_a_new_recommendation_takes_the_last_slot_that_is_too_old() -> None:
    history = History([Recommendation(0, 5), Recommendation(10, 3), Recommendation(20, 8)])
    history.recommend(40, 1, outdated=15)
    assert history.recommendations == [Recommendation(0, 5), Recommendation(40, 1), Recommendation(20, 8)]


def test_what_was_not_overwritten_counts_again_when_the_window_grows() -> None:
    history = History([Recommendation(0, 50), Recommendation(10, 3)])
    history.recommend(40, 1, outdated=15)
    assert history.since(40 - 25) == [1]
    assert history.since(40 - 60) == [50, 1]


def test_a_recommendation_at_the_edge_is_not_outdated_yet() -> None:
    history = History([Recommendation(10, 3)])
    history.recommend(40, 1, outdated=10)
    assert len(history.recommendations) == 2


def test_a_full_store_keeps_the_higher_of_the_oldest_pair() -> None:
    history = History()
    for second in range(CAPACITY + 1):
        history.recommend(second, 90 if second == 0 else 5, outdated=-1.0)
    assert len(history.recommendations) == CAPACITY
    assert history.recommendations[0] == Recommendation(1, 90)


def test_changes_are_added_up_per_direction_and_period() -> None:
    history = History()
    history.scaled(0, 4, period=60)
    history.scaled(30, -3, period=60)
    history.scaled(45, 2, period=60)
    assert history.added(since=-1) == 6
    assert history.added(since=0) == 2
    assert history.removed(since=-1) == 3
    assert history.removed(since=30) == 0


def test_an_event_beyond_the_longest_period_gives_its_slot_away() -> None:
    history = History()
    for second in range(0, 600, 15):
        history.scaled(second, 1, period=60)
    # From 540 on: at 585, the event of 525 is exactly 60 s old and not older.
    assert sorted(event.at for event in history.grown) == [525, 540, 555, 570, 585]


def test_an_outdated_mark_stays_though_the_period_grows() -> None:
    history = History()
    history.scaled(0, 5, period=10)
    history.scaled(1, 5, period=10)
    history.scaled(20, 1, period=10)
    assert history.grown[0] == Scaling(0, 5, is_outdated=True)
    history.scaled(21, 2, period=3600)
    assert history.grown == [Scaling(21, 2), Scaling(20, 1)]


def test_a_full_store_of_scalings_forgets_no_pod() -> None:
    history = History()
    for second in range(CAPACITY + 10):
        history.scaled(second, 1, period=1e9)
    assert len(history.grown) == CAPACITY
    assert history.added(since=-1) == CAPACITY + 10

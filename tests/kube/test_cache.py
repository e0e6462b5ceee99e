from podtide.core.model.spec import Key
from podtide.kube.cache import Cache

WEB, DB = Key("shop", "web"), Key("shop", "db")
OTHER = Key("blog", "web")


def words() -> Cache[str]:
    return Cache(letter=lambda word: word[:1])


def test_finds_by_key_and_by_index() -> None:
    cache = words()
    cache.put(WEB, "apple")
    cache.put(DB, "ant")
    assert cache.get(WEB) == "apple"
    assert sorted(cache.find("letter", "a")) == ["ant", "apple"]
    assert cache.find("letter", "b") == ()


def test_a_changed_object_leaves_its_old_index_entries() -> None:
    cache = words()
    cache.put(WEB, "apple")
    cache.put(WEB, "berry")
    assert cache.find("letter", "a") == ()
    assert cache.find("letter", "b") == ("berry",)


def test_a_list_removes_what_it_does_not_hold() -> None:
    cache = words()
    cache.put(WEB, "apple")
    cache.put(DB, "ant")
    cache.replace({DB: "ant"})
    assert dict(cache) == {DB: "ant"}


def test_what_is_gone_is_told_in_the_order_in_which_it_came() -> None:
    cache = words()
    told: list[tuple[Key, str | None]] = []
    keys = [Key("shop", f"web-{number}") for number in range(8)]
    for key in keys:
        cache.put(key, "apple")
    cache.subscribe(lambda key, item: told.append((key, item)))
    told.clear()
    cache.replace({})
    assert told == [(key, None) for key in keys]


def test_a_list_of_one_namespace_leaves_the_others() -> None:
    cache = words()
    cache.put(WEB, "apple")
    cache.put(OTHER, "berry")
    cache.replace({}, namespace="shop")
    assert dict(cache) == {OTHER: "berry"}


def test_subscribers_hear_what_is_there_and_every_change_and_no_repetition() -> None:
    cache = words()
    cache.put(WEB, "apple")
    heard: list[tuple[Key, str | None]] = []
    stop = cache.subscribe(lambda key, item: heard.append((key, item)))
    cache.replace({WEB: "apple", DB: "ant"})
    cache.drop(DB)
    cache.drop(DB)
    stop()
    cache.put(DB, "axe")
    assert heard == [(WEB, "apple"), (DB, "ant"), (DB, None)]

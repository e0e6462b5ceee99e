from xml.etree import ElementTree

from podtide.cli.picture import Moment, Panel, svg

MOMENTS = [
    Moment(0.0, 6.0, 1, 1, False),
    Moment(10.0, 60.0, 1, 1, False),
    Moment(12.0, 60.0, 4, 1, True),
    Moment(20.0, 30.0, 4, 4, False),
]
NOTES = [(12.0, "SuccessfulRescale: New size: 4; reason: <requests> above target")]
SPACE = "{http://www.w3.org/2000/svg}"


def drawn(*panels: Panel) -> ElementTree.Element:
    return ElementTree.fromstring(svg("a run", panels))  # noqa: S314  (our own text)


def texts(picture: ElementTree.Element) -> list[str]:
    return ["".join(text.itertext()) for text in picture.iter(f"{SPACE}text")]


def test_it_tells_of_load_pods_and_events() -> None:
    shown = texts(drawn(Panel("shop/web", MOMENTS, NOTES)))
    assert "shop/web" in shown
    assert "60" in shown
    assert "4 pods" in shown
    assert "20 s" in shown
    assert " 12.0 s  SuccessfulRescale: New size: 4; reason: <requests> above target" in shown


def test_panic_is_shaded_from_its_beginning_to_its_end() -> None:
    picture = drawn(Panel("shop/web", MOMENTS, []))
    (shade,) = (found for found in picture.iter(f"{SPACE}rect") if found.get("class") == "panic")
    plot = 920 - 2 * 56
    assert float(shade.get("x", 0)) == round(56 + plot * 12 / 20, 1)
    assert float(shade.get("width", 0)) == round(plot * 8 / 20, 1)


def test_a_count_holds_until_the_next() -> None:
    picture = drawn(Panel("shop/web", MOMENTS, []))
    (line,) = (found for found in picture.iter(f"{SPACE}path") if found.get("class") == "pods")
    assert line.get("d", "").count("V") == 1


def test_panels_lie_below_each_other_within_the_picture() -> None:
    one, two = (drawn(*[Panel("shop/web", MOMENTS, NOTES * 9)] * count) for count in (1, 2))
    heights = [float(picture.get("viewBox", "").split()[3]) for picture in (one, two)]
    assert heights[1] > 1.7 * heights[0]
    lowest = max(float(text.get("y", 0)) for text in two.iter(f"{SPACE}text"))
    assert lowest < heights[1]


def test_idle_pods_divide_nothing_by_zero() -> None:
    quiet = [Moment(0.0, 0.0, 0, 0, False), Moment(0.0, 0.0, 0, 0, True)]
    assert "0 s" in texts(drawn(Panel("shop/web", quiet, [])))

"""What is read out of expressions; were it too little, no misspelt name would be found."""

from tests.deploy.promql import Matcher, Selector, parse


def test_metrics_and_their_matchers_are_found_and_functions_are_not() -> None:
    found = parse(
        'rate(a_total{x="1", y=~"2|3", z!="4"}[5m]) / clamp_min(b, 1) > bool 2 or vector(0) unless c offset 5m'
    )

    assert found.selectors == [
        Selector("a_total", (Matcher("x", ("1",)), Matcher("y", ("2", "3")), Matcher("z", ("4",)))),
        Selector("b"),
        Selector("c"),
    ]


def test_labels_that_group_or_join_are_found() -> None:
    found = parse("sum by (x, le) (a) / on (y) group_left (z) sum without (w) (b)")

    assert found.grouping == {"x", "le", "y", "z", "w"}
    assert [selector.metric for selector in found.selectors] == ["a", "b"]


def test_names_inside_of_texts_are_no_metrics() -> None:
    assert parse('a{x="b c"} == 1e3').selectors == [Selector("a", (Matcher("x", ("b c",)),))]

"""Predicates: compared as text, numbers as numbers; what is missing equals nothing."""

from typing import Any

import polars as pl
import pytest

from transforms.predicates import checked_where, glob_pattern, where_expr


def holds(where: dict[str, Any], **properties: str | None) -> bool:
    frame = pl.DataFrame({name: pl.Series([value], dtype=pl.String) for name, value in properties.items()})
    return bool(frame.select(where_expr(checked_where(where), pl.col)).item())


@pytest.mark.parametrize(
    ("where", "text", "expected"),
    [
        ({"p": 1}, "1", True),
        ({"p": 1}, "1.0", True),
        ({"p": 1.0}, "1", True),
        ({"p": "2.0"}, "2.0", True),
        ({"p": "2.0"}, "2", False),
        ({"p": {"in": ["2.0", "3.0"]}}, "3.0", True),
        ({"p": [1, 2]}, "2.0", True),
        ({"p": True}, "true", True),
        ({"p": {"ne": "a"}}, None, True),
        ({"p": "a"}, None, False),
        ({"p": {"ne": ["a", "b"]}}, "b", False),
        ({"p": {"gte": 9}}, "10", True),
        ({"p": {"gte": "9"}}, "10", True),
        ({"p": {"lt": "b"}}, "a", True),
        ({"p": {"gt": 5}}, "many", False),
        ({"p": {"gt": 5, "lte": 7}}, "7", True),
        ({"p": {"icontains": "ShO"}}, "running shoes", True),
        ({"p": {"is_set": True}}, "", True),
        ({"p": {"is_set": False}}, None, True),
        ({}, "anything", True),
    ],
)
def test_a_condition_holds_or_not(where: dict[str, Any], text: str | None, expected: bool) -> None:
    assert holds(where, p=text) is expected


def test_several_keys_mean_all_of_them() -> None:
    assert holds({"p": "a", "q": "b"}, p="a", q="b")
    assert not holds({"p": "a", "q": "b"}, p="a", q="c")


def test_a_path_with_wildcards_is_a_glob() -> None:
    assert holds({"path": "/blog/**"}, path="/blog/2026/shoes")
    assert holds({"path": ["/a", "/b/*"]}, path="/b/c")
    assert not holds({"path": "/b/*"}, path="/b/c/d")


def test_a_glob_takes_every_other_character_as_it_is() -> None:
    assert glob_pattern("/a.b+c") == "^/a\\.b\\+c$"


@pytest.mark.parametrize("where", [{"p": {"equals": 1}}, {"p": {}}, {"p": None}, {"p": {"is_set": "yes"}}, [1]])
def test_what_no_operator_reads_is_refused(where: Any) -> None:
    with pytest.raises(ValueError):
        checked_where(where)

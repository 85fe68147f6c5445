"""Blocked values: every identifier that is given and not kept is counted once, by why."""

import polars as pl
import pytest

from transforms.blocked import blocked_values
from transforms.canonical import Rules, identifier_value
from transforms.contracts import IDENTIFIERS


def blocked(rules: Rules, **given: list[str | None]) -> list[tuple[int, str, str, int]]:
    """Counts for rows of one file, with the identifiers kept as the product keeps them."""
    height = max(map(len, given.values()))
    columns = {name: given.get(name, [None] * height) for name in IDENTIFIERS}
    kept = {
        name: [text and identifier_value(text, namespace=name, rules=rules) for text in texts]
        for name, texts in columns.items()
    }
    schema = {"file": pl.UInt32, **dict.fromkeys(IDENTIFIERS, pl.String)}
    frames = [pl.DataFrame({"file": [0] * height, **said}, schema=schema) for said in (columns, kept)]
    return blocked_values(*frames, rules=rules).rows()


@pytest.mark.parametrize(
    ("value", "value_class"),
    [
        (" NULL ", "placeholder word"),
        ("${user.id}", "unresolved template"),
        ("{{ user_id }}", "unresolved template"),
        ("0000-0000", "all zeros"),
        ("99999999", "one character repeated"),
        ("Walk-In", "listed in journey.yaml"),
    ],
)
def test_a_value_that_names_nobody_is_counted_by_why(value, value_class):
    rules = Rules(junk={"user_id": ("walk-in",)}, hmac_key=b"key")

    assert blocked(rules, user_id=[value, "u1", value]) == [(0, "user_id", value_class, 2)]


def test_what_cannot_be_a_phone_number_says_so():
    assert blocked(Rules(hmac_key=b"key"), phone=["ask at the desk"]) == [(0, "phone", "no phone number", 1)]


def test_values_that_are_kept_missing_or_blank_are_not_counted():
    assert blocked(Rules(hmac_key=b"key"), user_id=["u1", None, "  "], email=["ann@mail.example", None, None]) == []


def test_what_the_rules_drop_was_not_blocked():
    rules = Rules(hmac_key=b"key", dropped=frozenset({"email"}))

    assert blocked(rules, email=["null"]) == []

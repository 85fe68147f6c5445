"""Erasure in frames: rows are known by tombstones alone, and nothing of them is kept."""

import polars as pl

from transforms.contracts import IDENTIFIERS
from transforms.erasure import NOBODY_ERASED, Tombstones, digest, erased_rows, suppressed

SALT = "00ff"
ANN = Tombstones({SALT: frozenset({digest(SALT, "user_id", "ann")})}, frozenset({"user_id"}))


def canonical(*rows):
    schema = {"file": pl.UInt32, "row": pl.Int64, **dict.fromkeys(IDENTIFIERS, pl.String)}
    return pl.DataFrame([{"file": 0, **row} for row in rows], schema=schema)


def test_a_row_with_an_identifier_of_an_erased_person_is_found_whoever_else_it_names():
    rows = canonical(
        {"row": 1, "user_id": "ann"}, {"row": 2, "user_id": "ann", "anonymous_id": "ben"}, {"row": 3, "user_id": "ben"}
    )

    found = erased_rows(rows, ANN)

    assert found["row"].to_list() == [1, 2]


def test_the_same_value_in_another_namespace_is_somebody_else():
    rows = canonical({"row": 1, "anonymous_id": "ann"}, {"row": 2, "device_id": "ann"})

    assert erased_rows(rows, ANN).is_empty()


def test_a_value_is_known_under_its_own_salt_only():
    other = Tombstones({"ab": frozenset({digest(SALT, "user_id", "ann")})}, frozenset({"user_id"}))

    assert ANN.holds("user_id", "ann")
    assert not other.holds("user_id", "ann")


def test_a_row_of_several_events_is_found_once():
    rows = canonical({"row": 1, "user_id": "ann"}, {"row": 1, "user_id": "ann"}, {"row": 1, "user_id": "ben"})

    assert erased_rows(rows, ANN).rows() == [(0, 1)]


def test_where_nobody_was_erased_no_value_is_looked_at():
    assert erased_rows(pl.DataFrame(), NOBODY_ERASED).is_empty()


def test_a_suppressed_row_keeps_nothing_and_one_that_was_set_aside_keeps_its_reason():
    summary = pl.DataFrame(
        {"file": [0, 0, 0], "row": [1, 2, 3], "text": [None, "ann,?", "ben,?"], "reason": [None, "bad_time", "bad_time"],
         "field": [None, "at", "at"], "event_id": ["e1", "e2", "e3"], "content": [7, 8, 9], "sort_at": [1, 2, 3]},
        schema_overrides={"file": pl.UInt32},
    )  # fmt: skip
    erased = pl.DataFrame({"file": [0, 0], "row": [1, 2]}, schema={"file": pl.UInt32, "row": pl.Int64})

    left = suppressed(summary, erased)

    assert left.rows() == [
        (0, 1, None, "suppressed", None, None, None, None),
        (0, 2, None, "bad_time", "at", None, None, None),
        (0, 3, "ben,?", "bad_time", "at", "e3", 9, 3),
    ]


def test_a_row_that_says_whom_somebody_brought_is_found_when_that_person_was_erased():
    rows = canonical({"row": 1, "user_id": "ben"}, {"row": 2, "user_id": "ben"}, {"row": 3, "user_id": "ben"})
    told = ['{"referred_id":"ann"}', '{"referred_id":"cid"}', '{"note":"ann"}']

    found = erased_rows(rows.with_columns(properties=pl.Series(told)), ANN)

    assert found["row"].to_list() == [1]

import json

import pytest

from pipelines.warehouse import sql_text
from tests.pipelines.test_ingest import Workspace

ORDERS = {
    "format": "csv",
    "files": "orders*.csv",
    "fields": {"event": {"value": "bought"}, "occurred_at": "at", "user_id": "user", "value": "price"},
}
GOOD = "at,user,price\n2026-01-31,ann,1\n"
RENAMED = "at,user,amount\n2026-02-01,ann,2\n"


def orders(folder, **schema):
    return Workspace(folder, orders={**ORDERS, "schema": schema})


def drift(place):
    return place.warehouse.query(sql_text("ops/schema_drift.sql")).select(
        "path", "column_name", "kind", "is_mapped", "quarantined", "renamed_to"
    ).rows()  # fmt: skip


def quarantine(place):
    return place.rows("SELECT path, row, reason, field FROM raw.quarantine ORDER BY ALL")


def values(place):
    return place.rows("SELECT value_minor FROM raw.web_events ORDER BY occurred_at")


# ---------------------------------------------------------------- headers


def test_rows_that_lack_a_mapped_column_are_kept_aside_and_told_by_name(tmp_path):
    place = orders(tmp_path).put("orders1.csv", GOOD).put("orders2.csv", RENAMED)

    place.load()

    assert values(place) == [(100,)]
    assert quarantine(place) == [("orders2.csv", 1, "wrong_columns", "price")]
    assert drift(place) == [
        ("orders2.csv", "amount", "new", False, 0, None),
        ("orders2.csv", "price", "missing", True, 1, "amount"),
    ]


def test_an_alias_heals_a_renamed_column_and_its_rows_move(tmp_path):
    place = orders(tmp_path).put("orders1.csv", GOOD).put("orders2.csv", RENAMED)
    place.load()

    healed = place.with_sources(orders={**ORDERS, "aliases": {"Amount": "price"}}).load()

    assert values(place) == [(100,), (200,)]
    assert healed.outcomes == {"loaded": 2}
    assert quarantine(place) == drift(place) == []


def test_a_missing_column_that_may_evolve_is_empty_and_told(tmp_path):
    place = orders(tmp_path, missing="evolve").put("orders1.csv", GOOD).put("orders2.csv", RENAMED)

    place.load()

    assert values(place) == [(100,), (None,)]
    assert ("orders2.csv", "price", "missing", True, 0, "amount") in drift(place)


def test_a_file_without_a_frozen_column_is_refused_and_the_others_load(tmp_path):
    place = orders(tmp_path, missing="freeze").put("orders1.csv", GOOD).put("orders2.csv", RENAMED)

    loaded = place.load()

    assert values(place) == [(100,)]
    assert [path for path, _, _ in loaded.problems] == ["orders2.csv"]
    assert "it has no column 'price'" in loaded.problems[0][2]


def test_each_column_may_have_a_policy_of_its_own(tmp_path):
    columns = {"price": {"type": "decimal", "policy": "evolve"}}
    place = orders(tmp_path, columns=columns).put("orders2.csv", "at,amount,user\n2026-02-01,2,ann\n")

    place.load()

    assert values(place) == [(None,)]


def test_a_new_column_is_told_and_kept_where_all_properties_are(tmp_path):
    place = Workspace(tmp_path, orders={**ORDERS, "properties": "*"})
    place.put("orders1.csv", GOOD).put("orders2.csv", "at,user,price,coupon\n2026-02-01,ann,2,X\n")

    place.load()

    assert place.rows("SELECT properties FROM raw.web_events ORDER BY occurred_at") == [(None,), ('{"coupon":"X"}',)]
    assert drift(place) == [("orders2.csv", "coupon", "new", False, 0, None)]


def test_rows_with_a_value_in_a_new_column_are_kept_aside_where_the_schema_says_so(tmp_path):
    place = orders(tmp_path, new="quarantine")
    place.put("orders1.csv", "at,user,price,coupon\n2026-02-01,ann,2,X\n2026-02-02,ann,3,\n")

    place.load()

    assert values(place) == [(300,)]
    assert quarantine(place) == [("orders1.csv", 1, "wrong_columns", "coupon")]


def test_a_file_with_a_new_column_is_refused_where_the_schema_freezes_them(tmp_path):
    place = orders(tmp_path, new="freeze").put("orders1.csv", "at,user,price,coupon\n2026-02-01,ann,2,X\n")

    loaded = place.load()

    assert "it has the new column 'coupon'" in loaded.problems[0][2]
    assert values(place) == []


# ---------------------------------------------------------------- types


def typed(folder, policy, format="csv"):
    schema = {"columns": {"qty": {"type": "integer", "policy": policy}, "gift": {"type": "boolean", "policy": policy}}}
    return Workspace(folder, orders={**ORDERS, "format": format, "files": "orders*", "schema": schema})


TYPED = "at,user,price,qty,gift\n2026-02-01,ann,1,3,yes\n2026-02-02,ann,2,many,no\n2026-02-03,ann,3,,\n"


def test_a_value_of_another_type_than_declared_keeps_its_row_aside(tmp_path):
    place = typed(tmp_path, "quarantine").put("orders1.csv", TYPED)

    place.load()

    assert values(place) == [(100,), (300,)]
    assert quarantine(place) == [("orders1.csv", 2, "type_conflict", "qty")]
    assert drift(place) == [("orders1.csv", "qty", "type", True, 1, None)]


def test_a_value_of_another_type_refuses_the_file_where_the_column_is_frozen(tmp_path):
    place = typed(tmp_path, "freeze").put("orders1.csv", TYPED).put("orders2.csv", TYPED.replace("many", "4"))

    loaded = place.load()

    assert values(place) == [(100,), (200,), (300,)]
    assert [(path, "row 2 holds a value of another type in 'qty'" in problem) for path, _, problem in loaded.problems] == [
        ("orders1.csv", True)
    ]  # fmt: skip


def test_a_value_of_another_type_is_taken_where_the_column_may_evolve(tmp_path):
    place = typed(tmp_path, "evolve").put("orders1.csv", TYPED)

    place.load()

    assert values(place) == [(100,), (200,), (300,)]


def test_an_earlier_reason_counts_before_a_declared_type(tmp_path):
    place = typed(tmp_path, "quarantine").put("orders1.csv", "at,user,price,qty,gift\n,ann,1,many,yes\n")

    place.load()

    assert quarantine(place) == [("orders1.csv", 1, "missing_time", "occurred_at")]


# ---------------------------------------------------------------- JSON


def lines(*rows):
    return "".join(json.dumps({"at": "2026-02-01T10:00:00Z", "user": "ann", **row}) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("policy", "loaded", "kept_aside", "refused"),
    [
        ("evolve", [(100,), (200,)], [], 0),
        ("quarantine", [(100,)], [("orders1.ndjson", 2, "wrong_columns", "coupon")], 0),
        ("freeze", [], [], 1),
    ],
)
def test_a_new_key_of_a_json_line_follows_the_policy(tmp_path, policy, loaded, kept_aside, refused):
    place = Workspace(
        tmp_path, orders={**ORDERS, "format": "ndjson", "files": "*.ndjson", "schema": {"new": policy}}
    ).put("orders1.ndjson", lines({"price": 1}, {"price": 2, "coupon": {"code": "X"}}))

    summary = place.load()

    assert values(place) == loaded
    assert quarantine(place) == kept_aside
    assert len(summary.problems) == refused


def test_keys_that_come_and_go_between_files_of_json_are_told(tmp_path):
    place = Workspace(tmp_path, orders={**ORDERS, "format": "ndjson", "files": "*.ndjson"})
    place.put("orders1.ndjson", lines({"price": 1})).load()

    place.put("orders2.ndjson", lines({"amount": 2})).load()

    assert drift(place) == [
        ("orders2.ndjson", "amount", "new", False, 0, None),
        ("orders2.ndjson", "price", "missing", True, 0, "amount"),
    ]

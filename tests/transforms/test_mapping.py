from datetime import UTC as ZULU
from datetime import datetime

import polars as pl
import pytest
from pydantic import ValidationError

from transforms.mapping import (
    FieldSpec,
    Source,
    Zones,
    json_object,
    json_text,
    lacking,
    mapped_rows,
    plain_number,
    snake_case,
    spec_text,
    wanted,
)

UTC = Zones()


def source(**said):
    return Source.model_validate({"format": "csv", "files": "x.csv", "fields": {"event": {"value": "seen"}}, **said})


def rows(**columns):
    height = len(next(iter(columns.values())))
    carried = {
        "file": [0] * height,
        "row": range(1, height + 1),
        "text": [""] * height,
        "problem": [None] * height,
        "landed_at": [None] * height,
    }
    named = {f"raw:{name}": values for name, values in columns.items()}
    return pl.DataFrame(
        {**carried, **named}, schema_overrides={"problem": pl.String, **dict.fromkeys(named, pl.String)}
    ).lazy()


def text(said, frame, lookups=None):
    return frame.select(spec_text(FieldSpec.model_validate(said), lookups or {})).collect().to_series().to_list()


def test_a_column_gives_its_text_and_empty_text_is_no_value():
    assert text({"from": "a"}, rows(a=["x", "", None])) == ["x", None, None]


def test_a_constant_is_the_same_for_every_row():
    frame = (
        rows(a=["1", "2"])
        .select(pl.col("row"), spec_text(FieldSpec.model_validate({"value": 5}), {}).alias("five"))
        .collect()
    )

    assert frame["five"].to_list() == ["5", "5"]


def test_a_template_with_a_missing_column_is_missing():
    assert text({"template": "{a}-{b}"}, rows(a=["x", "x"], b=["y", ""])) == ["x-y", None]


def test_a_value_map_replaces_what_is_listed_and_takes_the_default_for_the_rest():
    said = {"from": "a", "map": {1: "one", "true": "yes"}, "default": "other"}

    assert text(said, rows(a=["1", "true", "7", None])) == ["one", "yes", "other", "other"]


def test_a_value_map_without_default_leaves_other_values_as_they_are():
    assert text({"from": "a", "map": {1: "one"}}, rows(a=["1", "7"])) == ["one", "7"]


def test_a_lookup_takes_a_column_of_another_file_by_key():
    users = {"users": pl.DataFrame({"key": ["c1", "c2"], "user_id": ["ann", None]})}

    assert text({"lookup": "users", "key": "cookie", "get": "user_id"}, rows(cookie=["c1", "c2", "c3"]), users) == [
        "ann",
        None,
        None,
    ]


def test_the_first_of_several_columns_that_has_a_value_counts():
    assert text({"first": ["a", "b"]}, rows(a=["", "x"], b=["y", "z"])) == ["y", "x"]


def test_a_row_gives_every_event_whose_condition_and_time_hold():
    deals = source(
        fields={"user_id": "id"},
        events=[
            {"event": "deal_engaged", "fields": {"occurred_at": "engaged"}},
            {"event": "deal_won", "when": {"stage": "Won"}, "fields": {"occurred_at": "closed", "value": "amount"}},
        ],
    )
    frame = rows(
        id=["1", "2"],
        stage=["Won", "Lost"],
        engaged=["2026-01-01", ""],
        closed=["2026-01-05", "2026-01-05"],
        amount=["9", "9"],
    )

    told = mapped_rows(frame, source=deals, lookups={}, zones=UTC).sort("row", "variant").collect()

    assert told.select("row", "variant", "event", "value").rows() == [
        (1, 0, None, None), (1, 1, "deal_engaged", None), (1, 2, "deal_won", "9"), (2, 0, None, None),
    ]  # fmt: skip


def test_an_event_whose_name_comes_to_nothing_does_not_apply():
    calls = source(events=[{"event": {"from": "kind"}, "fields": {"occurred_at": "at"}}])
    frame = rows(kind=["call_made", "", None], at=["2026-01-01"] * 3)

    told = mapped_rows(frame, source=calls, lookups={}, zones=UTC).filter(pl.col("variant") > 0).collect()

    assert told["event"].to_list() == ["call_made"]


def test_a_list_in_a_computed_column_is_an_event_for_each_of_its_objects():
    deals = source(
        kind="crm",
        record={"object": "deal", "id": "id"},
        events=[
            {"event": "entered", "each": "@stages", "fields": {"occurred_at": "@stages.at", "state": "@stages.name"}}
        ],
    )
    frame = rows(**{
        "id": ["7", "8"],
        "@stages": ['[{"name":"demo","at":"2026-01-01"},{"name":"won","at":""},{"at":"2026-01-03"}]', None],
    })  # fmt: skip

    told = mapped_rows(frame, source=deals, lookups={}, zones=UTC).sort("row", "variant", "occurred_at").collect()

    assert told.select("row", "variant", "state").rows() == [(1, 0, None), (1, 1, "demo"), (1, 1, None), (2, 0, None)]


@pytest.mark.parametrize(
    ("said", "text", "expected"),
    [
        ({}, "2026-01-31T09:00:00Z", "2026-01-31T09:00:00+0000"),
        ({}, "2026-01-31 09:00:00.5", "2026-01-31T09:00:00+0000"),
        ({}, "2026-01-31T09:00:00+02:00", "2026-01-31T07:00:00+0000"),
        ({"time_zone": "Europe/Berlin"}, "2026-01-31 09:00", "2026-01-31T08:00:00+0000"),
        ({"time_zone": "America/New_York"}, "2026-01-31", "2026-01-31T05:00:00+0000"),
        ({"format": "epoch_s"}, "1501570840", "2017-08-01T07:00:40+0000"),
        ({"format": "epoch_ms"}, "1501570840000", "2017-08-01T07:00:40+0000"),
        ({"format": "epoch_us"}, "1501570840000000", "2017-08-01T07:00:40+0000"),
        ({"format": "any"}, "1501570840000", "2017-08-01T07:00:40+0000"),
        ({"format": "any", "time_zone": "Europe/Berlin"}, "2026-01-31 09:00", "2026-01-31T08:00:00+0000"),
        ({"format": "any"}, "20260131", "2026-01-31T00:00:00+0000"),
        ({"format": "any"}, "soon", None),
        ({"format": "date"}, "2026-01-31 09:00:00", "2026-01-31T00:00:00+0000"),
        ({"format": "%d.%m.%Y %H:%M"}, "31.01.2026 09:30", "2026-01-31T09:30:00+0000"),
        ({"format": "%Y%m%d"}, "19970101", "1997-01-01T00:00:00+0000"),
        ({}, "yesterday", None),
        ({"format": "epoch_s"}, "1501570840000", None),
    ],
)
def test_times_are_read_by_their_format_and_zone(said, text, expected):
    seen = source(fields={"event": {"value": "seen"}, "occurred_at": {"from": "at", **said}})

    told = mapped_rows(rows(at=[text]), source=seen, lookups={}, zones=UTC).collect()

    assert told["occurred_at"].dt.strftime("%Y-%m-%dT%H:%M:%S%z").to_list() == [expected]
    assert told["occurred_at:given"].to_list() == [True]


def test_a_bare_date_is_midnight_in_the_journeys_zone_and_marked_as_a_day():
    seen = source(fields={"event": {"value": "seen"}, "occurred_at": "at"})

    told = mapped_rows(rows(at=["2026-01-31"]), source=seen, lookups={}, zones=Zones("UTC", "Europe/Berlin")).collect()

    assert told.select(pl.col("occurred_at").dt.to_string("%F %R"), "occurred_at:day").rows() == [
        ("2026-01-30 23:00", True)
    ]


def test_the_columns_of_nested_specs_and_conditions_are_wanted():
    web = source(
        lookups={"pages": {"file": "p.csv", "key": "id"}},
        fields={
            "event": {"lookup": "pages", "key": {"template": "{a}{b}"}, "get": "kind"},
            "path": {"first": ["c.d", "e"]},
        },
        properties=["f"],
    )

    assert wanted(web).texts == ("a", "b", "c.d", "e")
    assert wanted(web).fragments == ("f",)


def test_a_header_lacks_the_mapped_columns_that_it_does_not_have():
    web = source(
        fields={
            "event": {"template": "{a}{b}"},
            "path": {"first": ["c", "d"]},
            "title": {"from": "e", "default": "none"},
        },
        properties=["f"],
    )

    assert lacking(["a", "d"], web) == ["b", "f"]


def test_the_rest_can_be_kept_with_more_beside_it_and_less_of_it():
    listed = source(
        properties=["*", "f.g"], left_out=["secret_*", "note"], fields={"event": {"value": "x"}, "user_id": "u"}
    )
    named = source(properties={"*": "*", "plan": "f.plan"})

    assert (wanted(listed).rest, wanted(listed).fragments, wanted(named).texts) == (True, ("f.g",), ("f.plan",))
    assert [name for name in ("u", "f.g", "note", "SECRET_KEY", "Email", "plan") if wanted(listed).leaves_out(name)] == [
        "u", "f.g", "note", "SECRET_KEY", "Email",
    ]  # fmt: skip


def test_what_is_kept_beside_the_rest_follows_it():
    listed = source(properties=["*", "b"])
    frame = rows(a=["1", "1", "1"]).with_columns(
        pl.Series("json:*", ['{"a":1}', None, "{}"]), pl.Series("json:b", ["2", "2", None])
    )

    told = mapped_rows(frame, source=listed, lookups={}, zones=UTC).collect()

    assert told["properties"].to_list() == ['{"a":1,"b":2}', '{"b":2}', None]


def test_a_json_object_holds_the_members_that_are_not_null():
    frame = pl.DataFrame({"a": ['say "hi"', None], "b": [None, None]}, schema={"a": pl.String, "b": pl.String})

    told = frame.select(json_object({"a": json_text(pl.col("a")), "b": json_text(pl.col("b"))})).to_series()

    assert told.to_list() == ['{"a":"say \\"hi\\""}', None]


def test_names_become_snake_case():
    frame = pl.DataFrame({"name": ["Video Played", "videoPlayed", "  A/B: test "]})

    assert frame.select(snake_case(pl.col("name"))).to_series().to_list() == [
        "video_played",
        "video_played",
        "a_b_test",
    ]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"fields": {"event": {"value": "x"}, "user": "u"}}, "unknown field 'user' .did you mean 'user_id'"),
        ({"fields": {"user_id": "u"}}, "no event: map the field `event`"),
        ({"files": "../secret/*.csv"}, "leaves the landing folder"),
        ({"delimiter": "||"}, "one character or `whitespace`"),
        ({"fields": {"event": {"from": "a", "value": "b"}}}, "exactly one of from, value, template, lookup, first"),
        ({"fields": {"event": {"lookup": "users", "key": "a", "get": "b"}}}, "unknown lookup 'users'"),
        (
            {"fields": {"event": {"value": "x"}, "occurred_at": {"from": "a", "format": "unix"}}},
            "unknown time format 'unix'",
        ),
        ({"fields": {"event": {"value": "x"}, "occurred_at": {"from": "a", "time_zone": "Mars"}}}, "unknown time zone"),
        ({"properties": ["Email"]}, "would keep 'Email' in clear"),
        ({"left_out": ["a"]}, "`left_out` goes with properties"),
        ({"group": {"by": "basket", "sum": ["title"]}}, "only value or value_minor"),
        (
            {"history": {"object": "deal", "id": "i"}, "record": {"object": "deal", "id": "i"}},
            "`history` tells one event a row",
        ),
        (
            {"record": {"object": "deal", "id": "i"}, "events": [{"event": "x", "each": "a"}]},
            "`each` names a computed column",
        ),
        ({"colour": "red"}, "unknown key 'colour'"),
    ],
)
def test_a_mistake_in_a_source_is_named(said, message):
    with pytest.raises(ValidationError, match=message):
        source(**said)


# ---------------------------------------------------------------- times and amounts as people write them


def times(said, frame, **more):
    seen = source(fields={"event": {"value": "seen"}, "occurred_at": said}, **more)
    told = mapped_rows(frame, source=seen, lookups={}, zones=UTC).collect()
    return told.select(pl.col("occurred_at").dt.strftime("%Y-%m-%d %H:%M"), "occurred_at:day").rows()


def test_of_several_time_formats_the_first_that_fits_counts_and_iso_always_does():
    frame = rows(at=["31.01.2026 09:30", "31.01.2026", "2026-01-31T09:30:00Z", "x"])

    assert times("at", frame, time_formats=["%d.%m.%Y %H:%M", "%d.%m.%Y"]) == [
        ("2026-01-31 09:30", False), ("2026-01-31 00:00", True), ("2026-01-31 09:30", False), (None, False),
    ]  # fmt: skip


def test_the_latest_of_several_times_counts():
    frame = rows(a=["2026-01-31T09:30:00Z", "2026-01-31", None], b=["2026-01-31 10:30", None, None])

    assert times({"latest": ["a", "b"]}, frame) == [
        ("2026-01-31 10:30", False),
        ("2026-01-31 00:00", False),
        (None, False),
    ]


@pytest.mark.parametrize(
    ("decimal", "given", "read"),
    [
        (".", "$1,234.50", "1234.50"), (".", "1'234.50 CHF", "1234.50"), (".", "(12.00)", "-12.00"), (".", "1,234", "1234"),
        (".", "12,5", "12,5"), (".", "EUR 5", "5"), (".", "five", "five"), (".", "-", "-"), (".", "1,234,56", "1,234,56"),
        (",", "1.234,50 €", "1234.50"), (",", "12,5", "12.5"), (",", "1.234", "1234"), (",", "1 234,00", "1234.00"), (",", "12.50", "12.50"),
    ],
)  # fmt: skip
def test_amounts_as_people_write_them(decimal, given, read):
    frame = pl.DataFrame({"given": [given]})

    assert frame.select(plain_number(pl.col("given"), decimal=decimal)).item() == read


def test_an_event_that_is_still_to_come_waits():
    meetings = source(
        record={"object": "meeting", "id": "id"},
        fields={},
        events=[{"event": "meeting_held", "fields": {"occurred_at": "at"}, "future": "wait"}],
    )
    frame = rows(id=["1", "2"], at=["2026-01-31T09:00:00Z", "2026-02-01T09:00:00Z"])

    told = mapped_rows(
        frame, source=meetings, lookups={}, zones=UTC, complete_to=datetime(2026, 1, 31, 12, tzinfo=ZULU)
    ).collect()

    assert told.sort("row", "variant").select("row", "variant", "planned").rows() == [(1, 0, 0), (1, 1, 0), (2, 0, 1)]


def test_only_events_of_records_can_wait():
    with pytest.raises(ValidationError, match="`future: wait` is for events of a `record`"):
        source(events=[{"event": "x", "fields": {"occurred_at": "at"}, "future": "wait"}])

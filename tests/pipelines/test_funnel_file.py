"""Funnels of a plain file: how its rows are read, what they default to, and what is refused."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import ConfigurationError, DataError
from pipelines.funnel_answers import Asked
from pipelines.funnel_file import answer_from_file, read_events

SPEC = """
name: checkout
steps: [{event: A}, {event: B}]
window: 60m
"""


def event(at: str, name: str, **more: Any) -> dict[str, Any]:
    return {"occurred_at": at, "event": name, "customer_id": "ann", **more}


def answered(folder: Path, rows: list[dict[str, Any]], spec: str = SPEC) -> Any:
    (folder / "spec.yaml").write_text(spec, encoding="utf-8")
    (folder / "events.ndjson").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return answer_from_file(folder / "spec.yaml", folder / "events.ndjson", Asked(attempts=True))


def counts(answer: dict[str, Any]) -> list[int]:
    return [step["count"] for step in answer["steps"]]


def read(folder: Path, *lines: str) -> Any:
    (folder / "events.ndjson").write_text("\n".join(lines), encoding="utf-8")
    return read_events(folder / "events.ndjson")


def test_times_may_carry_a_zone_a_fraction_or_nothing(tmp_path: Path):
    rows = [event("2024-01-01T10:00:00", "A"), event("2024-01-01T11:30:00.5+01:00", "B")]

    answer = answered(tmp_path, rows)

    assert answer["attempts"][0]["steps"] == ["2024-01-01T10:00:00Z", "2024-01-01T10:30:00.500000Z"]
    assert answer["horizon"] == "2024-01-01T10:30:00.500000Z"


def test_a_list_of_funnels_gives_a_list_of_answers(tmp_path: Path):
    spec = "- {name: one, steps: [{event: A}]}\n- {name: two, steps: [{event: B}]}\n"

    answers = answered(tmp_path, [event("2024-01-01T10:00:00Z", "A")], spec)

    assert [(answer["name"], counts(answer)) for answer in answers] == [("one", [1]), ("two", [0])]


def test_equal_rows_without_an_id_are_separate_events(tmp_path: Path):
    rows = [event("2024-01-01T10:00:00Z", "A")] * 2

    assert counts(answered(tmp_path, rows, "{name: twice, steps: [{event: A}, {event: A}]}")) == [1, 1]


def test_rows_with_one_id_are_one_event_the_earliest(tmp_path: Path):
    rows = [event("2024-01-01T10:05:00Z", "A", event_id=1), event("2024-01-01T10:00:00Z", "A", event_id=1)]

    answer = answered(tmp_path, rows, "{name: twice, steps: [{event: A}, {event: A}]}")

    assert counts(answer) == [1, 0]
    assert answer["attempts"][0]["entry"] == "2024-01-01T10:00:00Z"


def test_sessions_follow_the_30_minute_rule_unless_given(tmp_path: Path):
    by_session = SPEC + "unit: session\n"
    early, at_the_limit, late = (
        event(f"2024-01-01T{at}Z", name) for at, name in (("10:00:00", "A"), ("10:30:00", "B"), ("10:30:01", "B"))
    )

    assert counts(answered(tmp_path, [early, at_the_limit], by_session)) == [1, 1]
    assert counts(answered(tmp_path, [early, late], by_session)) == [1, 0]
    assert counts(answered(tmp_path, [{**early, "session_id": "s"}, {**late, "session_id": "s"}], by_session)) == [1, 1]


def test_the_order_of_lines_changes_nothing(tmp_path: Path):
    rows = [event("2024-01-01T10:00:00Z", "A", properties={"color": color}) for color in ("red", "blue")]
    spec = SPEC + "breakdowns: [color]\n"

    assert answered(tmp_path, rows, spec) == answered(tmp_path, rows[::-1], spec)


def test_properties_are_compared_as_text_and_other_keys_count_as_properties(tmp_path: Path):
    spec = "{name: dear, steps: [{event: A, where: {price: {gte: 100}, source: mail}}]}"
    rows = [event("2024-01-01T10:00:00Z", "A", source="mail", properties={"price": 100.0})]

    assert counts(answered(tmp_path, rows, spec)) == [1]


def test_a_declared_horizon_replaces_the_newest_event(tmp_path: Path):
    answer = answered(
        tmp_path, [event("2024-01-01T10:00:00Z", "A")], SPEC + "horizon: 2024-01-02\ntime_zone: Europe/Berlin\n"
    )

    assert answer["horizon"] == "2024-01-02T22:59:59.999999Z"
    assert answer["steps"][0]["dropped"] == 1


def test_an_empty_file_gives_zeros(tmp_path: Path):
    answer = answered(tmp_path, [])

    assert (counts(answer), answer["horizon"]) == ([0, 0], None)


def test_a_compressed_file_is_read_too(tmp_path: Path):
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "events.ndjson.gz").write_bytes(gzip.compress(json.dumps(event("2024-01-01", "A")).encode()))

    assert counts(answer_from_file(tmp_path / "spec.yaml", tmp_path / "events.ndjson.gz")) == [1, 0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not valid JSON"),
        ("[]", "expected an object"),
        ('{"occurred_at": "2024-01-01"}', "`event` is missing"),
        ('{"event": "A"}', "`occurred_at` is ISO text"),
        ('{"event": "A", "occurred_at": "yesterday"}', "found 'yesterday'"),
        ('{"event": "A", "occurred_at": "2024-01-01", "properties": "x"}', "`properties` is an object"),
        ('{"event": "A", "occurred_at": "2024-01-01", "seq": "x"}', "`seq` is a whole number"),
        ('{"event": "A", "occurred_at": "2024-01-01", "customer_id": {}}', "`customer_id` is text"),
    ],
)
def test_an_unreadable_event_is_named_by_file_and_line(tmp_path: Path, line: str, problem: str):
    with pytest.raises(DataError, match=r"events\.ndjson, line 2: .*" + problem):
        read(tmp_path, json.dumps(event("2024-01-01", "A")), line)


def test_a_file_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(DataError, match="does not exist"):
        read_events(tmp_path / "none.ndjson")


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("{name: x, steps: [{event: A}], windw: 3d}", "unknown key 'windw'.*did you mean 'window'"),
        ("{name: x, steps: [{event: A}], compat: ga5}", "compat"),
        ("{name: x, steps: [{stage: buy}]}", "asks for a stage"),
        ("{name: x, steps: [{event: A, where: {price: {above: 3}}}]}", "above"),
    ],
)
def test_a_wrong_specification_is_named_by_its_key(tmp_path: Path, spec: str, problem: str):
    with pytest.raises(ConfigurationError, match=problem):
        answered(tmp_path, [event("2024-01-01", "A")], spec)


WITH_SEGMENTS = """
funnels: [{name: again, steps: [{event: view}, {event: buy}], window: 60m, attempt: all, breakdowns: [segment.had bought]}]
conversions: [{event: buy}]
segments:
  - {name: had bought, as_of: entry, customer: {purchase_count: {gte: 1}}}
  - {name: buyers, customer: {purchase_count: {gte: 1}}}
  - {name: readers, as_of: entry, did: [{event: view, path: "/blog/**", at_least: 2}]}
"""
VISITS = [
    event("2024-01-01T10:00:00Z", "view", path="/blog/a"),
    event("2024-01-01T10:10:00Z", "buy"),
    event("2024-01-05T10:00:00Z", "view", path="/blog/b"),
]


def test_a_specification_may_bring_segments_as_of_entry_and_as_of_the_end_of_the_file(tmp_path: Path):
    (tmp_path / "spec.yaml").write_text(WITH_SEGMENTS, encoding="utf-8")
    (tmp_path / "events.ndjson").write_text("\n".join(map(json.dumps, VISITS)), encoding="utf-8")
    asked = Asked(segments=["had bought", "buyers", "readers"])

    (told,) = answer_from_file(tmp_path / "spec.yaml", tmp_path / "events.ndjson", asked)

    assert {group["values"][0]: counts(group) for group in told["groups"]} == {"no": [1, 1], "yes": [1, 0]}
    assert {item["segment"]: counts(item) for item in told["segments"]} == {
        "had bought": [1, 0],
        "buyers": [2, 1],
        "readers": [1, 0],
    }


@pytest.mark.parametrize(
    ("segment", "said"),
    [
        (
            "{name: x, customer: {is_lead: true}}",
            "asks for 'is_lead', which a plain file of events does not tell; it tells: account_id",
        ),
        ("{name: x, customer: {current_stage: buy}}", "asks for 'current_stage', which a plain file"),
        ("{name: x, customer: {purchase_count: 1}}", "add `conversions: [{event: order_placed}]`"),
        ("{name: x, did: [{source: web}]}", "asks for a `source`; a plain file of events has none"),
    ],
)
def test_what_a_plain_file_does_not_tell_of_a_customer_is_refused(tmp_path: Path, segment: str, said: str):
    spec = f"funnels: [{{name: f, steps: [{{event: view}}]}}]\nsegments: [{segment}]\n"

    with pytest.raises(ConfigurationError) as told:
        answered(tmp_path, VISITS, spec)

    assert said in str(told.value)

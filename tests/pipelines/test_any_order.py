"""The law of any order: the same rows, split into any files and landed in any order over any nights, give the same tables."""

import json
import tempfile
from functools import cache
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.definitions import assets
from pipelines.night import Night
from pipelines.settings import Workspace
from transforms.contracts import TABLES

HISTORY = "core.session_superseded"
KEPT = [table for name, table in TABLES.items() if name.startswith(("core.", "mart.")) and name != HISTORY]
LAYERS = [asset for asset in assets if not any(key.path[0] == "reports" for key in asset.keys)]
JOURNEY = """
preset: ecommerce
landing: {quiet: 0s}
sources:
  web:
    format: ndjson
    files: "web/*"
    fields:
      {event_id: id, event: event, occurred_at: at, received_at: received, anonymous_id: cookie, user_id: user, url: url, value: value}
    complete_to: 2026-03-01
  contacts:
    format: csv
    kind: crm
    files: "contacts/*"
    record: {object: contact, id: id, modified_at: modified}
    fields: {crm_contact_id: id, user_id: user, email: mail}
    events: [{event: contact_created, fields: {occurred_at: created, state: {value: created}}}]
  orders:
    format: csv
    kind: crm
    files: "orders/*"
    fields: {event: {value: order_placed}, occurred_at: at, user_id: user, email: mail, value: amount}
  lines:
    format: csv
    kind: crm
    files: "lines/*"
    fields: {event: {value: order_placed}, occurred_at: at, user_id: user, value: amount}
    group: {by: [basket], sum: [value], min: [occurred_at]}
"""
HEADERS = {
    "web": "",
    "contacts": "id,modified,created,user,mail\n",
    "orders": "at,user,mail,amount\n",
    "lines": "basket,at,user,amount\n",
}

users = st.sampled_from(["u1", "u2", "u3", ""])
mails = st.sampled_from(["a@x.example", "b@x.example", ""])
times = st.integers(0, 40_000).map(
    lambda minute: f"2026-01-{1 + minute // 1440:02d}T{minute // 60 % 24:02d}:{minute % 60:02d}:00Z"
)
events = st.sampled_from(["page_view", "product_view", "add_to_cart", "checkout_started", "order_placed", "login"])
hits = st.fixed_dictionaries(
    {
        "id": st.sampled_from([f"e{number}" for number in range(25)]),
        "event": events,
        "at": times,
        "received": st.none() | times,
        "cookie": st.sampled_from(["c1", "c2", "c3", None]),
        "user": users,
        "url": st.sampled_from(
            ["https://shop.example/a?utm_source=google&utm_medium=cpc", "https://shop.example/b", None]
        ),
        "value": st.sampled_from([None, 10, "x"]),
    }
).map(json.dumps)


def table(*columns):
    return st.tuples(*columns).map(",".join)


ROWS = {
    "web": hits,
    "contacts": table(st.sampled_from(["k1", "k2", "k3"]), times, times, users, mails),
    "orders": table(times, users, mails, st.sampled_from(["5", "7.5", "many"])),
    "lines": table(st.sampled_from(["b1", "b2", "b3"]), times, users, st.sampled_from(["1", "2"])),
}
rows = st.lists(
    st.sampled_from(sorted(ROWS)).flatmap(lambda source: st.tuples(st.just(source), ROWS[source])),
    min_size=20,
    max_size=60,
)


@cache
def layers() -> dg.Definitions:
    return dg.Definitions(assets=LAYERS)


def tables_after(nights: list[list[tuple[str, list[str]]]]) -> dict[str, pl.DataFrame]:
    """Core and mart after some nights, before each of which files of one source each have landed."""
    with tempfile.TemporaryDirectory() as folder:
        place = Workspace(Path(folder))
        place.journey_file.write_text(JOURNEY)
        (place.root / ".env").write_text("JOURNEYS_HMAC_KEY=test\n")
        for source in HEADERS:
            (place.landing / source).mkdir(parents=True)
            (place.landing / source / "empty").write_text(HEADERS[source])
        for number, files in enumerate(nights):
            for place_in_night, (source, lines) in enumerate(files):
                text = HEADERS[source] + "".join(line + "\n" for line in lines)
                (place.landing / source / f"{number}-{place_in_night}").write_text(text)
            assert dg.materialize(LAYERS, resources={"night": Night(place)}).success
        read = Night(place).warehouse.read
        return {table.name: read(table.name).sort(table.grain) for table in KEPT}


def landed_at_once(said: list[tuple[str, str]]) -> list[list[tuple[str, list[str]]]]:
    return [[(source, [line for owner, line in said if owner == source]) for source in HEADERS]]


@st.composite
def another_way(draw, said):
    """The same rows in another order, split into files and nights; some of them delivered twice."""
    twice = draw(st.lists(st.sampled_from(said), max_size=5)) if said else []
    mixed = draw(st.permutations([*said, *twice]))
    count = draw(st.integers(1, 3))
    nights: list[list[tuple[str, list[str]]]] = [[] for _ in range(count)]
    for source in HEADERS:
        lines = [line for owner, line in mixed if owner == source]
        cuts = sorted(draw(st.lists(st.integers(0, len(lines)), max_size=3)))
        for start, end in zip([0, *cuts], [*cuts, len(lines)], strict=True):
            nights[draw(st.integers(0, count - 1))].append((source, lines[start:end]))
    return nights


@pytest.mark.heavy
@settings(max_examples=4, deadline=None)
@given(st.data())
def test_the_same_rows_split_and_landed_in_any_way_give_the_same_core_and_mart(data):
    said = data.draw(rows)
    nights = data.draw(another_way(said))

    found, expected = tables_after(nights), tables_after(landed_at_once(said))

    assert [name for name, frame in expected.items() if not found[name].equals(frame)] == []

from pathlib import PurePath

import polars as pl
import pytest

from pipelines.errors import ConfigurationError
from pipelines.readers.native import Computed, Native, computing, feeds_of, kind_of_file
from transforms.mapping import Source, wanted

DESK = Native(
    name="hubspot",
    version=3,
    reads=("csv", "ndjson"),
    mappings={
        "contacts": {
            "kind": "crm",
            "record": {"object": "contact", "id": "id"},
            "fields": {"email": "mail"},
            "aliases": {"Record ID": "id"},
            "properties": ("lifecycle",),
        },
        "tickets": {
            "kind": "crm",
            "fields": {"event": "@event", "occurred_at": "opened", "record_id": "id"},
        },
    },
    derived={"@event": ("status", "kind")},
    derive=lambda rows: rows.with_columns(pl.concat_str("raw:status", "raw:kind").alias("raw:@event")),
)
NATIVES = {"hubspot": DESK}


def source(**said):
    return Source.model_validate({"format": "hubspot", **said})


def feeds(**said):
    return feeds_of("crm", source(**said), NATIVES)


def test_a_native_source_has_a_feed_for_each_table_and_kind_of_file():
    found = feeds(files={"contacts": "c*.csv", "tickets": ["t1/*", "t2/*"]})

    assert [(feed.table, feed.kind_of_file) for feed in found] == [
        ("contacts", "csv"), ("contacts", "ndjson"), ("tickets", "csv"), ("tickets", "ndjson"),
    ]  # fmt: skip
    assert found[2].source.files == ("t1/*", "t2/*")


def test_what_a_business_says_of_a_table_is_added_to_the_formats_own_mapping():
    said = {"fields": {"phone": "tel"}, "properties": ["vip"], "aliases": {"E-Mail": "mail"}}

    contacts = feeds(files={"contacts": "c.csv"}, tables={"contacts": said}, time_zone="Europe/Berlin")[0].source

    assert {name: spec.from_ for name, spec in contacts.fields.items()} == {"email": "mail", "phone": "tel"}
    assert list(contacts.properties) == ["lifecycle", "vip"]
    assert contacts.aliases == {"record id": "id", "e-mail": "mail"}
    assert contacts.time_zone == "Europe/Berlin"


def test_computed_columns_ask_a_reader_for_the_columns_they_are_made_of():
    tickets = feeds(files={"tickets": "t.csv"})[0]

    needed = tickets.wanted(wanted(tickets.source))

    assert needed.texts == ("id", "kind", "opened", "status")


CALLS = Native(
    name="segment",
    version=1,
    reads=("ndjson", "csv"),
    mappings={"": {"fields": {"event": "@event", "email": "sent.mail"}, "properties": "*", "left_out": ["sent.token"]}},
    derived={"@event": ("kind",), "*": ("kind", "json:sent", "json:sent.more")},
    derive=computing(
        {
            "@event": Computed(("kind",), pl.col("raw:kind").str.to_lowercase()),
            "*": Computed(("kind", "json:sent"), pl.col("json:sent")),
        }
    ),
    objects=("sent", "sent.more", "kind"),
)


def calls(**said):
    source = Source.model_validate({"format": "segment", "files": "*", **said})
    return feeds_of("web", source, {"segment": CALLS})


def test_properties_that_are_computed_ask_for_the_objects_they_are_made_of():
    nested, table = (feed.wanted(wanted(feed.source)) for feed in calls())

    assert nested.texts == table.texts == ("kind", "sent.mail")
    assert nested.fragments == table.fragments == ("sent", "sent.more")
    assert nested.objects == ("sent", "sent.more")
    assert nested.rest is False
    assert {"sent.mail", "sent.token"} <= set(nested.left_out)


def test_a_business_adds_to_what_is_kept_and_to_what_is_not():
    nested, _ = calls(properties=["shelf"], left_out=["sent.note"])

    assert nested.source.properties == ("*", "shelf")
    assert nested.source.left_out == ("sent.token", "sent.note")


def test_a_computed_column_whose_own_columns_are_not_there_is_not_made():
    nested, _ = calls(fields={"event": {"value": "seen"}})

    rows = nested.completed(pl.DataFrame({"json:sent": ["{}"]}))

    assert rows.columns == ["json:sent"]


def test_computed_columns_are_added_to_the_rows():
    tickets = feeds(files={"tickets": "t.csv"})[0]

    rows = tickets.completed(pl.DataFrame({"raw:status": ["open"], "raw:kind": ["ed"]}))

    assert rows["raw:@event"].to_list() == ["opened"]


def test_properties_that_a_format_only_changes_are_given_by_the_reader():
    made = {"@event": ("status", "*"), "*": ("kind", "*")}
    log = Native("snowplow", 1, ("csv",), {"": {"fields": {"event": "@event"}, "properties": "*"}}, derived=made)
    feed = feeds_of("web", Source.model_validate({"format": "snowplow", "files": "x"}), {"snowplow": log})[0]

    needed = feed.wanted(wanted(feed.source))

    assert (needed.texts, needed.rest) == (("kind", "status"), True)


def test_what_a_format_hides_a_business_cannot_show_and_what_it_leaves_out_stays_out():
    own = {"fields": {"event": {"value": "x"}}, "properties": "*", "left_out": ["ip"], "pii": {"user_id": "hmac"}}
    said = {"format": "snowplow", "files": "x", "left_out": ["note"], "pii": {"user_id": "keep", "email": "drop"}}
    log = Native("snowplow", 1, ("csv",), {"": own})

    source = feeds_of("web", Source.model_validate(said), {"snowplow": log})[0].source

    assert source.left_out == ("ip", "note")
    assert (source.pii.user_id, source.pii.email) == ("hmac", "drop")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"files": {"contact": "c.csv"}}, "no table 'contact' (did you mean 'contacts'?); it has: contacts, tickets"),
        ({"files": "c.csv"}, 'give `files` by table, such as {contacts: "…/contacts*"}'),
        ({"files": {"tickets": "t"}, "whole": {"by": ["day"]}}, "`whole` is for formats of one table"),
        ({"files": {"tickets": "t"}, "tables": {"contacts": {}}}, "no `files` are given for the table 'contacts'"),
        (
            {"files": {"tickets": "t"}, "fields": {"email": "m"}},
            "say `fields` by table: tables: {tickets: {fields: …}}",
        ),
        (
            {"files": {"contacts": "c"}, "tables": {"contacts": {"properties": ["email"]}}},
            "sources.crm.tables.contacts: properties would keep 'email' in clear",
        ),
    ],
)
def test_what_a_format_does_not_know_is_refused_with_what_it_has(said, problem):
    with pytest.raises(ConfigurationError) as refused:
        feeds(**said)

    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.parquet", "parquet"),
        ("a.b/c.json.gz", "ndjson"),
        ("x.JSONL.ZST", "ndjson"),
        ("events.parquet.lz4", "parquet"),
        ("events.jsonl.2026-01-31", "ndjson"),
        ("x.csv", "ndjson"),
        ("x", "ndjson"),
    ],
)
def test_the_ending_tells_the_kind_of_file_among_those_that_a_format_reads(path, kind):
    assert kind_of_file(PurePath(path), ("ndjson", "parquet")) == kind


STAGES = Native(
    name="hubspot",
    version=1,
    reads=("csv",),
    mappings={
        "deals": {
            "kind": "crm",
            "record": {"object": "deal", "id": "id", "undated": "keep"},
            "properties": {"stage": {"first": [{"lookup": "stages", "key": "stage", "get": "label"}, "stage"]}},
            "events": [
                {
                    "event": "entered",
                    "each": "@stages",
                    "fields": {"occurred_at": "@stages.at", "state": "@stages.name"},
                }
            ],
        }
    },
    derived={"@stages": ("*", "stage")},
)


def test_a_computed_column_may_be_made_of_all_columns_and_its_members_are_asked_of_no_reader():
    deals = feeds_of("crm", source(files={"deals": "d.csv"}), {"hubspot": STAGES})[0]

    needed = deals.wanted(wanted(deals.source))

    assert (needed.texts, needed.rest) == (("id", "stage"), True)


def test_a_lookup_of_a_format_is_used_where_journey_yaml_gives_its_file():
    lookups = {"stages": {"file": "s.csv", "key": "id"}}

    without = feeds_of("crm", source(files={"deals": "d.csv"}), {"hubspot": STAGES})[0].source
    given = feeds_of("crm", source(files={"deals": "d.csv"}, lookups=lookups), {"hubspot": STAGES})[0].source

    assert [spec.lookup for spec in without.specs() if spec.lookup] == []
    assert [spec.lookup for spec in given.specs() if spec.lookup] == ["stages"]

"""Identity, rule by rule, with the right answer written by hand. Source: semantics.md §4."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from transforms.contracts import (
    CANONICAL,
    CORE_CUSTOMER_ALIASES,
    CORE_IDENTITY_EDGES,
    CORE_IDENTITY_MAP,
    RAW_CRM_RECORDS,
    RAW_WEB_EVENTS,
)
from transforms.hashing import digest_id
from transforms.identity import (
    NOTHING_RETRACTED,
    Resolution,
    assign_customers,
    collect_evidence,
    collect_identifiers,
    merge_evidence,
    merge_identifiers,
    pair_id,
    resolve_identity,
    shared_identifications,
)
from transforms.journey import Identity

IDENTITY = Identity()
HALF_HOUR = timedelta(minutes=30)
START = datetime(2026, 1, 1, tzinfo=UTC)
NO_RECORDS = RAW_CRM_RECORDS.empty().lazy()
NO_EVENTS = RAW_WEB_EVENTS.empty().lazy()


def at(minute: float | None) -> datetime | None:
    return None if minute is None else START + timedelta(minutes=minute)


def events(*rows: dict[str, Any]) -> pl.LazyFrame:
    """Canonical web events; each row names its minute and what it carries, the ids count e1, e2, …"""
    filled = [
        {"source": "web", "event_id": f"e{number}", "event": "page_view", **row, "occurred_at": at(row["minute"])}
        for number, row in enumerate(rows, start=1)
    ]
    frame = pl.DataFrame(filled, schema_overrides={"occurred_at": pl.Datetime("us", "UTC")}, infer_schema_length=None)
    return RAW_WEB_EVENTS.conform(frame.lazy())


def records(*rows: dict[str, Any]) -> pl.LazyFrame:
    """CRM records; each row names its object and what it carries, the record ids count r1, r2, …"""
    filled = [
        {"source": "crm", "record_id": f"r{number}", **row, "evident_at": at(row.get("minute"))}
        for number, row in enumerate(rows, start=1)
    ]
    frame = pl.DataFrame(filled, schema_overrides={"evident_at": pl.Datetime("us", "UTC")}, infer_schema_length=None)
    return RAW_CRM_RECORDS.conform(frame.lazy())


def resolved(
    web: pl.LazyFrame = NO_EVENTS,
    crm: pl.LazyFrame = NO_RECORDS,
    *,
    identity: Identity = IDENTITY,
    retracted: pl.DataFrame = NOTHING_RETRACTED,
) -> Resolution:
    edges = collect_evidence(web, crm, identity=identity).collect()
    return resolve_identity(edges, collect_identifiers(web, crm), identity=identity, retracted=retracted)


def pairs(resolution: Resolution, *, of: str) -> pl.DataFrame:
    """The pairs of identifiers that the edges of this (second) value tie."""
    return resolution.edges.filter(pl.col("to_value") == of).select(pair_id=pair_id()).unique()


def customer_id(namespace: str, value: str) -> str:
    return pl.select(digest_id(pl.lit(namespace), pl.lit(value))).item()


def people(resolution: Resolution) -> set[frozenset[str]]:
    """The values that each customer holds."""
    known = resolution.identity_map.filter(pl.col("customer_id").is_not_null())
    return {frozenset(values) for values in known.group_by("customer_id").agg("value")["value"].to_list()}


def statuses(resolution: Resolution) -> dict[str, str]:
    return dict(resolution.identity_map.select("value", "status").iter_rows())


def fates(resolution: Resolution) -> dict[tuple[str, str], str]:
    """Status of each edge by its two values (small first)."""
    edges = resolution.edges.select("from_value", "to_value", "status").iter_rows()
    return {(min(left, right), max(left, right)): status for left, right, status in edges}


def kinds(web: pl.LazyFrame = NO_EVENTS, crm: pl.LazyFrame = NO_RECORDS) -> set[tuple[str, str, str]]:
    edges = collect_evidence(web, crm, identity=IDENTITY).collect()
    rows = edges.select("kind", "from_value", "to_value").iter_rows()
    return {(kind, min(left, right), max(left, right)) for kind, left, right in rows}


def owners(
    web: pl.LazyFrame,
    crm: pl.LazyFrame = NO_RECORDS,
    *,
    identity: Identity = IDENTITY,
    passive: tuple[str, ...] = (),
    extending: tuple[str, ...] = (),
) -> list[str]:
    """For each event in order of its number, the anchor value of its customer (the raw id when it has no anchor)."""
    resolution = resolved(web, crm, identity=identity)
    identity_map = resolution.identity_map.lazy()
    owned = assign_customers(
        web,
        identity_map,
        identity=identity,
        visit_timeout=HALF_HOUR,
        passive=passive,
        extending=extending,
        identifications=shared_identifications(resolution.edges.lazy(), identity_map),
    )
    anchors = identity_map.select(digest_id("namespace", "value").alias("customer_id"), anchor="value")
    number = pl.col("event_id").str.slice(1).cast(pl.Int64)
    named = owned.join(anchors, on="customer_id", how="left").sort(number)
    return named.select(pl.coalesce("anchor", "customer_id")).collect().to_series().to_list()


# ---------------------------------------------------------------- evidence


def test_every_identifier_of_an_event_is_tied_to_the_strongest_one():
    web = events({"minute": 0, "user_id": "u1", "email": "m1", "anonymous_id": "a1", "event": "login"})

    assert kinds(web) == {("login", "m1", "u1"), ("login", "a1", "u1")}


def test_two_visitors_are_no_evidence():
    web = events({"minute": 0, "anonymous_id": "a1", "device_id": "d1"})

    assert kinds(web) == set()


@pytest.mark.parametrize(
    ("row", "kind", "strength"),
    [
        ({"event": "alias", "user_id": "u1"}, "alias", 3),
        ({"event": "identify", "email": "u1"}, "identify", 3),
        ({"event": "login", "user_id": "u1"}, "login", 3),
        ({"event": "signed_up", "email": "u1"}, "login", 3),
        ({"event": "page_view", "user_id": "u1"}, "login", 3),
        ({"event": "deal_won", "object": "deal", "user_id": "u1"}, "crm_record", 4),
        ({"event": "form_submitted", "email": "u1"}, "form", 5),
        ({"event": "manual", "user_id": "u1"}, "manual", 1),
    ],
)
def test_the_event_says_what_kind_of_evidence_it_is(row: dict[str, Any], kind: str, strength: int):
    web = events({"minute": 0, "anonymous_id": "a1", **row})

    edges = collect_evidence(web, NO_RECORDS, identity=IDENTITY).collect()

    assert edges.select("kind", "strength").rows() == [(kind, strength)]


def test_a_crm_record_ties_its_identifiers():
    crm = records({"object": "contact", "crm_contact_id": "c1", "email": "m1", "phone": "p1", "minute": 5})

    edges = collect_evidence(NO_EVENTS, crm, identity=IDENTITY).collect().sort("to_value")

    assert edges.select("kind", "from_value", "to_value", "event_id", "occurred_at").rows() == [
        ("crm_record", "c1", "m1", "contact:r1", at(5)),
        ("crm_record", "c1", "p1", "contact:r1", at(5)),
    ]


def test_an_edge_keeps_its_earliest_evidence_and_counts_the_rest():
    web = events(
        {"minute": 9, "user_id": "u1", "anonymous_id": "a1"},
        {"minute": 3, "user_id": "u1", "anonymous_id": "a1"},
        {"minute": 3, "user_id": "u1", "anonymous_id": "a1"},
    )

    edges = collect_evidence(web, NO_RECORDS, identity=IDENTITY).collect()

    assert edges.select("occurred_at", "event_id", "evidence_count").rows() == [(at(3), "e2", 3)]


def test_undated_evidence_comes_last():
    crm = records(
        {"object": "contact", "crm_contact_id": "c1", "email": "m1"},
        {"object": "contact", "crm_contact_id": "c1", "email": "m1", "minute": 50},
    )

    edges = collect_evidence(NO_EVENTS, crm, identity=IDENTITY).collect()

    assert edges.select("event_id", "evidence_count").rows() == [("contact:r2", 2)]


def test_an_edge_id_is_the_hash_of_kind_ends_time_and_event_key():
    web = events({"minute": 0, "user_id": "u1", "anonymous_id": "a1", "event": "login"})
    parts = ("login", "anonymous_id", "a1", "user_id", "u1", "1767225600000000", "web", "e1")

    edges = collect_evidence(web, NO_RECORDS, identity=IDENTITY).collect()

    assert edges["edge_id"].to_list() == [pl.select(digest_id(*(pl.lit(part) for part in parts))).item()]


def test_a_merge_event_ties_the_record_to_the_one_it_went_into():
    web = events({"minute": 0, "event": "merge", "object": "contact", "record_id": "c1", "crm_contact_id": "c2"})

    assert kinds(web) == {("merge", "c1", "c2")}


def test_an_alias_of_two_users_makes_them_one():
    alias = {
        "minute": 1,
        "event": "alias",
        "user_id": "u1",
        "anonymous_id": "a1",
        "properties": '{"merged_into": "u2"}',
    }

    assert kinds(events(alias)) == {("alias", "a1", "u1"), ("merge", "u1", "u2")}
    assert people(resolved(events(alias, {"minute": 2, "user_id": "u2"}))) == {frozenset({"a1", "u1", "u2"})}


def test_a_record_can_say_what_it_was_merged_into():
    crm = records({"object": "contact", "crm_contact_id": "c1", "email": "m1", "properties": '{"merged_into": "c2"}'})

    assert kinds(crm=crm) == {("merge", "c1", "c2"), ("crm_record", "c1", "m1")}


@pytest.mark.parametrize("listed", ['"c1;c2;c9"', '["c1", "c2"]'])
def test_a_record_can_list_what_was_merged_into_it(listed: str):
    crm = records(
        {"object": "contact", "record_id": "c9", "crm_contact_id": "c9", "properties": f'{{"merged_ids": {listed}}}'}
    )

    assert kinds(crm=crm) == {("merge", "c1", "c9"), ("merge", "c2", "c9")}


def test_a_merge_of_merged_contacts_is_one_person():
    crm = records(
        {
            "object": "contact",
            "record_id": "c2",
            "crm_contact_id": "c2",
            "email": "m",
            "properties": '{"merged_ids": "c1"}',
        },
        {"object": "contact", "record_id": "c3", "crm_contact_id": "c3", "properties": '{"merged_ids": "c2"}'},
    )

    assert people(resolved(crm=crm)) == {frozenset({"c1", "c2", "c3", "m"})}


def test_merged_deals_say_nothing_of_their_contacts():
    crm = records(
        {"object": "deal", "record_id": "d9", "crm_contact_id": "c1", "properties": '{"merged_ids": "d1;d2"}'}
    )

    assert kinds(crm=crm) == set()


def test_a_person_can_tie_two_users_by_hand():
    web = events({"minute": 0, "event": "manual", "user_id": "u1", "properties": '{"merged_into": "u2"}'})

    assert kinds(web) == {("manual", "u1", "u2")}


def test_a_converted_lead_is_tied_to_its_contact():
    web = events(
        {"minute": 0, "event": "lead_converted", "object": "lead", "crm_lead_id": "l1", "crm_contact_id": "c1"}
    )
    crm = records({"object": "lead", "crm_lead_id": "l2", "crm_contact_id": "c2", "user_id": "u2"})

    assert kinds(web, crm) == {("conversion", "c1", "l1"), ("conversion", "c2", "l2"), ("crm_record", "c2", "u2")}


def test_a_namespace_that_is_not_configured_is_no_evidence():
    web = events({"minute": 0, "user_id": "u1", "phone": "p1", "anonymous_id": "a1"})
    identity = Identity(strong=("user_id",), weak=("anonymous_id",))

    resolution = resolved(web, identity=identity)

    assert people(resolution) == {frozenset({"u1", "a1"})}


# ---------------------------------------------------------------- phase 1: people


def test_an_anonymous_visitor_who_logs_in_is_the_user():
    web = events(
        {"minute": 0, "anonymous_id": "a1"},
        {"minute": 1, "anonymous_id": "a1", "user_id": "u1", "event": "login"},
        {"minute": 5, "user_id": "u1"},
    )

    assert people(resolved(web)) == {frozenset({"a1", "u1"})}
    assert owners(web) == ["u1", "u1", "u1"]


def test_two_users_of_one_email_stay_two_and_the_refused_edge_is_kept():
    web = events(
        {"minute": 0, "user_id": "u1", "email": "m1", "event": "login"},
        {"minute": 1, "user_id": "u2", "email": "m1", "event": "login"},
    )

    resolution = resolved(web)

    assert people(resolution) == {frozenset({"u1", "m1"}), frozenset({"u2"})}
    assert fates(resolution) == {("m1", "u1"): "applied", ("m1", "u2"): "conflict"}


def test_stronger_evidence_is_applied_before_earlier_evidence():
    web = events(
        {"minute": 0, "user_id": "u1", "email": "m1", "event": "ticket_opened", "object": "ticket"},
        {"minute": 9, "user_id": "u2", "email": "m1", "event": "login"},
    )

    assert fates(resolved(web)) == {("m1", "u1"): "conflict", ("m1", "u2"): "applied"}


def test_a_user_and_a_contact_are_one_person_for_strong_namespaces_differ():
    web = events({"minute": 0, "user_id": "u1", "email": "m1", "event": "login"})
    crm = records({"object": "contact", "crm_contact_id": "c1", "email": "m1"})

    assert people(resolved(web, crm)) == {frozenset({"u1", "m1", "c1"})}


def test_merged_contacts_are_one_person_with_two_strong_values():
    crm = records(
        {"object": "contact", "crm_contact_id": "c1", "email": "m1", "properties": '{"merged_into": "c2"}'},
        {"object": "contact", "crm_contact_id": "c2", "email": "m2"},
    )

    resolution = resolved(crm=crm)

    assert people(resolution) == {frozenset({"c1", "c2", "m1", "m2"})}
    assert set(fates(resolution).values()) == {"applied"}


def test_an_email_of_six_people_stitches_nobody():
    web = events(*({"minute": n, "user_id": f"u{n}", "email": "info", "event": "login"} for n in range(6)))

    resolution = resolved(web)

    assert people(resolution) == {frozenset({f"u{n}"}) for n in range(6)}
    assert set(fates(resolution).values()) == {"capped"}
    assert statuses(resolution)["info"] == "capped"


def test_an_email_of_five_people_is_no_hub():
    web = events(*({"minute": n, "user_id": f"u{n}", "email": "info", "event": "login"} for n in range(5)))

    resolution = resolved(web)

    assert frozenset({"u0", "info"}) in people(resolution)
    assert sorted(fates(resolution).values()) == ["applied", *["conflict"] * 4]


def test_six_merged_contacts_are_one_person_not_a_hub():
    crm = records(
        *(
            {"object": "contact", "crm_contact_id": f"c{n}", "email": "m1", "properties": '{"merged_into": "c0"}'}
            for n in range(7)
        )
    )

    assert people(resolved(crm=crm)) == {frozenset({"m1", *(f"c{n}" for n in range(7))})}


def test_a_phone_of_six_email_addresses_stitches_nobody():
    web = events(*({"minute": n, "email": f"m{n}", "phone": "p", "event": "form_submitted"} for n in range(6)))

    assert people(resolved(web)) == {frozenset({f"m{n}"}) for n in range(6)}


def test_a_manual_edge_applies_to_a_hub():
    web = events(
        *({"minute": n, "user_id": f"u{n}", "email": "info", "event": "login"} for n in range(6)),
        {"minute": 9, "user_id": "u3", "email": "info", "event": "manual"},
    )

    assert frozenset({"u3", "info"}) in people(resolved(web))


def test_short_values_are_real_identifiers_and_namespaces_keep_them_apart():
    web = events(
        {"minute": 0, "user_id": "1", "anonymous_id": "1", "event": "login"},
        {"minute": 0, "user_id": "22", "anonymous_id": "22", "event": "login"},
        {"minute": 0, "device_id": "1"},
    )

    resolution = resolved(web)

    assert resolution.identity_map.sort("namespace", "value").select("namespace", "value", "customer_id").rows() == [
        ("anonymous_id", "1", customer_id("user_id", "1")),
        ("anonymous_id", "22", customer_id("user_id", "22")),
        ("device_id", "1", customer_id("device_id", "1")),
        ("user_id", "1", customer_id("user_id", "1")),
        ("user_id", "22", customer_id("user_id", "22")),
    ]


def test_accounts_group_and_never_merge():
    web = events(
        {"minute": 0, "user_id": "u1", "account_id": "acme"},
        {"minute": 1, "user_id": "u2", "account_id": "acme"},
    )

    assert people(resolved(web)) == {frozenset({"u1"}), frozenset({"u2"})}


def test_a_retracted_edge_splits_what_it_joined():
    web = events(
        {"minute": 0, "user_id": "u1", "email": "m1", "event": "login"},
        {"minute": 1, "email": "m1", "phone": "p1", "event": "form_submitted"},
    )
    joined = resolved(web)

    split = resolved(web, retracted=pairs(joined, of="u1"))

    assert people(joined) == {frozenset({"u1", "m1", "p1"})}
    assert people(split) == {frozenset({"u1"}), frozenset({"m1", "p1"})}
    assert fates(split) == {("m1", "u1"): "retracted", ("m1", "p1"): "applied"}


def test_a_retracted_pair_stays_apart_whatever_evidence_comes():
    before = events({"minute": 5, "user_id": "u1", "email": "m1", "event": "login"})
    after = events(
        {"minute": 1, "user_id": "u1", "email": "m1", "event": "login"},
        {"minute": 2, "user_id": "u1", "email": "m1", "event": "identify"},
    )

    parted = resolved(after, retracted=pairs(resolved(before), of="u1"))

    assert people(parted) == {frozenset({"u1"}), frozenset({"m1"})}


def test_a_retracted_edge_makes_room_for_the_one_it_refused():
    web = events(
        {"minute": 0, "user_id": "u1", "email": "m1", "event": "login"},
        {"minute": 1, "user_id": "u2", "email": "m1", "event": "login"},
    )

    revived = resolved(web, retracted=pairs(resolved(web), of="u1"))

    assert people(revived) == {frozenset({"u2", "m1"}), frozenset({"u1"})}


# ---------------------------------------------------------------- anchors and aliases


def test_the_customer_is_named_after_the_strongest_identifier():
    web = events(
        {"minute": 0, "anonymous_id": "a1"},
        {"minute": 1, "anonymous_id": "a1", "email": "m1", "event": "form_submitted"},
        {"minute": 2, "email": "m1", "user_id": "u1", "event": "login"},
    )

    assert resolved(web).identity_map["customer_id"].unique().to_list() == [customer_id("user_id", "u1")]


def test_of_two_strong_values_the_one_seen_first_names_the_customer():
    crm = records({"object": "contact", "crm_contact_id": "c1", "minute": 0, "properties": '{"merged_into": "c2"}'})
    web = events({"minute": 9, "crm_contact_id": "c2"})

    assert resolved(web, crm).identity_map["customer_id"].unique().to_list() == [customer_id("crm_contact_id", "c2")]


def test_of_values_seen_at_once_the_smallest_names_the_customer():
    crm = records({"object": "contact", "crm_contact_id": "c2", "minute": 0, "properties": '{"merged_into": "c1"}'})

    assert resolved(crm=crm).identity_map["customer_id"].unique().to_list() == [customer_id("crm_contact_id", "c1")]


def test_every_identifier_of_a_person_is_an_alias():
    web = events({"minute": 0, "user_id": "u1", "email": "m1", "anonymous_id": "a1", "event": "login"})

    assert resolved(web).aliases.sort("namespace").rows() == [
        (customer_id("anonymous_id", "a1"), customer_id("user_id", "u1"), "anonymous_id"),
        (customer_id("email", "m1"), customer_id("user_id", "u1"), "email"),
        (customer_id("user_id", "u1"), customer_id("user_id", "u1"), "user_id"),
    ]


def test_an_identifier_knows_since_when_it_is_valid_and_known():
    web = events(
        {"minute": 4, "user_id": "u1", "received_at": at(6)},
        {"minute": 5, "user_id": "u1", "received_at": at(5)},
    )
    crm = records({"object": "user", "user_id": "u1", "minute": 2})

    row = resolved(web, crm).identity_map.row(0, named=True)

    assert (row["valid_from"], row["known_from"], row["status"]) == (at(2), at(5), "alone")


# ---------------------------------------------------------------- phase 2: visitors


def test_a_visitor_of_two_people_is_shared_and_bridges_nobody():
    web = events(
        {"minute": 0, "user_id": "u1", "anonymous_id": "a1", "event": "login"},
        {"minute": 1, "user_id": "u2", "anonymous_id": "a1", "event": "login"},
    )

    resolution = resolved(web)

    assert people(resolution) == {frozenset({"u1"}), frozenset({"u2"})}
    assert statuses(resolution)["a1"] == "shared"
    assert set(fates(resolution).values()) == {"capped"}
    assert "anonymous_id" not in resolution.aliases["namespace"].to_list()


def test_a_visitor_tied_twice_to_one_person_joins():
    web = events(
        {"minute": 0, "user_id": "u1", "email": "m1", "event": "login"},
        {"minute": 1, "user_id": "u1", "anonymous_id": "a1"},
        {"minute": 2, "email": "m1", "anonymous_id": "a1", "event": "form_submitted"},
    )

    assert people(resolved(web)) == {frozenset({"u1", "m1", "a1"})}


def test_visitors_of_one_person_beyond_the_twentieth_are_shared():
    web = events(*({"minute": n, "user_id": "u1", "anonymous_id": f"a{n:02}"} for n in range(21)))

    resolution = resolved(web)

    assert people(resolution) == {frozenset({"u1", *(f"a{n:02}" for n in range(20))})}
    assert statuses(resolution)["a20"] == "shared"


def test_a_visitor_known_only_by_a_hub_is_a_customer_of_its_own():
    web = events(
        *({"minute": n, "user_id": f"u{n}", "email": "info", "event": "login"} for n in range(6)),
        {"minute": 9, "anonymous_id": "a1", "email": "info", "event": "form_submitted"},
    )

    assert frozenset({"a1"}) in people(resolved(web))
    assert owners(web)[-1] == "a1"


# ---------------------------------------------------------------- whose event it is


def test_events_of_a_shared_visitor_are_resolved_visit_by_visit():
    shared = {"anonymous_id": "a1"}
    web = events(
        {"minute": 0, **shared},  # e1: no visit says who: the first identification after it
        {"minute": 100, **shared},  # e2: the first identification after it in the visit
        {"minute": 110, **shared, "user_id": "u1", "event": "login"},
        {"minute": 120, **shared},  # e4: the last before it in the visit
        {"minute": 130, **shared, "user_id": "u2", "event": "login"},
        {"minute": 140, **shared},  # e6: the last before it in the visit, not the first
        {"minute": 300, **shared},  # e7: the last before it, in another visit
        {"minute": 400, **shared},  # e8: the first after it in the visit beats the last before
        {"minute": 410, **shared, "user_id": "u3", "event": "login"},
    )

    assert owners(web) == ["u1", "u1", "u1", "u1", "u2", "u2", "u2", "u3", "u3"]


def test_an_event_at_the_instant_of_an_identification_belongs_to_it():
    shared = {"anonymous_id": "a1"}
    web = events(
        {"minute": 0, **shared, "user_id": "u1", "event": "login"},
        {"minute": 5, **shared},
        {"minute": 5, **shared, "user_id": "u2", "event": "login"},
    )

    assert owners(web) == ["u1", "u2", "u2"]


def test_a_gap_of_exactly_the_timeout_keeps_the_visit():
    shared = {"anonymous_id": "a1"}
    web = events(
        {"minute": 0, **shared, "user_id": "u1", "event": "login"},
        {"minute": 30, **shared},
        {"minute": 60, **shared, "user_id": "u2", "event": "login"},
        {"minute": 91, **shared},
        {"minute": 92, **shared, "user_id": "u1", "event": "login"},
    )

    assert owners(web) == ["u1", "u1", "u2", "u1", "u1"]


def test_passive_events_do_not_extend_a_visit():
    shared = {"anonymous_id": "a1"}
    web = events(
        {"minute": 0, **shared, "user_id": "u1", "event": "login"},
        {"minute": 20, **shared, "event": "ad_impression"},
        {"minute": 40, **shared},
        {"minute": 50, **shared, "user_id": "u2", "event": "login"},
    )

    assert owners(web, passive=("ad_impression",)) == ["u1", "u1", "u2", "u2"]
    assert owners(web) == ["u1", "u1", "u1", "u2"]


def test_pings_extend_a_visit_and_open_none():
    shared = {"anonymous_id": "a1"}
    web = events(
        {"minute": 0, **shared, "event": "page_ping"},
        {"minute": 20, **shared, "user_id": "u1", "event": "login"},
        {"minute": 40, **shared, "event": "page_ping"},
        {"minute": 60, **shared},
        {"minute": 70, **shared, "user_id": "u2", "event": "login"},
        {"minute": 101, **shared, "event": "page_ping"},
        {"minute": 120, **shared, "user_id": "u1", "event": "login"},
    )

    assert owners(web, extending=("page_ping",)) == ["u1", "u1", "u1", "u1", "u2", "u2", "u1"]


def test_a_visitor_that_only_records_share_goes_to_the_nearest_record():
    web = events({"minute": 0, "anonymous_id": "a1"}, {"minute": 20, "anonymous_id": "a1"})
    crm = records(
        {"object": "contact", "crm_contact_id": "c1", "anonymous_id": "a1", "minute": -5},
        {"object": "contact", "crm_contact_id": "c2", "anonymous_id": "a1", "minute": 10},
    )

    assert owners(web, crm) == ["c1", "c2"]


def test_an_event_belongs_to_its_strongest_identifier():
    web = events(
        {"minute": 0, "user_id": "u1", "email": "m1", "event": "login"},
        {"minute": 1, "user_id": "u2", "email": "m1", "event": "login"},
        {"minute": 2, "email": "m1", "anonymous_id": "a1", "event": "form_submitted"},
    )

    assert owners(web) == ["u1", "u2", "u1"]


def test_an_event_with_only_a_record_is_a_customer_of_its_own():
    web = events({"minute": 0, "event": "deal_won", "object": "deal", "record_id": "d1"})

    assert owners(web) == [customer_id("deal", "d1")]


def test_an_event_with_only_a_hub_is_the_hubs():
    web = events(
        *({"minute": n, "user_id": f"u{n}", "email": "info", "event": "login"} for n in range(6)),
        {"minute": 9, "email": "info", "event": "email_clicked"},
    )

    assert owners(web)[-1] == "info"


def test_a_visitor_is_the_browser_else_the_device():
    web = events(
        {"minute": 0, "anonymous_id": "1", "device_id": "2"},
        {"minute": 1, "device_id": "2"},
        {"minute": 2, "user_id": "u"},
    )
    identity_map = resolved(web).identity_map.lazy()

    owned = assign_customers(web, identity_map, identity=IDENTITY, visit_timeout=HALF_HOUR).collect().sort("event_id")

    assert owned["visitor_id"].to_list() == ["1", "device_id:2", None]


def test_assigning_keeps_every_column_and_row():
    web = events(
        {"minute": 0, "anonymous_id": "a1", "user_id": "u1"},
        {"minute": 0, "anonymous_id": "a1", "user_id": "u2"},
        {"minute": 0, "device_id": "d1"},
    )
    identity_map = resolved(web).identity_map.lazy()

    owned = assign_customers(web, identity_map, identity=IDENTITY, visit_timeout=HALF_HOUR).collect()

    names = [column.name for column in CANONICAL]
    assert set(owned.columns) == {*names, "customer_id", "visitor_id"}
    assert owned.select(names).sort("event_id").equals(web.collect().sort("event_id"))


# ---------------------------------------------------------------- parts, and nothing at all


def test_evidence_of_parts_put_together_is_the_evidence_of_the_whole():
    web = events(
        *({"minute": 9 - n, "user_id": f"u{n % 2}", "email": "m", "anonymous_id": f"a{n % 3}"} for n in range(9))
    )
    parts = [web.filter(pl.col("event_id").str.slice(1).cast(pl.Int64) % 3 == n) for n in range(3)]

    whole = collect_evidence(web, NO_RECORDS, identity=IDENTITY).collect().sort("edge_id")
    together = merge_evidence([collect_evidence(part, NO_RECORDS, identity=IDENTITY) for part in parts])
    listed = merge_identifiers([collect_identifiers(part, NO_RECORDS) for part in parts])

    assert together.collect().sort("edge_id").equals(whole)
    assert (
        listed.collect()
        .sort("namespace", "value")
        .equals(collect_identifiers(web, NO_RECORDS).collect().sort("namespace", "value"))
    )


def test_nothing_gives_empty_tables():
    resolution = resolved()

    owned = assign_customers(NO_EVENTS, resolution.identity_map.lazy(), identity=IDENTITY, visit_timeout=HALF_HOUR)

    assert resolution.edges.equals(CORE_IDENTITY_EDGES.empty())
    assert resolution.identity_map.equals(CORE_IDENTITY_MAP.empty())
    assert resolution.aliases.equals(CORE_CUSTOMER_ALIASES.empty())
    assert owned.collect().height == 0

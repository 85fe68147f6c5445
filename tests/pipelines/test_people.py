"""People: whom an identifier names, the chain of evidence, and a customer's history, as the commands answer them."""

import json
import shutil
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.errors import ConfigurationError, DataError
from pipelines.evidence import chain, steps_to, why
from pipelines.people import history
from pipelines.run import run_in_process
from pipelines.settings import Workspace

JOURNEY = """
preset: ecommerce
landing: {quiet: 0s}
identity: {people_per_contact: 2}
sources:
  web:
    format: csv
    files: "web*"
    fields:
      event_id: id
      event: event
      occurred_at: at
      user_id: user
      anonymous_id: browser
      email: mail
      phone: phone
      crm_contact_id: contact
      url: url
      value: total
      currency: {value: EUR}
    properties: [merged_into]
"""
ROWS = """id,at,event,user,browser,mail,phone,contact,url,total,merged_into
e01,2026-01-01T10:00:00Z,page_view,,b1,,,,https://shop.example/?utm_source=news&utm_medium=email,,
e02,2026-01-01T10:01:00Z,identify,u1,b1,,,,,,
e03,2026-01-01T10:02:00Z,login,u1,b1,,,,,,
e04,2026-01-01T10:03:00Z,form_submitted,u1,,ann@mail.example,,,,,
e05,2026-01-01T10:04:00Z,form_submitted,,,ann@mail.example,+1 212 555 0100,,,,
e06,2026-01-01T10:05:00Z,order_placed,u1,b1,,,,,12.50,
e07,2026-01-02T10:00:00Z,login,u2,,ann@mail.example,,,,,
e08,2026-01-03T10:00:00Z,login,u1,b9,,,,,,
e09,2026-01-03T11:00:00Z,login,u2,b9,,,,,,
e10,2026-01-04T10:00:00Z,login,77,,,,,,,
e11,2026-01-04T11:00:00Z,login,,b7,,,77,,,
e12,2026-01-05T10:00:00Z,merge,,,,,k1,,,k2
e13,2026-01-06T10:00:00Z,form_submitted,u5,,desk@mail.example,,,,,
e14,2026-01-06T10:01:00Z,form_submitted,u6,,desk@mail.example,,,,,
e15,2026-01-06T10:02:00Z,form_submitted,u7,,desk@mail.example,,,,,
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A published small business, to be read only."""
    place = Workspace(tmp_path_factory.mktemp("people"))
    place.landing.mkdir()
    (place.landing / "web.csv").write_text(ROWS)
    (place.root / ".env").write_text("JOURNEYS_HMAC_KEY=key\n")
    place.journey_file.write_text(JOURNEY)
    assert run_in_process(place, say=lambda _line: None) == []
    return place


@pytest.fixture
def without_key(shop, monkeypatch):
    """The same business, asked by somebody who lacks the key."""
    monkeypatch.delenv("JOURNEYS_HMAC_KEY", raising=False)
    monkeypatch.setattr("pipelines.settings.dotenv_values", lambda _file: {})
    return Workspace(shop.root)


def names(items):
    return [f"{item['namespace']}:{item['value']}" for item in items]


def asked(place, *arguments):
    return CliRunner().invoke(app, [*map(str, arguments), "-w", str(place.root)], terminal_width=300)


# ---------------------------------------------------------------- whom an identifier names


@pytest.mark.parametrize(
    "written",
    ["ann@mail.example", " ANN@Mail.Example ", "email:ann@mail.example", "+12125550100", "(212) 555-0100"],
)
def test_personal_values_are_given_in_clear_and_compared_as_they_are_stored(shop, written):
    told = why(shop, written)

    assert told["customer"]["customer_id"] == why(shop, "user_id:u1")["customer"]["customer_id"]
    assert len(told["identifier"]["value"]) == 64


def test_an_identifier_is_found_by_itself_its_hash_and_the_customers_id(shop):
    told = why(shop, "u1")
    customer, mail = told["customer"]["customer_id"], why(shop, "ann@mail.example")["identifier"]["value"]

    assert why(shop, customer)["identifier"] == told["identifier"]
    assert why(shop, mail)["identifier"]["namespace"] == "email"


def test_the_alias_of_an_identifier_finds_its_customer(shop):
    (alias,) = json.loads(asked(shop, "sql", "SELECT alias_id FROM core.customer_aliases WHERE namespace = 'phone'", "--json").stdout)  # fmt: skip

    told = why(shop, alias["alias_id"])

    assert told["identifier"]["namespace"] == "phone"
    assert told["customer"]["customer_id"] == why(shop, "u1")["customer"]["customer_id"]


def test_a_value_of_two_namespaces_is_asked_for_more_exactly(shop):
    with pytest.raises(
        ConfigurationError, match="'77' is an identifier of crm_contact_id and user_id; say which: crm_contact_id:77 or"
    ):
        why(shop, "77")

    assert why(shop, "user_id:77")["identifier"]["namespace"] == "user_id"


def test_an_unknown_identifier_ends_with_1_and_says_the_nearest_and_how_to_write_one(shop):
    told = asked(shop, "why", "user_id:u19")

    assert told.exit_code == 1
    assert (
        "no event or record carries 'user_id:u19' (the nearest is user_id:u1); write an identifier, namespace:"
        in told.stderr
    )


def test_without_the_key_what_is_stored_in_clear_is_still_found(without_key):
    assert why(without_key, "u1")["identifier"]["value"] == "u1"


@pytest.mark.parametrize("written", ["ann@mail.example", "email:ann", "+1 212 555 0100"])
def test_without_the_key_personal_values_end_with_1_and_say_what_is_needed(without_key, written):
    told = asked(without_key, "why", written)

    assert told.exit_code == 1
    assert "no key for personal values: set JOURNEYS_HMAC_KEY" in told.stderr


@pytest.mark.parametrize("command", [["why", "u1"], ["customer", "u1"]])
def test_before_the_first_night_nothing_is_known(command, tmp_path):
    (tmp_path / "journey.yaml").write_text("preset: ecommerce\n")

    told = asked(Workspace(tmp_path), *command)

    assert told.exit_code == 1
    assert "does not exist yet; make it with: journeys run" in told.stderr


# ---------------------------------------------------------------- why


def test_the_chain_leads_from_the_identifier_to_the_anchor_by_the_fewest_edges(shop):
    told = why(shop, "+12125550100")

    assert [(link["from"]["namespace"], link["to"]["namespace"], link["event_id"]) for link in told["chain"]] == [
        ("phone", "email", "e05"), ("email", "user_id", "e04"),
    ]  # fmt: skip
    assert names([told["anchor"]]) == ["user_id:u1"]
    assert {link["status"] for link in told["chain"]} == {"applied"}


def test_the_other_edges_of_a_pair_stand_beside_it(shop):
    (link,) = why(shop, "b1")["chain"]

    assert link["event_id"] == "e02"
    assert [other["kind"] for other in link["also"]] == ["login"]


def test_the_anchor_itself_needs_no_chain(shop):
    told = why(shop, "u1")

    assert told["chain"] == []
    assert sorted(item["namespace"] for item in told["identifiers"]) == ["anonymous_id", "email", "phone", "user_id"]
    assert [item["by"] is None for item in told["identifiers"] if item["namespace"] == "user_id"] == [True]


def test_a_conflict_is_kept_with_what_it_would_have_joined(shop):
    (edge,) = [edge for edge in why(shop, "u2")["not_applied"] if edge["status"] == "conflict"]

    assert edge["event_id"] == "e07"
    assert edge["reason"] in {f"would make one person of user_id:{a} and user_id:{b}" for a, b in (("u1", "u2"), ("u2", "u1"))}  # fmt: skip


def test_a_shared_browser_names_the_customers_who_share_it(shop):
    both = sorted(why(shop, name)["customer"]["customer_id"] for name in ("u1", "u2"))

    for name in ("b9", "u1"):
        assert why(shop, name)["shared"] == [{"namespace": "anonymous_id", "value": "b9", "customers": both}]
    assert why(shop, "b9")["customer"] is None
    assert {edge["reason"] for edge in why(shop, "b9")["not_applied"]} == {
        "anonymous_id:b9 is shared by 2 customers, so it joins nobody"
    }


def test_an_address_of_too_many_says_so(shop):
    told = why(shop, "desk@mail.example")

    assert (told["identifier"]["status"], told["customer"]) == ("capped", None)
    assert all("is tied to more than 2 people, so it joins nobody" in edge["reason"] for edge in told["not_applied"])


def test_several_values_of_a_strong_namespace_are_told(shop):
    assert why(shop, "k1")["multi_strong"] == {"crm_contact_id": ["k1", "k2"]}
    assert why(shop, "u1")["multi_strong"] == {}


def test_what_unmerge_took_apart_says_when_and_why_and_is_two_customers(shop, tmp_path):
    place = Workspace(shutil.copytree(shop.root, tmp_path / "shop"))
    (link,) = why(place, "b1")["chain"]

    told = asked(place, "unmerge", link["edge_id"], "--reason", "a borrowed laptop")

    assert told.exit_code == 0, told.stderr
    assert "Taken apart  anonymous_id:b1 and user_id:u1 (identify" in told.stdout
    assert why(place, "b1")["customer"]["customer_id"] != why(place, "u1")["customer"]["customer_id"]
    reasons = {edge["reason"] for edge in why(place, "b1")["not_applied"]}
    assert len(reasons) == 1 and reasons.pop().endswith(": a borrowed laptop")
    again = asked(place, "unmerge", link["edge_id"], "--reason", "again")
    assert again.exit_code == 1
    assert "already: a borrowed laptop" in again.stderr


nodes = st.integers(0, 6).map(lambda number: ("user_id", str(number)))
drawn_edges = st.lists(st.tuples(nodes, nodes).filter(lambda pair: pair[0] != pair[1]), max_size=12)


@settings(deadline=None)
@given(drawn_edges, nodes)
def test_no_way_to_the_anchor_is_shorter_than_the_chain(pairs, start):
    anchor = ("user_id", "0")
    edges = [
        {"from_namespace": near[0], "from_value": near[1], "to_namespace": far[0], "to_value": far[1], "edge_id": str(number),
         **dict.fromkeys(("kind", "strength", "occurred_at", "source", "event_id", "status", "evidence_count"))}
        for number, (near, far) in enumerate(pairs)
    ]  # fmt: skip

    links = chain(start, steps_to(anchor, edges))

    reached, distance = {anchor}, 0
    while start not in reached and distance < 8:
        reached |= {other for pair in pairs for node, other in (pair, pair[::-1]) if node in reached}
        distance += 1
    assert len(links) == (distance if start in reached else 0)
    assert all(link["to"] == following["from"] for link, following in pairwise(links))


# ---------------------------------------------------------------- the history of a customer


def test_a_history_holds_what_the_warehouse_holds_in_order_of_time(shop):
    told = history(shop, "u1", limit=100)

    assert [row["event_id"] for row in told["events"]] == ["e01", "e02", "e03", "e04", "e05", "e06", "e08"]
    assert [(row["channel"], row["source"], row["event_id"]) for row in told["sessions"]] == [
        ("Email", "web", "e01"), ("Direct", "web", "e08"),
    ]  # fmt: skip
    assert told["money"][0] | {"first_at": None, "last_at": None} == {
        "currency": "EUR", "conversions": 1, "returns": 0, "value_minor": 1250, "first_at": None, "last_at": None,
    }  # fmt: skip
    assert [row["event_id"] for row in told["stages"]] == ["e01", "e06", "e08"]
    assert all(row["source"] == "web" for kind in ("stages", "touches", "events") for row in told[kind])


def test_the_limit_keeps_the_newest_events_and_says_how_many_there_are(shop):
    told = history(shop, "u1", limit=2)

    assert [row["event_id"] for row in told["events"]] == ["e06", "e08"]
    assert told["event_total"] == 7
    assert "7 events, the newest 2 below" in asked(shop, "customer", "u1", "--limit", "2").stdout


def test_what_several_people_share_has_no_history_of_its_own(shop):
    with pytest.raises(DataError, match="anonymous_id:b9 is shared: several people have it, so it is no customer"):
        history(shop, "b9", limit=1)


def test_the_printed_history_is_a_line_for_everything_that_happened(shop):
    out = asked(shop, "customer", "u1").stdout

    assert "Money        EUR 12.50 of 1 conversion" in out
    assert "2026-01-01 10:00:00  session 1: Email" in out
    assert "[web e06]" in out


def test_the_printed_evidence_names_the_edge_that_unmerge_takes(shop):
    (link,) = why(shop, "b1")["chain"]

    assert f"edge {link['edge_id']}, applied; also login" in asked(shop, "why", "b1").stdout


# ---------------------------------------------------------------- what the night says of stitching


def test_without_stitching_every_browser_enters_a_stage_by_itself(shop):
    told = json.loads(asked(shop, "sql", "FROM mart.identity_sensitivity WHERE figure = 'stage'", "--json").stdout)
    units = json.loads(
        asked(
            shop,
            "sql",
            "SELECT stage, count(DISTINCT customer_id) AS customers, "
            "count(DISTINCT (customer_id, coalesce(visitor_id, ''))) AS units "
            "FROM core.events WHERE is_counted GROUP BY stage",
            "--json",
        ).stdout
    )

    counted = {row["stage"]: (row["customers"], row["units"]) for row in units}
    assert {row["subject"]: (row["entered"], row["alone_entered"]) for row in told} == {
        row["subject"]: counted[row["subject"]] for row in told
    }
    assert any(row["alone_entered"] > row["entered"] for row in told)

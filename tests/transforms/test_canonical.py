import hashlib
import hmac
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.canonical import Rules, canonical_rows, e164, is_junk, salesforce_id
from transforms.mapping import TEXT_FIELDS, TIME_FIELDS

KEY = b"secret"
WORDS = st.sampled_from(
    [
        "null",
        "None",
        "n/a",
        "-1",
        "0",
        "00-00",
        "aaaaaaaa",
        "aaaaaaa",
        "{{id}}",
        "%id%",
        "<id>",
        "[object Object]",
        "u1",
    ]
)
BLANKS = st.sampled_from(["", " ", "\t", "\n", "\u00a0", "\u3000"])
ANY_IDENTIFIER = st.builds("{}{}{}".format, BLANKS, st.one_of(WORDS, st.text(max_size=12)), BLANKS)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def at(clock):
    return None if clock is None else datetime.fromisoformat(f"2026-01-31T{clock}+00:00")


def mapped_row(**fields):
    """One mapped event with these fields; the rest is an ordinary page view."""
    said = {"event": "page_view", "anonymous_id": "v1", "occurred_at": at("09:00"), **fields}
    row = {
        "file": 0, "row": 1, "text": "raw", "problem": None, "landed_at": NOON, "variant": 1, "line": None, "whole": None, "planned": 0,
        "properties": None,
        **dict.fromkeys(TEXT_FIELDS),
    }  # fmt: skip
    for name in (*TIME_FIELDS, "modified_at"):
        row |= {name: said.get(name), f"{name}:given": said.get(name) is not None, f"{name}:day": False}
    return row | {name: value for name, value in said.items() if value is not None or name not in ("occurred_at",)}


def mapped(*rows):
    times = dict.fromkeys((*TIME_FIELDS, "modified_at", "landed_at"), pl.Datetime("us", "UTC"))
    texts = dict.fromkeys((*TEXT_FIELDS, "text", "problem", "line", "whole", "properties"), pl.String)
    return pl.DataFrame(rows, schema_overrides={**times, **texts, "variant": pl.Int32}).lazy()


def judged(rules=None, **fields):
    """One mapped event, made canonical."""
    return canonical_rows(mapped(mapped_row(**fields)), rules=rules or Rules(hmac_key=KEY)).collect().row(0, named=True)


def keyed(text):
    return hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()


# ---------------------------------------------------------------- clocks


def test_the_senders_clock_is_corrected_by_the_servers():
    row = judged(received_at=at("10:00:02"), sent_at=at("08:00:05"), created_at=at("08:00:01"), occurred_at=at("07:00"))

    assert (row["occurred_at"], row["clock_source"]) == (at("09:59:58"), "corrected")


def test_a_message_sent_before_it_was_made_is_not_corrected():
    row = judged(received_at=at("10:00"), sent_at=at("08:00"), created_at=at("08:01"), occurred_at=at("07:00"))

    assert (row["occurred_at"], row["clock_source"]) == (at("07:00"), "declared")


def test_without_a_declared_time_the_time_of_making_counts_then_that_of_receipt():
    assert judged(occurred_at=None, created_at=at("08:00"), received_at=at("09:00"))["clock_source"] == "created_at"
    assert judged(occurred_at=None, received_at=at("09:00"))["clock_source"] == "received_at"


def test_a_time_after_receipt_is_set_to_it_and_flagged():
    row = judged(occurred_at=at("11:00"), received_at=at("10:00"))

    assert (row["occurred_at"], row["is_clamped"], row["reason"]) == (at("10:00"), True, None)


def test_a_time_more_than_a_day_after_landing_is_in_the_future():
    tomorrow = datetime(2026, 2, 1, 12, tzinfo=UTC)

    assert judged(occurred_at=tomorrow)["reason"] is None
    assert judged(occurred_at=tomorrow.replace(second=1))["reason"] == "future_time"


def test_a_declared_completeness_decides_what_is_in_the_future():
    rules = Rules(complete_to=at("08:59:59"))

    assert judged(rules, occurred_at=at("09:00"))["reason"] == "future_time"
    assert judged(rules, occurred_at=at("08:59:59"))["reason"] is None


# ---------------------------------------------------------------- identifiers


@pytest.mark.parametrize(
    "value",
    ["null", "Undefined", "NONE", "NaN", "n/a", "anonymous", "unknown", "guest", "[object Object]", " ", "{{user_id}}", "${uid}", "%uid%", "<id>",
     "00000000-0000-0000-0000-000000000000", "000", "xxxxxxxx", "0", "-1"],
)  # fmt: skip
def test_junk_counts_as_absent(value):
    row = judged(user_id=value)

    assert (row["user_id"], row["reason"]) == (None, None)


@pytest.mark.parametrize("value", ["1", "11", "222", "1111111", "00123", "user-0", "nullable"])
def test_short_numbers_and_words_that_only_resemble_junk_are_identifiers(value):
    assert judged(user_id=value)["user_id"] == value


def test_a_value_declared_valid_is_not_junk_and_more_can_be_declared_junk():
    rules = Rules(valid={"user_id": ("0",)}, junk={"all": ("test",)})
    frame = pl.DataFrame({"value": ["0", "-1", "Test"]})

    assert frame.select(is_junk(pl.col("value"), namespace="user_id", rules=rules)).to_series().to_list() == [
        False,
        True,
        True,
    ]


@settings(deadline=None, max_examples=50)
@given(st.lists(ANY_IDENTIFIER, min_size=1, max_size=20))
def test_an_identifier_is_its_text_without_blanks_around_it_unless_it_is_junk(values):
    stripped = pl.Series(values).str.strip_chars().to_frame("value")
    junk = is_junk(pl.col("value"), namespace="user_id", rules=Rules())

    rows = canonical_rows(mapped(*[mapped_row(user_id=value) for value in values]), rules=Rules()).collect()

    assert rows["user_id"].to_list() == stripped.select(pl.when(~junk).then("value")).to_series().to_list()


def test_every_row_of_many_gets_its_own_hash():
    mails = ["A@x.org", None, "b@x.org", "a@x.org "]

    rows = canonical_rows(mapped(*[mapped_row(email=mail) for mail in mails]), rules=Rules(hmac_key=KEY)).collect()

    assert rows["email"].to_list() == [keyed("a@x.org"), None, keyed("b@x.org"), keyed("a@x.org")]


def test_a_row_that_names_nobody_is_told_so():
    assert judged(anonymous_id="undefined", account_id="acme")["reason"] == "missing_identity"


def test_an_email_is_lower_cased_and_kept_as_a_keyed_hash_only():
    assert judged(email=" Ann@Example.COM ")["email"] == keyed("ann@example.com")


def test_a_phone_number_is_brought_to_e164_before_it_is_hashed():
    rules = Rules(country="DE", hmac_key=KEY)

    assert (
        judged(rules, phone="0151 2345 678")["phone"]
        == judged(rules, phone="+49 151 2345678")["phone"]
        == keyed("+491512345678")
    )
    assert e164("call me", "DE") is None


def test_a_personal_value_may_be_dropped():
    assert judged(Rules(dropped=frozenset({"email"})), email="ann@example.com")["email"] is None


def test_an_identifier_may_be_kept_as_a_keyed_hash_only():
    rules = Rules(hidden=frozenset({"anonymous_id"}), hmac_key=KEY)

    assert judged(rules, anonymous_id=" 203.0.113.7 ")["anonymous_id"] == keyed("203.0.113.7")
    assert judged(rules, anonymous_id="null")["reason"] == "missing_identity"


def test_a_short_salesforce_id_gets_its_check_characters():
    assert salesforce_id("003D000000QV9n2") == "003D000000QV9n2IAD"
    assert judged(crm_contact_id="003D000000QV9n2")["crm_contact_id"] == "003D000000QV9n2IAD"


# ---------------------------------------------------------------- addresses, agents, money


def test_an_address_is_split_and_its_query_dropped():
    row = judged(
        url="https://user@Shop.Example:8443/a/b?utm_source=News+Letter&utm_campaign=spring%202&gclid=XYZ&email=a@b#top"
    )

    assert (row["hostname"], row["path"]) == ("shop.example", "/a/b")
    assert (row["utm_source"], row["utm_campaign"], row["click_id"]) == ("News Letter", "spring 2", "gclid")
    assert not any("XYZ" in str(value) or "a@b" in str(value) for value in row.values())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"url": "https://a.example"}, ("a.example", "/")),
        ({"url": "a.example/x?y"}, ("a.example", "/x")),
        ({"path": "/x?y=1#z"}, (None, "/x")),
        ({"url": "https://a.example/x", "path": "/given", "hostname": "B.example"}, ("b.example", "/given")),
        ({"path": "/x?utm_medium=cpc"}, (None, "/x")),
    ],
)
def test_a_given_host_or_path_goes_before_that_of_the_address(fields, expected):
    row = judged(**fields)

    assert (row["hostname"], row["path"]) == expected


def test_a_campaign_that_the_source_gives_goes_before_that_of_the_address():
    assert judged(url="/x?utm_source=a", utm_source="b")["utm_source"] == "b"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("ScCid=1", "sccid"),
        ("a=1&irclickid=2", "irclickid"),
        ("fbclid=1&gclid=2", "gclid"),
        ("gclid=1&msclkid=2", "gclid"),
        ("mc_eid=1&fbclid=2", "mc_eid"),
        ("gclid=", None),
        ("mygclid=1", None),
    ],
)
def test_of_several_click_parameters_the_first_of_an_ad_counts_else_the_first(query, expected):
    assert judged(url=f"https://a.example/?{query}")["click_id"] == expected


def test_a_referrer_keeps_no_query():
    assert judged(referrer="https://me:pw@g.example/s?q=private#x")["referrer"] == "https://g.example/s"


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) Version/17.0 Mobile Safari/604.1", ("mobile", "Safari", False)),
        ("Mozilla/5.0 (iPad; CPU OS 17_0) Version/17.0 Safari/604.1", ("tablet", "Safari", False)),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/120.0 Safari/537.36 Edg/120.0", ("desktop", "Edge", False)),
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", ("desktop", "other", True)),
        ("Mediapartners-Google", ("desktop", "other", True)),
        ("Java/21.0.1", ("desktop", "other", True)),
        (None, (None, None, False)),
    ],
)
def test_an_agent_tells_device_browser_and_robots(agent, expected):
    row = judged(user_agent=agent)

    assert (row["device"], row["browser"], row["is_bot"]) == expected


def test_traffic_on_an_internal_host_is_internal():
    assert judged(Rules(internal_hosts=("Staging.example",)), url="https://staging.example/")["is_internal"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"value": "19.99"}, (1999, "USD")),
        ({"value": "1050", "currency": "jpy"}, (1050, "JPY")),
        ({"value": "1.234", "currency": "KWD"}, (1234, "KWD")),
        ({"value": "1.005"}, (101, "USD")),
        ({"value": "-4596039.585"}, (-459603959, "USD")),
        ({"value": ".5", "currency": "JPY"}, (1, "JPY")),
        ({"value": "1e3"}, (100_000, "USD")),
        ({"value_minor": "5"}, (5, "USD")),
        ({"value": "10", "event": "order_returned"}, (-1000, "USD")),
        ({"currency": "EUR"}, (None, None)),
    ],
)
def test_money_is_kept_in_minor_units_of_its_currency(fields, expected):
    row = judged(**fields)

    assert (row["value_minor"], row["currency"], row["reason"]) == (*expected, None)


# ---------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"problem": "parse_error", "occurred_at": None}, ("parse_error", None)),
        ({"occurred_at": None}, ("missing_time", "occurred_at")),
        ({"occurred_at": None, "occurred_at:given": True, "anonymous_id": None}, ("bad_time", "occurred_at")),
        ({"sent_at:given": True}, ("bad_time", "sent_at")),
        ({"anonymous_id": None, "value": "abc"}, ("missing_identity", None)),
        ({"value": "1,000"}, ("type_conflict", "value")),
        ({"value": "NaN"}, ("type_conflict", "value")),
        ({"seq": "first"}, ("type_conflict", "seq")),
        ({"is_bot": "maybe"}, ("type_conflict", "is_bot")),
        ({"event": " "}, ("type_conflict", "event")),
        ({"value": "1", "currency": "dollars"}, ("type_conflict", "currency")),
    ],
)
def test_the_first_reason_in_order_is_given_with_its_field(fields, expected):
    row = judged(**fields)

    assert (row["reason"], row["field"], row["text"]) == (*expected, "raw")


def test_an_object_in_place_of_an_identifier_is_a_type_conflict_where_values_are_typed():
    typed = judged(Rules(has_typed_values=True), user_id='{"id":1}')

    assert (typed["reason"], typed["field"]) == ("type_conflict", "user_id")


def test_a_crm_row_may_stand_on_its_record_id():
    assert judged(Rules(kind="crm"), anonymous_id=None, record_id="7")["reason"] is None
    assert judged(Rules(kind="web"), anonymous_id=None, record_id="7")["reason"] == "missing_identity"


# ---------------------------------------------------------------- content


def test_sending_and_receiving_again_does_not_change_the_content():
    once = judged(event_id="e", created_at=at("08:00"), sent_at=at("08:01"), received_at=at("08:02"))
    again = judged(event_id="e", created_at=at("08:00"), sent_at=at("08:10"), received_at=at("08:13"))

    assert once["content"] == again["content"]
    assert once["sort_at"] < again["sort_at"]


def test_every_other_field_belongs_to_the_content():
    plain = judged()["content"]

    assert len({plain, judged(path="/x")["content"], judged(title="/x")["content"], judged(properties='{"a":1}')["content"],
                judged(occurred_at=at("09:01"))["content"]}) == 5  # fmt: skip


def test_the_rows_around_a_row_do_not_change_its_content():
    rows = [
        mapped_row(event_id="1", title="a"),
        mapped_row(event_id="2"),
        mapped_row(problem="parse_error", event=None),
    ]

    together = canonical_rows(mapped(*rows), rules=Rules()).collect()["content"].to_list()

    assert together[:2] == [
        judged(Rules(), event_id="1", title="a")["content"],
        judged(Rules(), event_id="2")["content"],
    ]


@pytest.mark.parametrize("kind", ["web", "crm"])
def test_that_a_field_is_known_to_be_absent_changes_nothing(kind):
    frame = mapped(mapped_row(event_id="1"), mapped_row(anonymous_id=None), mapped_row(event=None))
    absent = set(TEXT_FIELDS) - {"event_id", "event", "anonymous_id"}
    rules = Rules(kind=kind, has_typed_values=True)

    told = canonical_rows(frame, rules=rules, absent=absent).collect()

    assert told.equals(canonical_rows(frame, rules=rules).collect())


def test_rows_without_an_id_that_only_their_receipt_dates_are_told_apart_by_it():
    assert (
        judged(occurred_at=None, received_at=at("09:00"))["content"]
        != judged(occurred_at=None, received_at=at("09:01"))["content"]
    )


def test_the_newest_version_of_a_record_comes_first():
    rules = Rules(is_record=True)
    older, newer = (judged(rules, record_id="1", modified_at=at(clock))["sort_at"] for clock in ("08:00", "09:00"))

    assert newer < older < judged(rules, record_id="1")["sort_at"]


def test_a_number_of_15_digits_is_no_salesforce_id():
    assert judged(record_id="500123456789012", object="order")["record_id"] == "500123456789012"
    assert judged(record_id="5005g00000CasAA", object="ticket")["record_id"] == "5005g00000CasAAAAZ"


# ---------------------------------------------------------------- e-mail addresses where nobody expects them


def test_an_address_that_stands_for_an_id_is_kept_as_its_keyed_hash():
    row = judged(user_id="Ann@X.example", anonymous_id="a@b")

    assert (row["user_id"], row["anonymous_id"]) == (keyed("ann@x.example"), "a@b")


def test_an_address_of_whom_a_referral_brought_is_kept_as_its_keyed_hash():
    row = judged(properties='{"referred_id": " Bob@X.example ","way":"from ann@x.example"}')

    assert row["properties"] == f'{{"referred_id":"{keyed("bob@x.example")}","way":"from (e-mail)"}}'


@pytest.mark.parametrize("said", ['{"referred_id":"u2"}', '{"referred_id":"@bob"}', '{"referred_id":null,"to":"@"}'])
def test_an_id_of_whom_a_referral_brought_is_kept_as_it_is(said):
    assert judged(properties=said)["properties"] == said


def test_a_source_that_drops_addresses_keeps_none_of_whom_a_referral_brought():
    dropping = Rules(hmac_key=KEY, dropped=frozenset({"email"}))

    row = judged(dropping, properties='{"referred_id":"bob@x.example"}')

    assert row["properties"] == '{"referred_id":"(e-mail)"}'


def test_addresses_in_what_people_are_shown_are_hidden():
    row = judged(
        path="/u/ann@x.example/edit",
        title="Mail to ann@x.example",
        properties='{"contact":"ann@x.example","link":"/?m=ann%40x.example","twitter":"@ann"}',
    )

    assert row["path"] == "/u/(e-mail)/edit"
    assert row["title"] == "Mail to (e-mail)"
    assert row["properties"] == '{"contact":"(e-mail)","link":"/?m=(e-mail)","twitter":"@ann"}'

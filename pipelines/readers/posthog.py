"""PostHog: events as its batch exports write them; who is who is told by the rows, never by the exported persons."""

import polars as pl

from pipelines.readers.native import Computed, Native, computing
from pipelines.readers.segment import LETTERS, NAMES, TRACKS_IN_SNAKE_CASE
from transforms.channel_rules import RULES
from transforms.mapping import json_joined, json_object, json_text, object_or_null, snake_case, text_of

EVENTS = {
    "$pageview": "page_view",
    "$pageleave": "page_left",
    "$screen": "page_view",
    "$identify": "identify",
    "$create_alias": "alias",
    "$merge_dangerously": "merge",
    "$groupidentify": "group",
    "$set": "profile_updated",
    "$rageclick": "rage_click",
    "survey sent": "survey_answered",
    "$survey_sent": "survey_answered",
}
BROWSER_APPS = (
    "web", "js", "posthog-js", "posthog-js-lite", "posthog-ios", "posthog-android", "posthog-react-native", "posthog-flutter",
)  # fmt: skip
UUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
OWN_ID = (
    r"^(?:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
    r"|[0-9a-f]{13,16}-[0-9a-f]{10,16}-[0-9a-f]{4,8}-[0-9a-f]{4,8}-[0-9a-f]{13,16}"
    r"|cookieless_.+)$"
)
ADDRESS = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
NOBODY = (
    "distinct_id", "distinctid", "id", "not_authenticated", "email", "true", "false", "$posthog_cookieless",
    "null", "undefined", "none", "nan", "anonymous", "guest", "[object object]", "0", "",
)  # fmt: skip
COMPANIES = ("company", "organization", "account")
BROWSERS = {"Microsoft Edge": "Edge", "Mobile Safari": "Safari", "Chrome iOS": "Chrome", "Firefox iOS": "Firefox"}
NUMBER = r"^\s*[+-]?[0-9]+(?:\.[0-9]+)?\s*$"
SCORE = r"^(?:0|[1-9][0-9]*)$"
MONEY = ("total", "revenue", "value")
UTM = ("source", "medium", "campaign", "term", "content")
PERSON_PROPERTIES = ("properties.$set", "$set", "set")
CONTEXT = {
    "context_app_name": "properties.$app_name",
    "context_app_version": "properties.$app_version",
    "context_os_name": "properties.$os",
    "context_library_name": "properties.$lib",
    "feature_flag": "properties.$feature_flag",
    "feature_flag_response": "properties.$feature_flag_response",
    "event_type": "properties.$event_type",
    "exception_type": "properties.$exception_type",
    "survey": "properties.$survey_name",
}


def _is(*events: str) -> pl.Expr:
    return pl.col("raw:event").is_in(events).fill_null(False)


def _event() -> pl.Expr:
    """The event's name: those of PostHog and of the Segment specification by name, others in snake_case."""
    name = text_of("event").str.strip_chars()
    own = name.replace_strict(EVENTS, default=None, return_dtype=pl.String)
    return pl.coalesce(own, snake_case(name).replace(TRACKS_IN_SNAKE_CASE))


# ---------------------------------------------------------------- who


def _is_true(column: str) -> pl.Expr:
    """The truth of a column; null where it says nothing."""
    return text_of(column).str.to_lowercase().replace_strict(
        {"true": True, "false": False, "1": True, "0": False}, default=None, return_dtype=pl.Boolean
    )  # fmt: skip


def _id(column: str) -> pl.Expr:
    """A distinct id; null for one that PostHog itself takes for nobody's, and for that of a group."""
    value = text_of(column).str.strip_chars()
    is_group = _is("$groupidentify") & value.str.starts_with("$")
    return pl.when(~value.str.to_lowercase().is_in(NOBODY) & ~is_group).then(value)


def _looks_made(value: pl.Expr) -> pl.Expr:
    """True for ids that an SDK of PostHog makes up for a browser, a device or nobody in particular."""
    made_here = text_of("properties.$lib").is_in(BROWSER_APPS).fill_null(False)
    has_no_person = (~_is_true("properties.$process_person_profile")).fill_null(False)
    return value.str.contains(OWN_ID) | (value.str.contains(UUID) & (made_here | has_no_person))


def _names_user() -> pl.Expr:
    """True where the distinct id is that of a user, by what the row says of it, else by its looks."""
    own, is_identified = pl.col("raw:@own"), _is_true("properties.$is_identified")
    said = (
        pl.when(_is("$identify")).then(pl.lit(True))
        .when(is_identified.is_not_null()).then(is_identified)
        .when(text_of("properties.$user_id") == own).then(pl.lit(True))
        .when(text_of("properties.$device_id") == own).then(pl.lit(False))
    )  # fmt: skip
    return pl.coalesce(said, ~_looks_made(own))


def _is_alias() -> pl.Expr:
    return _is("$create_alias", "$merge_dangerously") & (pl.col("raw:@own") != pl.col("raw:@other")).fill_null(False)


def _keeps_own() -> pl.Expr:
    """True for an alias whose distinct id is the user, whatever the other id is."""
    return pl.col("raw:@names_user") | (_is("$merge_dangerously") & ~pl.col("raw:@other_is_user"))


def _user() -> pl.Expr:
    """The user that a row names."""
    own, other = pl.col("raw:@own"), pl.col("raw:@other")
    is_told_by_other = _is_alias() & ~_keeps_own() & pl.col("raw:@other_is_user")
    is_own = pl.col("raw:@names_user") | (_is_alias() & _keeps_own())
    return pl.when(is_told_by_other).then(other).when(is_own).then(own)


def _second_user() -> pl.Expr:
    """The other user of an alias of two users."""
    return pl.when(_is_alias() & _keeps_own() & pl.col("raw:@other_is_user")).then(pl.col("raw:@other"))


def _browser() -> pl.Expr:
    """The browser that a row names; a user whose id looks made up is one too, for the rows that cannot tell."""
    own, other = pl.col("raw:@own"), pl.col("raw:@other")
    former = _id("properties.$anon_distinct_id")
    return (
        pl.when(_is("$identify")).then(pl.when(former != own).then(former))
        .when(_is_alias() & _keeps_own()).then(pl.when(~pl.col("raw:@other_is_user")).then(other))
        .when(~pl.col("raw:@names_user") | own.str.contains(OWN_ID)).then(own)
    )  # fmt: skip


def _no_address(name: str) -> pl.Expr:
    value = pl.col(f"raw:{name}")
    return pl.when(~value.str.contains(ADDRESS)).then(value)


def _merged_into() -> pl.Expr:
    """The other user that an alias of two users names."""
    return pl.when(_no_address("@user").is_not_null()).then(_no_address("@second"))


def _email() -> pl.Expr:
    """The e-mail address that the row sets, else that by which it names its user."""
    told = [text_of(f"{owner}.email") for owner in (*PERSON_PROPERTIES, "properties")]
    named = [pl.col("raw:@user"), pl.col("raw:@second")]
    return pl.coalesce(*told, *(pl.when(value.str.contains(ADDRESS)).then(value) for value in named))


def _device_id() -> pl.Expr:
    """The device on which somebody known is; an unknown one is a browser already."""
    return pl.when(pl.col("raw:@names_user")).then(text_of("properties.$device_id"))


# ---------------------------------------------------------------- what


def _account() -> pl.Expr:
    """The company: the group of that type, or the one that is described."""
    described = pl.when(text_of("properties.$group_type").is_in(COMPANIES)).then(text_of("properties.$group_key"))
    return pl.coalesce(*(text_of(f"properties.$groups.{kind}") for kind in COMPANIES), described)


def _campaign(part: str) -> pl.Expr:
    """A campaign field of a row without an address; posthog-js repeats those of an earlier page, the address does not."""
    return pl.when(text_of("properties.$current_url").is_null()).then(text_of(f"properties.utm_{part}"))


def _money() -> pl.Expr:
    """The first amount that is a number: a property may be called value and be none."""
    amounts = [text_of(f"properties.{name}") for name in MONEY]
    return pl.coalesce(pl.when(amount.str.contains(NUMBER)).then(amount) for amount in amounts)


def _referrer() -> pl.Expr:
    given = text_of("properties.$referrer")
    return pl.when(given != "$direct").then(given)


def _properties(rows: pl.DataFrame) -> pl.Expr:
    """The event's own properties, what it sets of the person or the company, and some of what PostHog adds."""
    there = {name for name in rows.columns if rows[name].null_count() < rows.height}
    own = object_or_null(pl.col("json:properties"))
    person = pl.coalesce(object_or_null(pl.col(f"json:{name}")) for name in PERSON_PROPERTIES)
    company = object_or_null(pl.col("json:properties.$group_set"))
    set_here = pl.when(_is("$identify", "$set")).then(person).when(_is("$groupidentify")).then(company)
    answer = text_of("properties.$survey_response").str.strip_chars()
    added = {name: json_text(text_of(path)) for name, path in CONTEXT.items() if f"raw:{path}" in there}
    added |= {"score": pl.when(answer.str.contains(SCORE)).then(answer), "merged_into": json_text(_merged_into())}
    return json_joined(json_joined(own, set_here), json_object(added))


WHO = (
    "event", "distinct_id", "properties.$lib", "properties.$is_identified", "properties.$user_id", "properties.$device_id",
    "properties.$process_person_profile", "properties.$anon_distinct_id", "properties.alias",
)  # fmt: skip
EMAILS = tuple(f"{owner}.email" for owner in (*PERSON_PROPERTIES, "properties"))
NAMED = (
    {"@own": Computed(WHO, _id("distinct_id")), "@other": Computed(WHO, _id("properties.alias"))},
    {
        "@names_user": Computed(WHO, _names_user()),
        "@other_is_user": Computed(WHO, ~_looks_made(pl.col("raw:@other"))),
    },
    {"@user": Computed(WHO, _user()), "@second": Computed(WHO, _second_user()), "@browser": Computed(WHO, _browser())},
)
COMPUTED = {
    "@event": Computed(("event",), _event()),
    "@user_id": Computed(WHO, _no_address("@user")),
    "@anonymous_id": Computed(WHO, pl.col("raw:@browser")),
    "@device_id": Computed(WHO, _device_id()),
    "@email": Computed((*WHO, *EMAILS), _email()),
    "@account_id": Computed(
        (*(f"properties.$groups.{kind}" for kind in COMPANIES), "properties.$group_type", "properties.$group_key"),
        _account(),
    ),
    **{
        f"@utm_{part}": Computed(("properties.$current_url", f"properties.utm_{part}"), _campaign(part)) for part in UTM
    },
    "@referrer": Computed(("properties.$referrer",), _referrer()),
    "@value": Computed(tuple(f"properties.{name}" for name in MONEY), _money()),
    "*": Computed(
        (
            *WHO, *CONTEXT.values(), "properties.$survey_response", "json:properties", "json:properties.$group_set",
            *(f"json:{name}" for name in PERSON_PROPERTIES),
        ),
        _properties,
    ),
}  # fmt: skip

FIELDS = {
    "event_id": {"first": ["uuid", "id"]},
    "event": "@event",
    "occurred_at": "timestamp",
    "received_at": "created_at",
    "anonymous_id": "@anonymous_id",
    "device_id": "@device_id",
    "user_id": "@user_id",
    "email": "@email",
    "phone": {"first": [f"{owner}.phone" for owner in (*PERSON_PROPERTIES, "properties")]},
    "account_id": "@account_id",
    "visit_id": "properties.$session_id",
    "url": "properties.$current_url",
    "hostname": "properties.$host",
    "path": "properties.$pathname",
    "title": {"first": ["properties.title", "properties.$screen_name"]},
    "referrer": "@referrer",
    **{f"utm_{part}": f"@utm_{part}" for part in UTM},
    "user_agent": {"first": ["properties.$raw_user_agent", "properties.$user_agent"]},
    "device": "properties.$device_type",
    "browser": {"from": "properties.$browser", "map": BROWSERS},
    "country": "properties.$geoip_country_code",
    "value": "@value",
    "currency": "properties.currency",
}


def _derived(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with whom they name, and then with all computed columns."""
    for step in (*NAMED, COMPUTED):
        rows = computing(step)(rows)
    return rows


PRIVATE = (
    *(f"{owner}.$*" for owner in ("properties", "properties.$group_set", *PERSON_PROPERTIES)),
    *(f"properties.{name}" for name in (*LETTERS, "alias", "distinct_id", *RULES.click_ids)),
    *(f"properties.utm_{part}" for part in UTM),
    *(f"{owner}.{name}" for owner in PERSON_PROPERTIES for name in (*NAMES, "ip", "password", "token")),
)

POSTHOG = Native(
    name="posthog",
    version=1,
    reads=("ndjson", "parquet", "csv"),
    mappings={"": {"fields": FIELDS, "properties": "*", "left_out": PRIVATE}},
    derived={name: computed.columns for name, computed in COMPUTED.items()},
    derive=_derived,
    marks={"": (("event", "distinct_id", "properties", "timestamp"),)},
    objects=("properties", "$set", "set", "properties.$set", "properties.$group_set"),
)

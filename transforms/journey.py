"""The journey: what journey.yaml may say, as frozen models.

Sources (how files are read) live in `transforms/mapping.py`; everything else about stages, sessions, identity, funnels
and figures is here. Reading the file itself, with line numbers in errors, is `pipelines/settings.py`.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from transforms.contracts import CORE_CUSTOMERS, IDENTIFIERS, VISITOR_NAMESPACES
from transforms.funnel_compat import Product, with_compat
from transforms.nearest import did_you_mean
from transforms.predicates import Where

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


class Entry(BaseModel):
    """A piece of journey.yaml: unknown keys are mistakes, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        """Name the unknown key, the nearest known one, and all that are allowed."""
        if isinstance(value, dict):
            allowed = [field.alias or name for name, field in cls.model_fields.items()]
            for key in value:
                if key not in allowed and key not in cls.model_fields:
                    hint = did_you_mean(key, allowed)
                    message = f"unknown key '{key}'{hint}; allowed: {', '.join(allowed)}"
                    raise PydanticCustomError("unknown_key", "{message}", {"message": message, "key": key})
        return value


def parse_duration(value: Any) -> Any:
    """A duration such as 30m, 14d, 1.5h, 0s as a timedelta; `none` as None.

    Raises ValueError with the allowed units.
    """
    if isinstance(value, timedelta) or value is None:
        return value
    text = str(value).strip().lower()
    if text == "none":
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(us|ms|s|m|h|d|w)", text)
    if not found:
        raise ValueError(f"expected a duration such as 30m, 14d or 1.5h (units: {', '.join(UNITS)}), found {value!r}")
    return timedelta(seconds=float(found[1]) * UNITS[found[2]])


def duration_text(value: timedelta | None) -> str:
    """A duration as it may be written: whole seconds, else microseconds; `none` for None."""
    if value is None:
        return "none"
    microseconds = value // timedelta(microseconds=1)
    return f"{microseconds}us" if microseconds % 1_000_000 else f"{microseconds // 1_000_000}s"


AsText = PlainSerializer(duration_text, when_used="json")
Duration = Annotated[timedelta, BeforeValidator(parse_duration), AsText]
MaybeDuration = Annotated[timedelta | None, BeforeValidator(parse_duration), AsText]


def as_tuple(value: Any) -> Any:
    """One name, or a list of names, as a tuple."""
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]


# ---------------------------------------------------------------- identity, sessions


class Identity(Entry):
    """Which identifiers name a person, and how far they may be trusted. semantics.md §4."""

    strong: Names = ("user_id", "crm_contact_id", "crm_lead_id")
    weak: Names = ("email", "phone", *VISITOR_NAMESPACES)
    country: str = Field(
        "US", pattern="^[A-Z]{2}$", description="Country of phone numbers without a prefix (ISO 3166)."
    )
    junk: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="More junk values, by namespace or 'all'."
    )
    valid: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="Values that are not junk after all.")
    people_per_contact: int = Field(5, ge=1, description="An e-mail or phone tied to more people stitches nobody.")
    visitors_per_identifier: int = Field(20, ge=1, description="Visitors beyond this number join nobody.")

    @model_validator(mode="after")
    def _known_namespaces(self) -> "Identity":
        for name in (*self.strong, *self.weak):
            if name not in IDENTIFIERS:
                raise ValueError(f"identity uses '{name}', but the identifiers are: {', '.join(IDENTIFIERS)}")
        both = set(self.strong) & set(self.weak)
        if both:
            raise ValueError(f"identity lists {', '.join(sorted(both))} as strong and as weak")
        visitors = set(self.strong) & set(VISITOR_NAMESPACES)
        if visitors:
            raise ValueError(f"{', '.join(sorted(visitors))} names a browser or device; it cannot be strong")
        return self


class Sessions(Entry):
    """How a timeline is cut into sessions. semantics.md §5."""

    timeout: Duration = timedelta(minutes=30)
    max_length: Duration = timedelta(hours=24)
    per: Literal["customer", "visitor", "given"] = "customer"
    split_on_campaign: bool = False
    passive: Names = Field(
        (
            "email_sent", "email_delivered", "email_bounced", "email_opened", "sms_sent", "push_sent", "letter_sent", "ad_impression",
            "contact_created", "lead_created", "lead_qualified", "lead_converted", "lifecycle_stage_entered",
            "deal_created", "deal_stage_entered", "deal_won", "deal_lost", "deal_closed",
            "lead_stage_entered", "lead_property_changed", "campaign_joined", "ticket_escalated",
            "contact_property_changed", "deal_property_changed", "ticket_property_changed", "ticket_stage_entered",
            "ticket_assigned", "ticket_replied", "ticket_resolved", "ticket_closed", "survey_sent",
            "subscription_renewed", "subscription_expiring", "subscription_expired", "customer_churned", "trial_ended",
            "session_start", "first_visit", "first_open",
            "asset_request", "http_redirect", "http_request", "order_item",
            "page_left", "profile_updated", "feature_flag_called", "web_vitals",
        ),
        description="Events that are messages we sent, fields that changed, or made up by the tool beside another event: "
        "they never open or extend a session.",
    )  # fmt: skip
    extending: Names = Field(
        ("page_ping", "user_engagement"),
        description="Signs of life: they extend a session that is open, and never open one.",
    )
    opening: Names = Field((), description="Events that open a new session wherever they come, such as app_opened.")
    closing: Names = Field((), description="Events that end their session: the next one opens another.")

    @property
    def is_cut_by_events(self) -> bool:
        """True when events, and not time alone, open or end sessions."""
        return bool(self.opening or self.closing)

    @property
    def passive_kinds(self) -> list[str]:
        """The passive events, but for those that open or end a session."""
        return [name for name in self.passive if name not in (*self.opening, *self.closing)]

    @model_validator(mode="after")
    def _marks_are_active(self) -> "Sessions":
        marks = {*self.opening, *self.closing}
        extending = sorted(marks & set(self.extending))
        if extending:
            raise ValueError(
                f"sessions lists {', '.join(extending)} as extending; what opens or closes a session is active"
            )
        return self

    @model_validator(mode="after")
    def _one_kind_each(self) -> "Sessions":
        both = sorted(set(self.passive) & set(self.extending))
        if both:
            raise ValueError(
                f"sessions lists {', '.join(both)} as passive and as extending; extending is {list(self.extending)}: "
                "write both lists so that each event is in one"
            )
        return self


# ---------------------------------------------------------------- stages


class When(Entry):
    """What an event has to be for a rule to apply; every key given must hold."""

    source: Names = ()
    event: Names = ()
    path: Names = Field((), description="Globs on the page's path.")
    hostname: Names = ()
    channel: Names = Field(
        (), description="How the customer came with this very event (not what follows in the session)."
    )
    object: Names = ()
    state: Names = ()
    status: Literal["prospect", "customer"] | None = Field(
        None, description="prospect: before the first conversion (that event included); customer: after it."
    )
    where: Where = Field(default_factory=dict, description="Properties, see predicates.")

    @model_validator(mode="after")
    def _asks_something(self) -> "When":
        if not any(
            (
                self.source,
                self.event,
                self.path,
                self.hostname,
                self.channel,
                self.object,
                self.state,
                self.status,
                self.where,
            )
        ):
            raise ValueError("a rule's `when` is empty: it would match every event; name an event, path, channel, …")
        return self


class Touchpoint(Entry):
    """A named kind of contact and the events that are one."""

    name: str
    when: When


class Phase(Entry):
    """A part of a stage."""

    name: str
    touchpoints: tuple[Touchpoint, ...] = ()


class Stage(Entry):
    """One stage of the journey; its place in the list is its place in the journey."""

    name: str
    description: str = ""
    owner: str = ""
    touchpoints: tuple[Touchpoint, ...] = ()
    phases: tuple[Phase, ...] = ()

    @property
    def touchpoint_names(self) -> list[str]:
        """The touchpoints that the stage and its phases name, each once, in order."""
        phases = (contact for phase in self.phases for contact in phase.touchpoints)
        return list(dict.fromkeys(contact.name for contact in (*self.touchpoints, *phases)))


STAGE_ALIASES = {
    "awareness": ("reach", "discovery", "discover"),
    "consideration": ("acquisition", "interest", "evaluation", "explore", "research"),
    "purchase": ("decision", "conversion", "buy"),
    "advocacy": ("loyalty", "brand_loyalty", "brand loyalty"),
}


class Conversion(Entry):
    """An event that counts as a purchase; its value is its own value_minor unless a property is named."""

    event: str
    where: Where = Field(default_factory=dict)


# ---------------------------------------------------------------- funnels


class Step(Entry):
    """One step of a funnel: an event, a stage, or any event."""

    event: str | None = None
    stage: str | None = None
    any: Literal[True] | None = None
    name: str | None = None
    where: Where = Field(default_factory=dict)
    enter: bool = Field(False, description="Only the event that moved the customer into the stage.")
    optional: bool = False
    within: MaybeDuration = Field(None, description="Time since the chain's step before, inclusive.")
    first_time: Literal["event", "event_with_filters"] | None = None

    @model_validator(mode="after")
    def _one_subject(self) -> "Step":
        given = [key for key in ("event", "stage", "any") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"a step names one of event, stage or any; found {', '.join(given) or 'none of them'}")
        if self.enter and self.stage is None:
            raise ValueError("`enter` goes with a stage")
        return self

    @property
    def label(self) -> str:
        """The step's name as shown: its own, else what it asks for."""
        return self.name or self.event or self.stage or "any event"


class Exclusion(Entry):
    """An event that must not happen strictly between two steps (numbered from 1)."""

    event: str
    where: Where = Field(default_factory=dict)
    from_step: int | None = Field(None, alias="from", ge=1)
    to_step: int | None = Field(None, alias="to", ge=2)


class AsOfStep(Entry):
    """A breakdown as of the events that serve one step."""

    step: int = Field(ge=1)


SEGMENT = "segment."


class Breakdown(Entry):
    """Properties that split a funnel, and at which event they are read."""

    by: Names = Field(min_length=1, description="Properties; segment.NAME is a segment of journey.yaml, yes or no.")
    as_of: Literal["entry", "first_touch", "last_touch", "all_events"] | AsOfStep = "entry"

    @model_validator(mode="after")
    def _segments_as_of_entry(self) -> "Breakdown":
        if self.segments and self.as_of != "entry":
            raise ValueError(
                f"a breakdown by {SEGMENT}{self.segments[0]} is as of entry; "
                f"write {{by: [{SEGMENT}{self.segments[0]}], as_of: entry}}"
            )
        return self

    @property
    def segments(self) -> list[str]:
        """The segments among `by`."""
        return [name.removeprefix(SEGMENT) for name in self.by if name.startswith(SEGMENT)]

    @property
    def label(self) -> str:
        """The names of the properties, joined; with what they are read at, when that is not the entry."""
        names = " | ".join(self.by)
        if isinstance(self.as_of, AsOfStep):
            return f"{names} (step {self.as_of.step})"
        return names if self.as_of == "entry" else f"{names} ({self.as_of.replace('_', ' ')})"


def full_breakdowns(value: Any) -> Any:
    """A bare name under `breakdowns` is short for {by: [name], as_of: entry}."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list | tuple):
        return tuple({"by": [item]} if isinstance(item, str) else item for item in value)
    return value


Instant = datetime | date


def parse_instant(value: Any) -> Any:
    """An instant, or a bare date (the whole local day); text is ISO 8601, an instant without a zone is UTC."""
    if isinstance(value, str):
        text = value.strip()
        try:
            return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
        except ValueError as error:
            raise ValueError(
                f"expected a date (2026-01-31) or an instant (2026-01-31T09:00:00Z), found {value!r}"
            ) from error
    return value


MaybeInstant = Annotated[Instant | None, BeforeValidator(parse_instant)]


class Funnel(Entry):
    """A walk through steps, to be finished within a window. semantics.md §8."""

    name: str
    description: str = ""
    steps: tuple[Step, ...] = Field(min_length=1)
    order: Literal["ordered", "strict", "any"] = "ordered"
    unit: Literal["customer", "session", "account"] = "customer"
    window: MaybeDuration = timedelta(days=14)
    ties: Literal["any", "increasing"] = "any"
    attempt: Literal["best", "first", "all"] = "best"
    range: Literal["entry", "all"] = "entry"
    exclusions: tuple[Exclusion, ...] = ()
    exclusion: Literal["kill", "drop"] = "kill"
    breakdowns: Annotated[tuple[Breakdown, ...], BeforeValidator(full_breakdowns)] = ()
    hold_constant: Names = ()
    event_reuse: bool = False
    compat: Product | None = Field(
        None, description="Counts as this product does: sets the switches that the entry does not."
    )
    from_: MaybeInstant = Field(None, alias="from")
    to: MaybeInstant = None
    horizon: MaybeInstant = None
    time_zone: str = "UTC"

    @model_validator(mode="before")
    @classmethod
    def _compatible(cls, value: Any) -> Any:
        return with_compat(value) if isinstance(value, dict) else value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return checked_zone(value)

    @model_validator(mode="after")
    def _steps_fit(self) -> "Funnel":
        first = self.steps[0]
        if first.optional:
            raise ValueError(f"funnel '{self.name}': step 1 cannot be optional")
        if self.order == "any" and any(step.optional or step.within is not None for step in self.steps):
            raise ValueError(f"funnel '{self.name}': with `order: any` no step is optional and none has `within`")
        count = len(self.steps)
        for exclusion in self.exclusions:
            first_step, last_step = self.span_of(exclusion)
            if not first_step < last_step <= count:
                raise ValueError(f"funnel '{self.name}': an exclusion runs from an earlier to a later of {count} steps")
            if self.steps[first_step - 1].optional or self.steps[last_step - 1].optional:
                raise ValueError(f"funnel '{self.name}': an exclusion runs between mandatory steps, not optional ones")
        for breakdown in self.breakdowns:
            if isinstance(breakdown.as_of, AsOfStep) and breakdown.as_of.step > count:
                raise ValueError(f"funnel '{self.name}': breakdown at step {breakdown.as_of.step} of {count}")
        labels = [breakdown.label for breakdown in self.breakdowns]
        if len(set(labels)) < len(labels):
            raise ValueError(f"funnel '{self.name}': the same breakdown is asked for twice")
        if self.starts_at and self.ends_at and self.starts_at >= self.ends_at:
            raise ValueError(f"funnel '{self.name}': `from` {self.from_} lies after `to` {self.to}")
        filters = [*(step.where for step in self.steps), *(exclusion.where for exclusion in self.exclusions)]
        asked = [*self.hold_constant, *(name for where in filters for name in where)]
        by_segment = [name for name in asked if name.startswith(SEGMENT)]
        if by_segment:
            raise ValueError(
                f"funnel '{self.name}': '{by_segment[0]}' is no property of an event; "
                "a segment goes under `breakdowns`, or with --segment"
            )
        return self

    @property
    def segments(self) -> list[str]:
        """The segments that its breakdowns are by."""
        return [name for breakdown in self.breakdowns for name in breakdown.segments]

    def span_of(self, exclusion: Exclusion) -> tuple[int, int]:
        """The steps between which an exclusion applies, from 1: by default the first and the last mandatory one."""
        last = max(number for number, step in enumerate(self.steps, start=1) if not step.optional)
        return exclusion.from_step or 1, exclusion.to_step or last

    @property
    def starts_at(self) -> datetime | None:
        """The first instant of the range."""
        return instant_of(self.from_, self.time_zone)

    @property
    def ends_at(self) -> datetime | None:
        """The first instant after the range; a bare date is in it to its end."""
        if isinstance(self.to, date) and not isinstance(self.to, datetime):
            return instant_of(self.to + timedelta(days=1), self.time_zone)
        return instant_of(self.to, self.time_zone)

    @property
    def horizon_at(self) -> datetime | None:
        """The declared horizon; a bare date is complete to its last microsecond."""
        if isinstance(self.horizon, date) and not isinstance(self.horizon, datetime):
            next_day = instant_of(self.horizon + timedelta(days=1), self.time_zone)
            return next_day - timedelta(microseconds=1) if next_day else None
        return instant_of(self.horizon, self.time_zone)


def instant_of(value: Instant | None, zone: str) -> datetime | None:
    """An instant in UTC: without a zone it is UTC already, a bare date is local midnight."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), ZoneInfo(zone)).astimezone(UTC)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def checked_zone(value: str) -> str:
    """The name of an IANA time zone; raises ValueError for an unknown one."""
    try:
        ZoneInfo(value)
    except Exception as error:
        raise ValueError(f"unknown time zone {value!r}; use an IANA name such as Europe/Berlin or UTC") from error
    return value


# ---------------------------------------------------------------- segments, figures, changes


class Deed(When):
    """What the customers of a segment have done, and how often."""

    at_least: int = Field(1, ge=1, description="So many events of the customer must match.")


class Segment(Entry):
    """A named group of customers, by what is known of them and what they did. semantics.md §8, breakdown as of entry."""

    name: str
    description: str = ""
    as_of: Literal["horizon", "entry"] = Field(
        "horizon",
        description="entry: in a funnel each attempt is judged by what was known and done up to its first step; "
        "everywhere else, and with horizon, by all there is.",
    )
    customer: Where = Field(default_factory=dict, description="On columns of core.customers.")
    properties: Where = Field(
        default_factory=dict, description="On what events last said of the customer, as customer.NAME in a funnel."
    )
    account: Where = Field(
        default_factory=dict, description="On what the customer's events last said of their account."
    )
    did: tuple[Deed, ...] = Field((), description="Each must be matched by some event of the customer.")
    did_not: tuple[When, ...] = Field((), description="None may be matched by any event of the customer.")
    in_: Names = Field((), alias="in", description="Segments that the customer must be in, each, at the same instant.")
    not_in: Names = Field((), description="Segments that the customer must not be in.")

    @model_validator(mode="after")
    def _columns_exist(self) -> "Segment":
        for name in self.customer:
            if name not in CORE_CUSTOMERS.schema:
                known = ", ".join(CORE_CUSTOMERS.schema)
                raise ValueError(
                    f"segment '{self.name}' asks for the property '{name}'{did_you_mean(name, CORE_CUSTOMERS.schema)}, "
                    f"but customers only have: {known}; what events say of a customer goes under `properties`"
                )
        return self


KNOWN_AT_ENTRY = (
    "account_id", "first_seen_at", "last_seen_at", "event_count", "first_purchase_at", "purchase_count", "current_stage",
    "furthest_stage",
)  # fmt: skip


def with_those_asked_for(names: Sequence[str], segments: Sequence[Segment]) -> list[Segment]:
    """Some segments and those that they ask for, each after all that it asks for.

    Raises ValueError for a segment that is not there (with the nearest), and for one that asks for itself (with the circle).
    """
    known = {segment.name: segment for segment in segments}
    found: dict[str, Segment] = {}

    def visit(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            circle = " → ".join((*way[way.index(name) :], name))
            raise ValueError(f"segment '{name}' asks for itself: {circle}; take one `in` or `not_in` out")
        if name not in known:
            user = f"segment '{way[-1]}' asks for" if way else "there is no"
            raise ValueError(
                f"{user} the segment '{name}'{did_you_mean(name, known)}; there are: {', '.join(known) or 'none'}"
            )
        if name not in found:
            for other in (*known[name].in_, *known[name].not_in):
                visit(other, (*way, name))
            found[name] = known[name]

    for name in names:
        visit(name, ())
    return list(found.values())


@contextmanager
def told_at(key: str) -> Iterator[None]:
    """Say of a ValueError that it is about a key of the whole, so that it is told with the line of that key."""
    try:
        yield
    except ValueError as error:
        raise PydanticCustomError("told_at", "{message}", {"message": str(error), "key": key}) from error


def check_segments(segments: Sequence[Segment], funnels: Sequence["Funnel"]) -> None:
    """Raise ValueError, at the key that is wrong, for segments and breakdowns by segment that cannot be told."""
    with told_at("segments"):
        for segment in segments:
            check_as_of(segment, segments)
    with told_at("funnels"):
        for funnel in funnels:
            for name in funnel.segments:
                check_breakdown(name, segments, f"funnel '{funnel.name}'")


def check_as_of(segment: Segment, segments: Sequence[Segment]) -> None:
    """Raise ValueError where a segment asks for more than can be known as of when it is told."""
    for other in with_those_asked_for([segment.name], segments):
        late = sorted(set(other.customer) - set(KNOWN_AT_ENTRY))
        if segment.as_of == "entry" and late:
            through = "" if other is segment else f" (through '{other.name}')"
            raise ValueError(
                f"segment '{segment.name}' is as of entry, but asks{through} for {', '.join(late)}, which is known as of "
                f"the horizon only; as of entry there are: {', '.join(KNOWN_AT_ENTRY)}, `properties`, `account`, `did`"
            )


def check_breakdown(name: str, segments: Sequence[Segment], user: str) -> None:
    """Raise ValueError where a breakdown by this segment would not be as of entry."""
    known = {segment.name: segment for segment in segments}
    if name not in known:
        raise ValueError(
            f"{user} has a breakdown by the segment '{name}'{did_you_mean(name, known)}; "
            f"there are: {', '.join(known) or 'none'}"
        )
    if known[name].as_of != "entry":
        raise ValueError(
            f"{user} has a breakdown by the segment '{name}', which is as of the horizon: it would sort entrants by what they "
            "did later; give the segment `as_of: entry`"
        )


class Specification(Entry):
    """What a plain file of events is asked: funnels, and the segments and conversions that they need."""

    funnels: tuple[Funnel, ...] = Field(min_length=1)
    segments: tuple[Segment, ...] = ()
    conversions: tuple[Conversion, ...] = Field(
        (), description="Events that count as a purchase, for `purchase_count`."
    )

    @model_validator(mode="after")
    def _segments_fit(self) -> "Specification":
        names = [segment.name for segment in self.segments]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two segments are called '{twice[0]}'; names are unique")
        check_segments(self.segments, self.funnels)
        return self


class Kpi(Entry):
    """A figure with a target."""

    stage: str
    metric: Literal[
        "stage_conversion", "stage_reach", "lead_conversion", "visitor_conversion", "bounce_rate", "repeat_rate"
    ]
    target: float | None = None
    owner: str = ""


class Change(Entry):
    """Something the business did on a day, drawn on the trends."""

    date: date
    name: str
    stage: str | None = None


class FutureStage(Entry):
    """What one stage shall become: the journey map holds it against what is."""

    stage: str
    description: str = ""
    adds: Names = Field((), description="Touchpoints to come, by the name that their rule has or will have.")
    removes: Names = Field((), description="Planned touchpoints of the stage that shall go.")

    @model_validator(mode="after")
    def _says_something(self) -> "FutureStage":
        both = sorted(set(self.adds) & set(self.removes))
        if both:
            raise ValueError(
                f"future of '{self.stage}' both adds and removes {', '.join(both)}; a touchpoint is in one list"
            )
        if not (self.description or self.adds or self.removes):
            raise ValueError(f"future of '{self.stage}' says nothing; give it a description, adds or removes")
        return self


# ---------------------------------------------------------------- the whole


class Journey(Entry):
    """journey.yaml as a whole, sources aside."""

    name: str = "My business"
    time_zone: str = "UTC"
    currency: str = Field("USD", pattern="^[A-Z]{3}$")
    own_hosts: Names = Field((), description="The business's own hosts: they are not referrers.")
    internal_hosts: Names = Field((), description="Hosts whose traffic is the business's own (staging, office).")
    ignored_referrers: Names = Field(
        (), description="Hosts of others that bring nobody (payment, sign-in): no referrers."
    )
    identity: Identity = Identity()
    sessions: Sessions = Sessions()
    stages: tuple[Stage, ...] = ()
    stage_window: MaybeDuration = Field(timedelta(days=90), description="Time within which stage conversion counts.")
    conversions: tuple[Conversion, ...] = ()
    funnels: tuple[Funnel, ...] = ()
    segments: tuple[Segment, ...] = ()
    kpis: tuple[Kpi, ...] = ()
    changes: tuple[Change, ...] = ()
    future: tuple[FutureStage, ...] = Field((), description="The journey as it shall become, stage by stage.")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return checked_zone(value)

    @field_validator("own_hosts", "internal_hosts", "ignored_referrers")
    @classmethod
    def _bare_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            bare = re.sub(r"^[a-z-]+://|[/?#].*$|:\d+$", "", host)
            if bare != host:
                raise ValueError(f"'{host}' is more than a host; write {bare or 'its host'}")
        return hosts

    @field_validator("funnels")
    @classmethod
    def _own_stage_names(cls, funnels: tuple[Funnel, ...], info: ValidationInfo) -> tuple[Funnel, ...]:
        """Steps that use an alias of a stage get the journey's own name for it; unknown names are refused later."""
        names = [stage.name for stage in info.data.get("stages", ())]
        return tuple(
            funnel.model_copy(update={"steps": tuple(
                step.model_copy(update={"stage": own_stage_name(step.stage, names) or step.stage}) if step.stage else step
                for step in funnel.steps
            )})
            for funnel in funnels
        )  # fmt: skip

    @model_validator(mode="after")
    def _names_exist(self) -> "Journey":
        for what, names in (("stage", self.stage_names), ("funnel", [funnel.name for funnel in self.funnels]),
                            ("segment", [segment.name for segment in self.segments])):  # fmt: skip
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                with told_at(f"{what}s"):
                    raise ValueError(f"two {what}s are called '{twice[0]}'; names are unique")
        with told_at("funnels"):
            for funnel in self.funnels:
                for step in funnel.steps:
                    if step.stage is not None:
                        self.stage_named(step.stage, f"funnel '{funnel.name}'")
        check_segments(self.segments, self.funnels)
        with told_at("kpis"):
            for kpi in self.kpis:
                self.stage_named(kpi.stage, f"kpi '{kpi.metric}'")
        with told_at("changes"):
            for change in self.changes:
                if change.stage:
                    self.stage_named(change.stage, f"change '{change.name}'")
        with told_at("future"):
            self._check_future()
        return self

    def _check_future(self) -> None:
        """Raise ValueError for a stage that is told twice, or that removes a touchpoint it does not have."""
        told = [self.stage_named(future.stage, "future") for future in self.future]
        twice = sorted({name for name in told if told.count(name) > 1})
        if twice:
            raise ValueError(f"future has the stage '{twice[0]}' twice; one entry says all of it")
        for name, future in zip(told, self.future, strict=True):
            planned = self.stages[self.stage_names.index(name)].touchpoint_names
            for contact in future.removes:
                if contact not in planned:
                    raise ValueError(
                        f"future of '{name}' removes '{contact}', which the stage does not have: {', '.join(planned) or 'none'}"
                        f"{did_you_mean(contact, planned)}"
                    )

    def future_of(self, stage: str) -> FutureStage | None:
        """What a stage, by its own name, shall become; None where nothing is said."""
        return next((future for future in self.future if own_stage_name(future.stage, self.stage_names) == stage), None)

    @property
    def stage_names(self) -> list[str]:
        """The stages in the order of the journey."""
        return [stage.name for stage in self.stages]

    def stage_named(self, name: str, user: str) -> str:
        """The journey's own name of a stage, given by name or alias.

        Raises ValueError that names the user, the nearest name and all names.
        """
        own = own_stage_name(name, self.stage_names)
        if own is not None:
            return own
        hint = did_you_mean(name, self.stage_names)
        raise ValueError(
            f"{user} uses the stage '{name}', but the journey only has: {', '.join(self.stage_names) or 'none'}{hint}"
        )


def own_stage_name(name: str, names: Sequence[str]) -> str | None:
    """Which of the stage names is meant by a name or alias; None for none."""
    if name in names:
        return name
    families = [(canonical, *aliases) for canonical, aliases in STAGE_ALIASES.items()]
    return next((other for family in families if name.lower() in family for other in family if other in names), None)

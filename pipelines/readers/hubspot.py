"""HubSpot: exports of its CRM objects, with the labels of its pages or the names of its API as headers."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from pipelines.readers.native import Native

ANY_TIME = {"format": "any"}

LIFECYCLE = (
    "subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist", "other",
)  # fmt: skip
DEAL_STAGES = (
    "appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "decisionmakerboughtin", "contractsent", "closedwon",
    "closedlost",
)  # fmt: skip
CLOSED_DEAL = ("closedwon", "closedlost")
TICKET_STATUS = {"1": "New", "2": "Waiting on contact", "3": "Waiting on us", "4": "Closed"}
DISPOSITIONS = {
    "9d9162e7-6cf3-4944-bf63-4dff82258764": "Busy",
    "f240bbac-87c9-4f6e-bf70-924b57d47db7": "Connected",
    "a4c4c377-d246-4b32-a13b-75a56a4cd0ff": "Left live message",
    "b2cf5968-551e-4856-9783-52b3da59a7d0": "Left voicemail",
    "73a0d17f-1163-4015-bdd5-ec830791da20": "No answer",
    "17b47fee-58de-441e-a44c-c6300d46f273": "Wrong number",
}
SURVEYS = {
    "nps": "nps", "customerloyalty": "nps", "customerloyaltynps": "nps", "csat": "csat", "customersatisfaction": "csat",
    "customersatisfactioncsat": "csat", "ces": "ces", "customersupport": "ces", "customersupportces": "ces",
    "customereffort": "ces",
}  # fmt: skip
THREE_POINTS = {"0detractor": "1", "1passive": "3", "2promoter": "5"}
WON_OR_LOST = {"1.0": "won", "1": "won", "0.0": "lost", "0": "lost"}
YES = ("true", "yes", "1")
NO = ("false", "no", "0")

DATED = (
    r'(?i)"(?:hs_lifecyclestage_(?<property>[^"]+)_date|hs_v2_date_entered_(?<entered>[^"]+)|hs_date_entered_(?<older>[^"]+)'
    r'|became an? (?<label>[^"]+?) date|date entered \\"(?<entered_label>[^"]+)\\"|date entered \x27(?<older_label>[^"]+)\x27)"'
    r'\s*:\s*"?(?<at>[^",}]+)'
)


# ---------------------------------------------------------------- computed columns


def said(column: str) -> pl.Expr:
    """The text of a column, trimmed; empty text is none."""
    text = pl.col(f"raw:{column}").str.strip_chars()
    return pl.when(text != "").then(text)


def first_of(*columns: str) -> pl.Expr:
    """The text of the first of several columns that has one."""
    return pl.coalesce([said(column) for column in columns])


def bare(text: pl.Expr) -> pl.Expr:
    """Letters and digits alone, in lower case: a label and the name of its value are the same."""
    return text.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")


def known(text: pl.Expr, values: tuple[str, ...]) -> pl.Expr:
    """HubSpot's own name of a value, null for one that the business made."""
    return pl.when(bare(text).is_in(values)).then(bare(text))


def is_any(text: pl.Expr, values: tuple[str, ...]) -> pl.Expr:
    """True where the text is one of the values, whatever its case; never null."""
    return text.str.to_lowercase().is_in(values).fill_null(False)


def first_id(*columns: str) -> pl.Expr:
    """The first id of the first column that has one: "123;456", a JSON list, or one id."""
    return pl.coalesce([said(column).str.extract("([0-9]+)") for column in columns])


def merged_ids() -> pl.Expr:
    """Ids of the records that were merged into this one, without the times at which they were, as "1;2"."""
    parts = [said(column).str.replace_all(":[0-9]+", "") for column in MERGED_COLUMNS]
    together = pl.concat_str(parts, separator=";", ignore_nulls=True)
    return pl.when(together != "").then(together)


def outcome_of_deal() -> pl.Expr:
    """won, lost, or null for a deal that is open, as far as the row tells."""
    stage, is_closed = known(said("dealstage"), CLOSED_DEAL), is_any(said("hs_is_closed"), YES)
    is_won, is_not_won = (is_any(said("hs_is_closed_won"), answers) for answers in (YES, NO))
    is_lost = is_any(said("hs_is_closed_lost"), YES) | (is_closed & is_not_won)
    return (
        pl.when(is_won).then(pl.lit("won"))
        .when(is_lost).then(pl.lit("lost"))
        .when(is_not_won & said("hs_is_closed").is_not_null()).then(None)
        .otherwise(stage.str.strip_prefix("closed"))
    )  # fmt: skip


def kind_of_engagement() -> pl.Expr:
    """call, email, meeting, note, task, …: as the row says, else by the columns that it fills."""
    told = bare(first_of("hs_engagement_type", "engagement_type", "type"))
    kinds = {"incomingemail": "email", "forwardedemail": "email", "loggedcall": "call"}
    filled = [
        pl.when(pl.any_horizontal(said(column).is_not_null() for column in columns)).then(pl.lit(kind))
        for kind, columns in ENGAGEMENT_COLUMNS.items()
    ]
    return pl.coalesce(told.replace(kinds), *filled, pl.lit("engagement"))


def direction() -> pl.Expr:
    """inbound or outbound, of calls and mails; forwarded for a mail that was forwarded to HubSpot."""
    mail = bare(pl.coalesce(said("hs_email_direction"), _mail_type()))
    by_mail = (
        pl.when(mail.str.starts_with("incoming")).then(pl.lit("inbound"))
        .when(mail.str.starts_with("forwarded")).then(pl.lit("forwarded"))
        .when(mail.is_not_null()).then(pl.lit("outbound"))
    )  # fmt: skip
    return pl.coalesce(by_mail, bare(said("hs_call_direction")))


def _mail_type() -> pl.Expr:
    told = first_of("hs_engagement_type", "engagement_type", "type")
    return pl.when(bare(told).str.ends_with("email")).then(told)


def outcome_of_engagement() -> pl.Expr:
    """What came of a call or meeting."""
    disposition = said("hs_call_disposition")
    return pl.coalesce(disposition.replace(DISPOSITIONS), said("hs_meeting_outcome"))


def event_of_engagement() -> pl.Expr:
    """The event that an engagement is; null for what is nobody's, for notes and tasks, and for what did not take place."""
    kind, way, outcome = kind_of_engagement(), direction(), bare(outcome_of_engagement())
    is_answered = outcome.str.starts_with("connected").fill_null(False)
    is_taken = (way == "inbound") & outcome.is_null() & is_any(said("hs_call_status"), ("completed",))
    call = pl.when(is_answered | is_taken.fill_null(False)).then(pl.lit("call_answered")).otherwise(pl.lit("call_made"))
    status = bare(said("hs_email_status"))
    sent = (
        pl.when(status == "bounced").then(pl.lit("email_bounced"))
        .when(status.is_null() | (status == "sent")).then(pl.lit("email_sent"))
    )  # fmt: skip
    mail = (
        pl.when(way == "inbound").then(pl.lit("email_replied"))
        .when(way.is_null() | (way == "outbound")).then(sent)
    )  # fmt: skip
    meeting = pl.when(outcome.is_null() | (outcome == "completed")).then(pl.lit("meeting_held"))
    named = pl.when(kind == "call").then(call).when(kind == "email").then(mail).when(kind == "meeting").then(meeting)
    return pl.when(first_id(*CONTACT_COLUMNS).is_not_null() | mail_address().is_not_null()).then(named)


def mail_address() -> pl.Expr:
    """The customer's address of a mail that is tied to no contact, where it is one address."""
    sender, receiver = said("hs_email_from_email"), said("hs_email_to_email")
    address = pl.when(direction() == "inbound").then(sender).otherwise(receiver)
    is_one = ~address.str.contains("[;,]")
    return pl.when(first_id(*CONTACT_COLUMNS).is_null() & is_one).then(address)


def changed_property() -> pl.Expr:
    """The API name of the property that a row of a history tells of."""
    told = first_of("property", "property_name", "name").str.to_lowercase().str.replace_all("[^a-z0-9]+", "_")
    return told.replace(
        {"lifecycle_stage": "lifecyclestage", "deal_stage": "dealstage", "ticket_status": "hs_pipeline_stage"}
    )


def tells_stage(stage_property: str) -> pl.Expr:
    """True for a row of a history that tells of a stage: of that property, or of none that is named."""
    return (changed_property() == stage_property).fill_null(True) & first_of(*VALUE_COLUMNS).is_not_null()


def history_event(stage_property: str, entered: str, changed: str) -> pl.Expr:
    """The event of a row of a history: a stage was entered, or another property changed."""
    return pl.when(tells_stage(stage_property)).then(pl.lit(entered)).otherwise(pl.lit(changed))


def history_state(stage_property: str, stage: pl.Expr) -> pl.Expr:
    """The stage that was entered, or the name of the property that changed; of such a one no value is kept."""
    return (
        pl.when(tells_stage(stage_property))
        .then(stage)
        .otherwise(pl.coalesce(changed_property(), pl.lit(stage_property)))
    )


def deal_history_event() -> pl.Expr:
    """deal_closed for a closed stage of HubSpot's own pipeline, deal_property_changed for another property, else null."""
    is_closed = known(first_of(*VALUE_COLUMNS), CLOSED_DEAL).is_not_null()
    return (
        pl.when(~tells_stage("dealstage"))
        .then(pl.lit("deal_property_changed"))
        .when(is_closed)
        .then(pl.lit("deal_closed"))
    )


def lifecycle(text: pl.Expr) -> pl.Expr:
    """A lifecycle stage by its API name."""
    return pl.coalesce(known(text, LIFECYCLE), text)


def ticket_status(text: pl.Expr) -> pl.Expr:
    """A ticket status by its label, as far as it is one of HubSpot's own."""
    labels = {bare_label: label for label in TICKET_STATUS.values() for bare_label in [label.lower().replace(" ", "")]}
    return bare(text).replace_strict({**TICKET_STATUS, **labels}, default=text, return_dtype=pl.String)


def score() -> pl.Expr:
    """The score of an answer; of a satisfaction survey with three faces (0, 1, 2) the place on a scale of five."""
    given = said("hs_value").str.replace(r"^(-?[0-9]+)\.0+$", "${1}")
    faces = (given + bare(said("hs_response_group"))).replace_strict(THREE_POINTS, default=None, return_dtype=pl.String)
    return pl.when(survey() == "csat").then(pl.coalesce(faces, given)).otherwise(given)


def survey() -> pl.Expr:
    """nps, csat, ces, or what else the survey is."""
    kind = bare(said("hs_survey_type"))
    return kind.replace(SURVEYS)


def conversation_event() -> pl.Expr:
    """chat_started, or conversation_started for one that began by mail or a form; null for spam."""
    channel = bare(first_of("originalChannelId", "channel"))
    is_mail = (channel.str.contains("mail|form") | (channel == "1002")).fill_null(False)
    began = pl.when(is_mail).then(pl.lit("conversation_started")).otherwise(pl.lit("chat_started"))
    return pl.when(~is_any(said("spam"), YES)).then(began)


def merged_object() -> pl.Expr:
    """contact, company, deal or ticket: the kind of the records that a row of `merges` tells of."""
    named = bare(said("object_type")).replace(
        {f"{kind}s": kind for kind in ("contact", "deal", "ticket")} | {"companies": "company"}
    )
    is_deal = first_of("deal_id", "merged_deal_id").is_not_null()
    return pl.coalesce(named, pl.when(is_deal).then(pl.lit("deal")), pl.lit("contact"))


CONTACT_COLUMNS = (
    "associated_contact_ids", "associatedcontactid", "hs_contact_id", "contact_id", "contacts", "contactid", "vid",
)  # fmt: skip
COMPANY_COLUMNS = (
    "associatedcompanyid", "hs_primary_associated_company", "associated_company_ids", "company_id", "companies",
)  # fmt: skip
MERGED_COLUMNS = ("hs_merged_object_ids", "hs_calculated_merged_vids", "hs_all_contact_vids")
VALUE_COLUMNS = ("value", "dealstage", "hs_pipeline_stage", "lifecyclestage")
HISTORY_COLUMNS = ("property", "property_name", "name", *VALUE_COLUMNS)
ENGAGEMENT_COLUMNS = {
    "call": ("hs_call_direction", "hs_call_disposition", "hs_call_status", "hs_call_duration"),
    "email": ("hs_email_direction", "hs_email_status", "hs_email_from_email", "hs_email_to_email"),
    "meeting": ("hs_meeting_outcome", "hs_meeting_start_time", "hs_meeting_end_time"),
    "task": ("hs_task_status", "hs_task_type"),
}
OF_ENGAGEMENTS = (
    "hs_engagement_type", "engagement_type", "type", *(name for names in ENGAGEMENT_COLUMNS.values() for name in names),
    *CONTACT_COLUMNS,
)  # fmt: skip

CONTACT_STATES = ("lifecycle_stage_entered", "contact_property_changed")
OF_FEEDBACK = ("hs_survey_type", "hs_value", "hs_response_group")
OF_CONVERSATIONS = ("originalChannelId", "channel", "spam")
INTO_COLUMNS = ("primary_object_id", "canonical_vid", "deal_id", "merged_into")
FROM_COLUMNS = ("object_id_to_merge", "vid_to_merge", "merged_deal_id", "merged_object_id", "merged_id")
OF_MERGES = ("object_type", *INTO_COLUMNS, *FROM_COLUMNS)
COMPUTED: dict[str, tuple[tuple[str, ...], pl.Expr]] = {
    "@contact": (CONTACT_COLUMNS, first_id(*CONTACT_COLUMNS)),
    "@company": (COMPANY_COLUMNS, first_id(*COMPANY_COLUMNS)),
    "@merged_ids": (MERGED_COLUMNS, merged_ids()),
    "@owner": (("hubspot_owner_id",), said("hubspot_owner_id").str.extract("^([0-9]+)$")),
    "@lifecycle": (("lifecyclestage",), lifecycle(said("lifecyclestage"))),
    "@first_page": (("hs_analytics_first_url",), said("hs_analytics_first_url").str.replace("[?#].*$", "")),
    "@outcome": (("dealstage", "hs_is_closed", "hs_is_closed_won", "hs_is_closed_lost"), outcome_of_deal()),
    "@deal_closed": (
        ("dealstage", "hs_is_closed", "hs_is_closed_won", "hs_is_closed_lost"), pl.lit("deal_") + outcome_of_deal(),
    ),
    "@deal_stage": (("dealstage",), known(said("dealstage"), DEAL_STAGES)),
    "@ticket_status": (("hs_pipeline_stage",), ticket_status(said("hs_pipeline_stage"))),
    "@reopened": (("hs_ticket_reopened_at",), pl.when(said("hs_ticket_reopened_at").is_not_null()).then(pl.lit("true"))),
    "@time_to_close_ms": (("time_to_close",), said("time_to_close").str.extract("^([0-9]+)$")),
    "@kind": (OF_ENGAGEMENTS, kind_of_engagement()),
    "@direction": (OF_ENGAGEMENTS, direction()),
    "@engagement_outcome": (OF_ENGAGEMENTS, outcome_of_engagement()),
    "@engagement_event": (OF_ENGAGEMENTS, event_of_engagement()),
    "@mail_address": (OF_ENGAGEMENTS, mail_address()),
    "@contact_event": (HISTORY_COLUMNS, history_event("lifecyclestage", *CONTACT_STATES)),
    "@contact_state": (HISTORY_COLUMNS, history_state("lifecyclestage", lifecycle(first_of(*VALUE_COLUMNS)))),
    "@deal_event": (HISTORY_COLUMNS, deal_history_event()),
    "@deal_state": (HISTORY_COLUMNS, history_state("dealstage", known(first_of(*VALUE_COLUMNS), DEAL_STAGES))),
    "@value": (HISTORY_COLUMNS, first_of(*VALUE_COLUMNS)),
    "@ticket_event": (HISTORY_COLUMNS, history_event("hs_pipeline_stage", "ticket_stage_entered", "ticket_property_changed")),
    "@ticket_state": (HISTORY_COLUMNS, history_state("hs_pipeline_stage", ticket_status(first_of(*VALUE_COLUMNS)))),
    "@changed_property": (HISTORY_COLUMNS, changed_property()),
    "@survey": (OF_FEEDBACK, survey()),
    "@score": (OF_FEEDBACK, score()),
    "@conversation_event": (OF_CONVERSATIONS, conversation_event()),
    "@merged_object": (OF_MERGES, merged_object()),
    "@merged_id": (OF_MERGES, first_id(*FROM_COLUMNS)),
    "@merged_into": (OF_MERGES, first_id(*INTO_COLUMNS)),
    "@merge": (OF_MERGES, pl.concat_str(merged_object(), first_id(*FROM_COLUMNS), separator=":")),
    "@merged_contact": (OF_MERGES, pl.when(merged_object() == "contact").then(first_id(*FROM_COLUMNS))),
}  # fmt: skip


def lifecycle_stages(rows: pl.DataFrame) -> pl.Expr:
    """The dated lifecycle stages of contacts, as a JSON list of state and at."""
    return _listed(rows, _dated_stages(rows).with_columns(state=lifecycle(pl.col("state"))), "state", "at")


def deal_stages(rows: pl.DataFrame) -> pl.Expr:
    """The dated open stages of deals; what closed a deal is told by its close date."""
    now = rows.select(place=pl.int_range(pl.len(), dtype=pl.UInt32), now=said("dealstage"), outcome=outcome_of_deal())
    dated = _dated_stages(rows).join(now, on="place", how="left", maintain_order="left")
    closes = known(pl.col("state"), CLOSED_DEAL).is_not_null()
    closes |= pl.col("outcome").is_not_null() & (bare(pl.col("state")) == bare(pl.col("now"))).fill_null(False)
    return _listed(
        rows, dated.filter(~closes).with_columns(own=known(pl.col("state"), DEAL_STAGES)), "state", "own", "at"
    )


def ticket_stages(rows: pl.DataFrame) -> pl.Expr:
    """The dated states of tickets between their opening and their end, which are events of their own."""
    dated = _dated_stages(rows).with_columns(state=ticket_status(pl.col("state")))
    return _listed(rows, dated.filter(~pl.col("state").is_in(["New", "Closed"])), "state", "at")


def _dated_stages(rows: pl.DataFrame) -> pl.DataFrame:
    """place (of the row), state, at: one row for each stage that a column named after it dates.

    Where several columns date one stage, the property of that stage counts, then the newer kind of column.
    """
    found = (
        rows.select(place=pl.int_range(pl.len(), dtype=pl.UInt32), found=pl.col("json:*").str.extract_all(DATED))
        .explode("found")
        .drop_nulls("found")
        .with_columns(pl.col("found").str.extract_groups(DATED).alias("part"))
        .unnest("part")
    )
    groups = ("property", "label", "entered", "entered_label", "older", "older_label")
    rank = pl.coalesce(pl.when(pl.col(name).is_not_null()).then(number) for number, name in enumerate(groups))
    state = pl.coalesce(groups).str.strip_chars().str.replace(r" \([^()]*\)$", "")
    told = found.select("place", "at", rank=rank, state=state).filter(
        (pl.col("at") != "null") & (pl.col("at") != "") & (pl.col("state") != "current_stage")
    )
    firsts = told.sort("place", "rank", "state", "at").with_columns(same=bare(pl.col("state")))
    return firsts.unique(["place", "same"], keep="first", maintain_order=True).select("place", "state", "at")


def _listed(rows: pl.DataFrame, stages: pl.DataFrame, *members: str) -> pl.Expr:
    """Stages as one JSON list for each row; null for a row without any."""
    element = pl.struct(members).struct.json_encode()
    lists = stages.group_by("place").agg((pl.lit("[") + element.str.join(",") + pl.lit("]")).first().alias("list"))
    places = rows.select(place=pl.int_range(pl.len(), dtype=pl.UInt32))
    return pl.lit(places.join(lists, on="place", how="left", maintain_order="left")["list"])


STAGE_LISTS = {
    "@lifecycle_stages": (("*", "lifecyclestage"), lifecycle_stages),
    "@deal_stages": (("*", "dealstage", "hs_is_closed", "hs_is_closed_won", "hs_is_closed_lost"), deal_stages),
    "@ticket_stages": (("*", "hs_pipeline_stage"), ticket_stages),
}


def derive(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with all computed columns whose ingredients are there."""

    def is_ready(columns: tuple[str, ...]) -> bool:
        return all(("json:*" if column == "*" else f"raw:{column}") in rows.columns for column in columns)

    lists = {name: listed(rows) for name, (columns, listed) in STAGE_LISTS.items() if is_ready(columns)}
    made = {name: column for name, (columns, column) in COMPUTED.items() if is_ready(columns)}
    return rows.with_columns(column.alias(f"raw:{name}") for name, column in {**made, **lists}.items())


# ---------------------------------------------------------------- mappings


def at(*columns: str) -> dict[str, Any]:
    """A time in any of the forms in which HubSpot writes it, of the first column that has one."""
    return {"first": list(columns), **ANY_TIME}


def looked_up(key: str, get: str, **more: Any) -> dict[str, Any]:
    """What the lookup `pipelines` says of a stage, where journey.yaml gives one."""
    return {"lookup": "pipelines", "key": key, "get": get, **more}


def state(event: str, name: str, *columns: str, **fields: Any) -> dict[str, Any]:
    """An event that is a dated state of a record."""
    return {"event": event, "fields": {"occurred_at": at(*columns), "state": {"value": name}, **fields}}


RECORD = {
    "record id": "hs_object_id",
    "record creation source": "hs_object_source",
    "record source": "hs_object_source_label",
    "associated contact ids": "associated_contact_ids",
    "associated contact id": "associatedcontactid",
    "associated company ids": "associated_company_ids",
    "associated company id": "associatedcompanyid",
    "primary associated company id": "hs_primary_associated_company",
    "merged contact ids": "hs_merged_object_ids",
    "merged company ids": "hs_merged_object_ids",
    "merged deal ids": "hs_merged_object_ids",
    "merged ticket ids": "hs_merged_object_ids",
    "merged record ids": "hs_merged_object_ids",
    "merged object ids": "hs_merged_object_ids",
    "original source": "hs_analytics_source",
    "original traffic source": "hs_analytics_source",
    "latest source": "hs_latest_source",
    "latest traffic source": "hs_latest_source",
    "lifecycle stage": "lifecyclestage",
    "lead status": "hs_lead_status",
    "create date": "createdate",
    "object create date/time": "hs_createdate",
    "pipeline": "pipeline",
}

CONTACTS: Mapping[str, Any] = {
    "kind": "crm",
    "record": {
        "object": "contact",
        "id": {"first": ["hs_object_id", "vid", "id"]},
        "modified_at": at("lastmodifieddate", "hs_lastmodifieddate", "updatedAt"),
        "undated": "keep",
    },
    "aliases": {
        **RECORD,
        "contact id": "vid",
        "email": "email",
        "phone number": "phone",
        "mobile phone number": "mobilephone",
        "calculated phone number in international format": "hs_calculated_phone_number",
        "last modified date": "lastmodifieddate",
        "object last modified date/time": "hs_lastmodifieddate",
        "merged vids with timestamps of a contact": "hs_calculated_merged_vids",
        "all vids for a contact": "hs_all_contact_vids",
        "contact owner": "hubspot_owner_id",
        "hubspot owner": "hubspot_owner_id",
        "country/region": "country",
        "country": "country",
        "job title": "jobtitle",
        "first page seen": "hs_analytics_first_url",
        "number of pageviews": "hs_analytics_num_page_views",
        "number of sessions": "hs_analytics_num_visits",
        "original traffic source drill-down 1": "hs_analytics_source_data_1",
        "original source drill-down 1": "hs_analytics_source_data_1",
    },
    "fields": {
        "crm_contact_id": {"first": ["hs_object_id", "vid", "id"]},
        "email": "email",
        "phone": {"first": ["hs_calculated_phone_number", "phone", "mobilephone"]},
        "anonymous_id": "hubspotutk",
        "account_id": "@company",
        "country": "country",
    },
    "properties": {
        "lifecycle": "@lifecycle",
        "lead_status": "hs_lead_status",
        "original_source": "hs_analytics_source",
        "original_source_detail": "hs_analytics_source_data_1",
        "latest_source": "hs_latest_source",
        "first_page": "@first_page",
        "page_views": "hs_analytics_num_page_views",
        "sessions": "hs_analytics_num_visits",
        "job_title": "jobtitle",
        "owner": "@owner",
        "merged_ids": "@merged_ids",
    },
    "events": [
        state("contact_created", "created", "createdate", "hs_createdate", "createdAt"),
        {
            "event": "lifecycle_stage_entered",
            "each": "@lifecycle_stages",
            "fields": {"occurred_at": at("@lifecycle_stages.at"), "state": "@lifecycle_stages.state"},
        },
    ],
}

HISTORY = {
    "record id": "hs_object_id",
    "object id": "hs_object_id",
    "objectid": "hs_object_id",
    "contact id": "vid",
    "contactid": "vid",
    "contact_id": "vid",
    "deal id": "deal_id",
    "dealid": "deal_id",
    "ticket id": "ticket_id",
    "ticketid": "ticket_id",
    "property": "property",
    "property name": "property_name",
    "value": "value",
    "property value": "value",
    "timestamp": "timestamp",
    "date entered": "date_entered",
    "date": "date",
    "change date": "date",
    "source": "source",
    "sourcetype": "sourceType",
    "change source": "source",
    "associated contact ids": "associated_contact_ids",
    "deal stage": "dealstage",
    "stage": "value",
    "ticket status": "hs_pipeline_stage",
    "lifecycle stage": "lifecyclestage",
}
CHANGED_AT = at("timestamp", "date_entered", "date", "entered_at")
CHANGES = {"property": "@changed_property", "change_source": {"first": ["source", "sourceType", "source_type"]}}

CONTACT_HISTORY: Mapping[str, Any] = {
    "kind": "crm",
    "history": {"object": "contact", "id": {"first": ["hs_object_id", "vid", "contact_id"]}},
    "aliases": HISTORY,
    "fields": {
        "event": "@contact_event",
        "occurred_at": CHANGED_AT,
        "crm_contact_id": {"first": ["hs_object_id", "vid", "contact_id"]},
        "state": "@contact_state",
    },
    "properties": CHANGES,
}

COMPANIES: Mapping[str, Any] = {
    "kind": "crm",
    "record": {
        "object": "company",
        "id": {"first": ["hs_object_id", "companyId", "id"]},
        "modified_at": at("hs_lastmodifieddate", "updatedAt"),
    },
    "aliases": {
        **RECORD,
        "company id": "companyId",
        "company name": "name",
        "name": "name",
        "company domain name": "domain",
        "industry": "industry",
        "number of employees": "numberofemployees",
        "company owner": "hubspot_owner_id",
        "hubspot owner": "hubspot_owner_id",
        "last modified date": "hs_lastmodifieddate",
        "object last modified date/time": "hs_lastmodifieddate",
        "country/region": "country",
    },
    "fields": {"account_id": {"first": ["hs_object_id", "companyId", "id"]}, "country": "country"},
    "properties": {
        "company": "name",
        "domain": "domain",
        "industry": "industry",
        "employees": "numberofemployees",
        "lifecycle": "@lifecycle",
        "owner": "@owner",
        "merged_ids": "@merged_ids",
    },
}

DEAL_ID = {"first": ["hs_object_id", "deal_id", "dealId", "id"]}
DEALS: Mapping[str, Any] = {
    "kind": "crm",
    "record": {
        "object": "deal",
        "id": DEAL_ID,
        "modified_at": at("hs_lastmodifieddate", "updatedAt"),
        "undated": "keep",
    },
    "aliases": {
        **RECORD,
        "deal id": "deal_id",
        "deal stage": "dealstage",
        "close date": "closedate",
        "amount": "amount",
        "currency": "deal_currency_code",
        "deal type": "dealtype",
        "closed lost reason": "closed_lost_reason",
        "is deal closed?": "hs_is_closed",
        "is closed won": "hs_is_closed_won",
        "is closed lost": "hs_is_closed_lost",
        "deal owner": "hubspot_owner_id",
        "last modified date": "hs_lastmodifieddate",
        "associated contact ids (primary)": "hs_contact_id",
    },
    "fields": {"crm_contact_id": "@contact", "account_id": "@company"},
    "properties": {
        "pipeline": {"first": [looked_up("dealstage", "pipeline"), "pipeline"]},
        "deal_stage": {"first": ["@deal_stage", looked_up("dealstage", "label"), "dealstage"]},
        "deal_type": "dealtype",
        "amount": "amount",
        "lost_reason": "closed_lost_reason",
        "original_source": "hs_analytics_source",
        "owner": "@owner",
        "merged_ids": "@merged_ids",
    },
    "events": [
        state("deal_created", "created", "createdate", "hs_createdate", "createdAt"),
        {
            "event": {
                "first": [
                    looked_up(
                        "@deal_stages.state",
                        "probability",
                        map=dict.fromkeys(WON_OR_LOST, ""),
                        default="deal_stage_entered",
                    ),
                    {"value": "deal_stage_entered"},
                ]
            },
            "each": "@deal_stages",
            "fields": {
                "occurred_at": at("@deal_stages.at"),
                "state": {
                    "first": ["@deal_stages.own", looked_up("@deal_stages.state", "label"), "@deal_stages.state"]
                },
            },
        },
        {
            "event": {
                "first": [
                    "@deal_closed",
                    looked_up(
                        "dealstage",
                        "probability",
                        map={key: f"deal_{end}" for key, end in WON_OR_LOST.items()},
                        default="",
                    ),
                ]
            },
            "fields": {
                "occurred_at": at("closedate"),
                "state": {"first": ["@outcome", looked_up("dealstage", "probability", map=WON_OR_LOST)]},
                "value": "amount",
                "currency": "deal_currency_code",
            },
        },
    ],
}

DEAL_HISTORY: Mapping[str, Any] = {
    "kind": "crm",
    "history": {"object": "deal", "id": {"first": ["hs_object_id", "deal_id"]}},
    "aliases": HISTORY,
    "fields": {
        "event": {
            "first": [
                "@deal_event",
                looked_up(
                    "@value", "probability", map=dict.fromkeys(WON_OR_LOST, "deal_closed"), default="deal_stage_entered"
                ),
                {"value": "deal_stage_entered"},
            ]
        },
        "occurred_at": CHANGED_AT,
        "crm_contact_id": "@contact",
        "state": {"first": ["@deal_state", looked_up("@value", "label"), "@value"]},
    },
    "properties": CHANGES,
}

TICKET_ID = {"first": ["hs_object_id", "hs_ticket_id", "id"]}
TICKETS: Mapping[str, Any] = {
    "kind": "crm",
    "record": {
        "object": "ticket",
        "id": TICKET_ID,
        "modified_at": at("hs_lastmodifieddate", "updatedAt"),
        "undated": "keep",
    },
    "aliases": {
        **RECORD,
        "ticket id": "hs_ticket_id",
        "ticket status": "hs_pipeline_stage",
        "close date": "closed_date",
        "last closed date": "hs_last_closed_date",
        "first agent email response date": "first_agent_reply_date",
        "first agent response date": "hs_first_agent_message_sent_at",
        "ticket reopen date": "hs_ticket_reopened_at",
        "category": "hs_ticket_category",
        "priority": "hs_ticket_priority",
        "source": "source_type",
        "time to close": "time_to_close",
        "number of touches": "hs_number_of_touches",
        "first contact resolution": "hs_is_one_touch_ticket",
        "ticket owner": "hubspot_owner_id",
        "last modified date": "hs_lastmodifieddate",
        "pipeline": "hs_pipeline",
    },
    "fields": {"crm_contact_id": "@contact", "account_id": "@company"},
    "properties": {
        "category": "hs_ticket_category",
        "origin": "source_type",
        "priority": "hs_ticket_priority",
        "pipeline": "hs_pipeline",
        "ticket_status": {"first": [looked_up("hs_pipeline_stage", "label"), "@ticket_status"]},
        "reopened": "@reopened",
        "touches": "hs_number_of_touches",
        "one_touch": "hs_is_one_touch_ticket",
        "time_to_close_ms": "@time_to_close_ms",
        "owner": "@owner",
        "merged_ids": "@merged_ids",
    },
    "events": [
        state("ticket_opened", "open", "createdate", "hs_createdate", "createdAt"),
        state("ticket_replied", "replied", "hs_first_agent_message_sent_at", "first_agent_reply_date"),
        {
            "event": "ticket_stage_entered",
            "each": "@ticket_stages",
            "fields": {
                "occurred_at": at("@ticket_stages.at"),
                "state": {"first": [looked_up("@ticket_stages.state", "label"), "@ticket_stages.state"]},
            },
        },
        state("ticket_reopened", "reopened", "hs_ticket_reopened_at"),
        state("ticket_closed", "closed", "closed_date", "hs_last_closed_date"),
    ],
}

TICKET_HISTORY: Mapping[str, Any] = {
    "kind": "crm",
    "history": {"object": "ticket", "id": {"first": ["hs_object_id", "ticket_id"]}},
    "aliases": HISTORY,
    "fields": {
        "event": "@ticket_event",
        "occurred_at": CHANGED_AT,
        "crm_contact_id": "@contact",
        "state": {"first": [looked_up("@value", "label"), "@ticket_state"]},
    },
    "properties": CHANGES,
}

ENGAGEMENTS: Mapping[str, Any] = {
    "kind": "crm",
    "record": {
        "object": "engagement",
        "id": {"first": ["hs_object_id", "engagement_id", "id"]},
        "modified_at": at("hs_lastmodifieddate", "lastUpdated", "updatedAt"),
        "undated": "keep",
    },
    "aliases": {
        **RECORD,
        "engagement id": "engagement_id",
        "activity type": "hs_engagement_type",
        "type": "type",
        "activity date": "hs_timestamp",
        "activity assigned to": "hubspot_owner_id",
        "call direction": "hs_call_direction",
        "call outcome": "hs_call_disposition",
        "call status": "hs_call_status",
        "call duration": "hs_call_duration",
        "email direction": "hs_email_direction",
        "email send status": "hs_email_status",
        "email status": "hs_email_status",
        "email from address": "hs_email_from_email",
        "email to address": "hs_email_to_email",
        "number of email opens": "hs_email_open_count",
        "number of email clicks": "hs_email_click_count",
        "number of email replies": "hs_email_reply_count",
        "meeting outcome": "hs_meeting_outcome",
        "meeting start time": "hs_meeting_start_time",
        "meeting end time": "hs_meeting_end_time",
        "task status": "hs_task_status",
        "task type": "hs_task_type",
        "due date": "hs_timestamp",
        "last modified date": "hs_lastmodifieddate",
    },
    "fields": {"object": "@kind", "crm_contact_id": "@contact", "account_id": "@company", "email": "@mail_address"},
    "properties": {
        "direction": "@direction",
        "outcome": "@engagement_outcome",
        "status": {"first": ["hs_call_status", "hs_email_status", "hs_task_status"]},
        "duration_ms": "hs_call_duration",
        "opens": "hs_email_open_count",
        "clicks": "hs_email_click_count",
        "replies": "hs_email_reply_count",
        "owner": "@owner",
    },
    "events": [
        {
            "event": {"from": "@engagement_event"},
            "fields": {"occurred_at": at("hs_meeting_start_time", "hs_timestamp", "hs_createdate", "createdAt")},
        }
    ],
}

FORM_SUBMISSIONS: Mapping[str, Any] = {
    "kind": "web",
    "aliases": {
        "conversion id": "conversionId",
        "conversion_id": "conversionId",
        "submission id": "conversionId",
        "conversion date": "submittedAt",
        "submission date": "submittedAt",
        "submitted at": "submittedAt",
        "submitted_at": "submittedAt",
        "timestamp": "timestamp",
        "conversion page": "pageUrl",
        "page url": "pageUrl",
        "page_url": "pageUrl",
        "conversion title": "pageTitle",
        "page title": "pageTitle",
        "form name": "form_name",
        "form": "form_name",
        "title": "title",
        "form id": "form_id",
        "formid": "form_id",
        "email": "email",
        "phone number": "phone",
        "contact id": "vid",
        "hutk": "hubspotutk",
    },
    "fields": {
        "event_id": "conversionId",
        "event": {"value": "form_submitted"},
        "occurred_at": at("submittedAt", "timestamp"),
        "crm_contact_id": "@contact",
        "email": "email",
        "phone": "phone",
        "anonymous_id": "hubspotutk",
        "url": "pageUrl",
        "title": "pageTitle",
    },
    "properties": {"form": {"first": ["form_name", "title", "form_id"]}, "form_id": "form_id"},
}

FEEDBACK: Mapping[str, Any] = {
    "kind": "crm",
    "aliases": {
        "record id": "hs_object_id",
        "submission id": "hs_object_id",
        "survey type": "hs_survey_type",
        "survey name": "hs_survey_name",
        "survey id": "hs_survey_id",
        "source": "hs_survey_channel",
        "survey channel": "hs_survey_channel",
        "date": "hs_submission_timestamp",
        "submission date": "hs_submission_timestamp",
        "response date": "hs_submission_timestamp",
        "rating": "hs_value",
        "sentiment": "hs_response_group",
        "feedback sentiment": "hs_response_group",
        "response group": "hs_response_group",
        "contact id": "hs_contact_id",
        "associated contact ids": "associated_contact_ids",
        "email": "email",
        "contact email": "hs_contact_email_rollup",
        "ticket id": "hs_ticket_id",
    },
    "fields": {
        "event_id": {"first": ["hs_object_id", "id"]},
        "event": {"value": "survey_answered"},
        "occurred_at": at("hs_submission_timestamp", "hs_createdate", "createdAt"),
        "crm_contact_id": "@contact",
        "email": {"first": ["hs_contact_email_rollup", "email"]},
        "object": {"value": "survey"},
        "record_id": {"first": ["hs_object_id", "id"]},
    },
    "properties": {
        "survey": "@survey",
        "score": "@score",
        "survey_name": "hs_survey_name",
        "survey_channel": "hs_survey_channel",
        "response_group": "hs_response_group",
        "ticket_id": "hs_ticket_id",
    },
}

CONVERSATIONS: Mapping[str, Any] = {
    "kind": "crm",
    "record": {
        "object": "conversation",
        "id": {"first": ["id", "threadId", "hs_object_id"]},
        "modified_at": at("latestMessageTimestamp", "updatedAt"),
        "undated": "keep",
    },
    "aliases": {
        "thread id": "threadId",
        "conversation id": "threadId",
        "created at": "createdAt",
        "create date": "createdAt",
        "closed at": "closedAt",
        "close date": "closedAt",
        "latest message timestamp": "latestMessageTimestamp",
        "first response date": "first_response_at",
        "first agent response date": "first_response_at",
        "channel": "channel",
        "original channel": "originalChannelId",
        "status": "status",
        "associated contact id": "associatedcontactid",
        "associatedcontactid": "associatedcontactid",
        "associated contact ids": "associated_contact_ids",
        "contact id": "vid",
        "email": "email",
        "inbound messages": "inbound_messages",
        "outbound messages": "outbound_messages",
    },
    "fields": {"crm_contact_id": "@contact", "email": "email", "anonymous_id": "hubspotutk"},
    "properties": {
        "channel": {"first": ["channel", "originalChannelId"]},
        "conversation_status": "status",
        "inbound_messages": "inbound_messages",
        "outbound_messages": "outbound_messages",
    },
    "events": [
        {
            "event": {"from": "@conversation_event"},
            "fields": {"occurred_at": at("createdAt"), "state": {"value": "started"}},
        },
        state("chat_answered", "answered", "first_response_at"),
    ],
}

MERGES: Mapping[str, Any] = {
    "kind": "crm",
    "record": {"object": "merge", "id": "@merge", "modified_at": at("timestamp", "merged_at")},
    "aliases": {
        "object type": "object_type",
        "primary object id": "primary_object_id",
        "primaryobjectid": "primary_object_id",
        "object id to merge": "object_id_to_merge",
        "objectidtomerge": "object_id_to_merge",
        "merged record id": "merged_id",
        "surviving record id": "merged_into",
        "canonical-vid": "canonical_vid",
        "vid-to-merge": "vid_to_merge",
        "merged at": "merged_at",
    },
    "fields": {"crm_contact_id": "@merged_contact"},
    "properties": {"merged_object": "@merged_object", "merged_id": "@merged_id", "merged_into": "@merged_into"},
}

MARKS = {
    "contacts": (
        ("Record ID", "Email", "Lifecycle Stage"),
        ("Contact ID", "Email"),
        ("hs_object_id", "email", "lifecyclestage"),
    ),
    "contact_history": (
        ("contactId", "property", "value", "timestamp"),
        ("Contact ID", "Property Name", "Value", "Timestamp"),
    ),
    "companies": (
        ("Record ID", "Company Domain Name"),
        ("Company ID", "Company Domain Name"),
        ("hs_object_id", "domain", "name"),
    ),
    "deals": (("Record ID", "Deal Stage"), ("Deal ID", "Deal Stage", "Amount"), ("hs_object_id", "dealstage")),
    "deal_stages": (("deal_id", "value", "date_entered"),),
    "tickets": (("Record ID", "Ticket status"), ("Ticket ID", "Ticket status"), ("hs_object_id", "hs_pipeline_stage")),
    "engagements": (("Record ID", "Activity date"), ("hs_object_id", "hs_timestamp")),
    "form_submissions": (("Conversion Date", "Conversion Page"), ("conversionId", "submittedAt", "pageUrl")),
    "feedback": (("Survey name", "Survey type", "Rating"), ("hs_object_id", "hs_survey_type", "hs_value")),
    "conversations": (("id", "originalChannelId", "associatedContactId"),),
    "merges": (("canonical_vid", "vid_to_merge"), ("deal_id", "merged_deal_id")),
}

HUBSPOT = Native(
    name="hubspot",
    version=1,
    reads=("csv", "ndjson", "parquet"),
    mappings={
        "contacts": CONTACTS,
        "contact_history": CONTACT_HISTORY,
        "companies": COMPANIES,
        "deals": DEALS,
        "deal_stages": DEAL_HISTORY,
        "tickets": TICKETS,
        "ticket_history": TICKET_HISTORY,
        "engagements": ENGAGEMENTS,
        "form_submissions": FORM_SUBMISSIONS,
        "feedback": FEEDBACK,
        "conversations": CONVERSATIONS,
        "merges": MERGES,
    },
    derived={name: columns for name, (columns, _) in {**COMPUTED, **STAGE_LISTS}.items()},
    derive=derive,
    marks=MARKS,
)

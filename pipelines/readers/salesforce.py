"""Salesforce: its objects as Data Loader, the weekly export or a report write them, with API names or labels as headers."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from pipelines.readers.native import Native
from transforms.canonical import salesforce_id
from transforms.distinct import per_distinct

SHORT_ID = r"^[A-Za-z0-9]{15}$"
ID = r"^[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?$"
NO_ID = "^0{15}(?:AAA)?$"

CONTACT, LEAD, ACCOUNT, DEAL, TICKET = "003", "00Q", "001", "006", "500"

WON, LOST = ("closed won", "won"), ("closed lost", "lost")
YES, NO = ("true", "1", "yes"), ("false", "0", "no")
NEVER_DONE = ("cancelled", "canceled", "deferred", "not held", "no show")
QUALIFIED = r"(?i)\b(?:qualified|mql|sql|sal)\b"
UNQUALIFIED = r"(?i)\b(?:un|dis|not |non-?)\s?qualified\b"
INBOUND_MAIL = r"(?i)\[in\]|<<|^\s*(?:reply|replied)\b"
CONNECTED = r"(?i)^(?:connected|answered|spoke|conversation|talked|meaningful)"


# ---------------------------------------------------------------- computed columns


def said(column: str) -> pl.Expr:
    """The text of a column, trimmed; empty text is none."""
    text = pl.col(f"raw:{column}").str.strip_chars()
    return pl.when(text != "").then(text)


def first_of(*columns: str) -> pl.Expr:
    """The text of the first of several columns that has one."""
    return pl.coalesce([said(column) for column in columns])


def is_any(text: pl.Expr, values: tuple[str, ...]) -> pl.Expr:
    """True where the text is one of the values, whatever its case; never null."""
    return text.str.to_lowercase().is_in(values).fill_null(False)


def record_id(column: str) -> pl.Expr:
    """An id with its three check characters; one that is no Salesforce id stays as it is, the empty one is none."""
    given = said(column)
    given = pl.when(~given.str.contains(NO_ID)).then(given)
    short = pl.when(given.str.contains(SHORT_ID)).then(given)
    return pl.coalesce(per_distinct(short, salesforce_id), given)


def id_of(prefix: str, *columns: str) -> pl.Expr:
    """The first id with this key prefix: which object an id names is told by its first three characters."""
    ids = [record_id(column) for column in columns]
    return pl.coalesce([pl.when(one.str.starts_with(prefix) & one.str.contains(ID)).then(one) for one in ids])


def outcome_of_deal() -> pl.Expr:
    """won, lost, or null for a deal that is open: as IsWon and IsClosed say, else the forecast category, else the stage."""
    stage, category = said("StageName"), first_of("ForecastCategory", "ForecastCategoryName")
    is_won, is_closed = said("IsWon"), said("IsClosed")
    told = (
        pl.when(is_any(is_won, YES)).then(pl.lit("won"))
        .when(is_any(is_closed, YES)).then(pl.when(is_won.is_null() & is_any(stage, WON)).then(pl.lit("won")).otherwise(pl.lit("lost")))
    )  # fmt: skip
    by_stage = (
        pl.when(is_any(stage, WON) | is_any(category, ("closed",))).then(pl.lit("won"))
        .when(is_any(stage, LOST)).then(pl.lit("lost"))
    )  # fmt: skip
    return pl.when(is_won.is_null() & is_closed.is_null()).then(by_stage).otherwise(told)


def company_name() -> pl.Expr:
    """The name of a company; that of a person (a person account) is not kept."""
    is_person = is_any(said("IsPersonAccount"), YES) | said("PersonContactId").is_not_null()
    return pl.when(~is_person).then(said("Name"))


def domain() -> pl.Expr:
    """The host of a company's website."""
    return said("Website").str.to_lowercase().str.extract(r"^(?:[a-z]+://)?(?:www\.)?([^/?#:@\s]+\.[^/?#:@\s]+)")


# Histories: OpportunityHistory holds all fields as they then were, the others hold one changed field a row.


def changed_field() -> pl.Expr:
    """The name of the field that a row of a history tells of; none where the row holds the whole state."""
    return said("Field").replace("created", "creation")


def new_state(field: str, column: str) -> pl.Expr:
    """The value that the field took, null for a row that tells of another field."""
    named = changed_field()
    of_field = is_any(named, (field.lower(), field.removesuffix("Name").lower()))
    whole = pl.when(named.is_null()).then(said(column))
    return pl.when(of_field).then(said("NewValue")).otherwise(whole)


def state_of(field: str, column: str) -> pl.Expr:
    """The state that was entered, or the name of the field that changed; of such a one no value is kept."""
    return pl.coalesce(new_state(field, column), changed_field(), pl.lit(column))


def deal_history_event() -> pl.Expr:
    """A stage was entered, the deal was closed, or something else changed.

    Rows of a report that name the stage before tell when none was entered.
    """
    stage, before = new_state("StageName", "StageName"), said("FromStage")
    category = first_of("ForecastCategory", "ForecastCategoryName")
    is_closed = is_any(stage, (*WON, *LOST)) | (changed_field().is_null() & is_any(category, ("closed",)))
    stays = (stage == before).fill_null(False)
    return (
        pl.when(stage.is_null() | stays).then(pl.lit("deal_property_changed"))
        .when(is_closed).then(pl.lit("deal_closed"))
        .otherwise(pl.lit("deal_stage_entered"))
    )  # fmt: skip


def deal_history_state() -> pl.Expr:
    """The stage, or what changed instead."""
    is_other = deal_history_event() == "deal_property_changed"
    other = pl.coalesce(changed_field(), pl.lit("Amount"))
    return pl.when(is_other).then(other).otherwise(new_state("StageName", "StageName"))


def lead_history_event() -> pl.Expr:
    """lead_qualified for a status that says so, lead_stage_entered for another, lead_property_changed for another field."""
    status = new_state("Status", "Status")
    is_qualified = status.str.contains(QUALIFIED) & ~status.str.contains(UNQUALIFIED)
    return (
        pl.when(status.is_null()).then(pl.lit("lead_property_changed"))
        .when(is_qualified).then(pl.lit("lead_qualified"))
        .otherwise(pl.lit("lead_stage_entered"))
    )  # fmt: skip


def case_history_event() -> pl.Expr:
    """ticket_escalated, ticket_reopened, ticket_assigned, ticket_stage_entered, or ticket_property_changed."""
    status, before, field = new_state("Status", "Status"), said("OldValue"), changed_field()
    escalated = is_any(field, ("isescalated", "escalated")) & is_any(said("NewValue"), YES)
    return (
        pl.when(escalated | is_any(status, ("escalated",))).then(pl.lit("ticket_escalated"))
        .when(is_any(field, ("owner", "ownerid", "case owner"))).then(pl.lit("ticket_assigned"))
        .when(status.is_null()).then(pl.lit("ticket_property_changed"))
        .when(is_any(before, ("closed",)) & ~is_any(status, ("closed",))).then(pl.lit("ticket_reopened"))
        .otherwise(pl.lit("ticket_stage_entered"))
    )  # fmt: skip


# Campaigns and activities


def member_answer() -> pl.Expr:
    """What a member did in answer to a campaign, by the member's status and the type of campaign; null where the type decides."""
    status = said("Status").str.to_lowercase()
    kind = said("CampaignType").str.to_lowercase()

    def says(words: str) -> pl.Expr:
        return status.str.contains(words).fill_null(False)

    is_webinar = kind.str.contains("webinar").fill_null(False)
    is_event = kind.str.contains("event|conference|trade ?show|seminar").fill_null(False)
    is_mail = kind.str.contains("mail").fill_null(False)
    return (
        pl.when(kind.is_null() & says("attend|regist")).then(None)
        .when(is_webinar & says("attend") & ~says("not|no.show")).then(pl.lit("webinar_attended"))
        .when(is_webinar & says("regist")).then(pl.lit("webinar_registered"))
        .when(is_event & says("attend") & ~says("not|no.show")).then(pl.lit("event_attended"))
        .when(says("download")).then(pl.lit("content_downloaded"))
        .when(says("click")).then(pl.lit("email_clicked"))
        .when(says("open") & is_mail).then(pl.lit("email_opened"))
        .when(says("repl") & is_mail).then(pl.lit("email_replied"))
        .otherwise(pl.lit("campaign_responded"))
    )  # fmt: skip


def member_added() -> pl.Expr:
    """What putting a member on a campaign meant: a mail was sent, or no more than that; null where the type decides."""
    kind, status = said("CampaignType").str.to_lowercase(), said("Status").str.to_lowercase()
    is_mail = kind.str.contains("mail").fill_null(False) & ~kind.str.contains("direct").fill_null(False)
    is_sent = status.str.contains(r"^(?:e-?mail )?sent").fill_null(False) & kind.is_null()
    bounced = status.str.contains("bounce").fill_null(False)
    mail = pl.when(bounced).then(pl.lit("email_bounced")).otherwise(pl.lit("email_sent"))
    return pl.when(is_mail | is_sent).then(mail).when(kind.is_not_null()).then(pl.lit("campaign_joined"))


def kind_of_task() -> pl.Expr:
    """call, email, meeting or task, as subtype, type and call fields say."""
    subtype, named = said("TaskSubtype").str.to_lowercase(), said("Type").str.to_lowercase()
    calls = pl.any_horizontal(
        said(column).is_not_null() for column in ("CallType", "CallDisposition", "CallDurationInSeconds")
    )

    def says(word: str) -> pl.Expr:
        return (subtype.str.contains(word) | named.str.contains(word)).fill_null(False)

    return (
        pl.when(says("call") | calls).then(pl.lit("call"))
        .when(says("mail")).then(pl.lit("email"))
        .when(says("meeting|demo|presentation")).then(pl.lit("meeting"))
        .otherwise(pl.lit("task"))
    )  # fmt: skip


def task_event() -> pl.Expr:
    """The event that a task is; null for one that is open, for a plain to-do, and for what concerns nobody."""
    is_open = is_any(said("IsClosed"), NO) | (
        said("IsClosed").is_null() & ~is_any(said("Status").fill_null("completed"), ("completed", "closed", "done"))
    )
    kind, answered = kind_of_task(), said("CallDisposition").str.contains(CONNECTED).fill_null(False)
    inbound = is_any(said("CallType"), ("inbound",))
    call = pl.when(answered | inbound).then(pl.lit("call_answered")).otherwise(pl.lit("call_made"))
    came_in = said("Subject").str.contains(INBOUND_MAIL).fill_null(False) | is_any(said("Incoming"), YES)
    mail = pl.when(came_in).then(pl.lit("email_replied")).otherwise(pl.lit("email_sent"))
    named = (
        pl.when(kind == "call").then(call)
        .when(kind == "email").then(mail)
        .when(kind == "meeting").then(pl.lit("meeting_held"))
    )  # fmt: skip
    is_off = is_any(said("Status"), NEVER_DONE)
    return pl.when(~is_open & ~is_off & concerns_somebody()).then(named)


def concerns_somebody() -> pl.Expr:
    """True where an activity names a contact or a lead."""
    return pl.coalesce(id_of(CONTACT, "WhoId"), id_of(LEAD, "WhoId")).is_not_null()


def task_time() -> pl.Expr:
    """When a task was done: the instant of its completion, unless its date says another day (it was logged later)."""
    done, day = said("CompletedDateTime"), said("ActivityDate")
    days = [one.str.head(10).str.to_date("%Y-%m-%d", strict=False) for one in (done, day)]
    is_near = (days[0] - days[1]).dt.total_days().abs() <= 1
    return pl.when(is_near.fill_null(day.is_null())).then(done).otherwise(pl.coalesce(day, done, said("CreatedDate")))


def meeting_event() -> pl.Expr:
    """meeting_held, or call_made for a call in the calendar; null for what was called off, and for what concerns nobody."""
    kind = first_of("Type", "EventSubtype").str.to_lowercase()
    is_call = kind.str.contains("call").fill_null(False)
    is_off = is_any(first_of("Status", "Outcome"), NEVER_DONE)
    held = pl.when(is_call).then(pl.lit("call_made")).otherwise(pl.lit("meeting_held"))
    return pl.when(~is_off & concerns_somebody()).then(held)


def ids(**columns: str) -> dict[str, tuple[tuple[str, ...], pl.Expr]]:
    """Computed ids, each of one column."""
    return {f"@{name}": ((column,), record_id(column)) for name, column in columns.items()}


OF_DEALS = ("StageName", "ForecastCategory", "ForecastCategoryName", "IsWon", "IsClosed")
OF_CHANGES = ("Field", "OldValue", "NewValue")
OF_DEAL_CHANGES = (*OF_CHANGES, "StageName", "FromStage", "ForecastCategory", "ForecastCategoryName")
OF_STATUS_CHANGES = (*OF_CHANGES, "Status")
OF_MEMBERS = ("Status", "CampaignType")
OF_TASKS = (
    "TaskSubtype", "Type", "CallType", "CallDisposition", "CallDurationInSeconds", "IsClosed", "Status", "Subject", "Incoming",
    "WhoId",
)  # fmt: skip
OF_MEETINGS = ("Type", "EventSubtype", "Status", "Outcome", "WhoId")
COMPUTED: dict[str, tuple[tuple[str, ...], pl.Expr]] = {
    **ids(
        id="Id", master="MasterRecordId", account="AccountId", contact="ContactId", lead="LeadId", parent="ParentId",
        owner="OwnerId", campaign="CampaignId", opportunity="OpportunityId", case="CaseId", person_contact="PersonContactId",
        converted_contact="ConvertedContactId", converted_account="ConvertedAccountId",
        converted_opportunity="ConvertedOpportunityId",
    ),
    "@deleted": (("IsDeleted",), pl.when(is_any(said("IsDeleted"), YES)).then(pl.lit("true"))),
    "@member_contact": (("ContactId", "LeadOrContactId"), id_of(CONTACT, "ContactId", "LeadOrContactId")),
    "@member_lead": (("LeadId", "LeadOrContactId"), id_of(LEAD, "LeadId", "LeadOrContactId")),
    "@who_contact": (("WhoId",), id_of(CONTACT, "WhoId")),
    "@who_lead": (("WhoId",), id_of(LEAD, "WhoId")),
    "@what_account": (("AccountId", "WhatId"), id_of(ACCOUNT, "AccountId", "WhatId")),
    "@what_deal": (("WhatId",), id_of(DEAL, "WhatId")),
    "@what_ticket": (("WhatId",), id_of(TICKET, "WhatId")),
    "@company": (("Name", "IsPersonAccount", "PersonContactId"), company_name()),
    "@domain": (("Website",), domain()),
    "@outcome": (OF_DEALS, outcome_of_deal()),
    "@deal_closed": (OF_DEALS, pl.lit("deal_") + outcome_of_deal()),
    "@deal_open": (OF_DEALS, pl.when(outcome_of_deal().is_null()).then(pl.lit("deal_stage_entered"))),
    "@deal_event": (OF_DEAL_CHANGES, deal_history_event()),
    "@deal_state": (OF_DEAL_CHANGES, deal_history_state()),
    "@lead_event": (OF_STATUS_CHANGES, lead_history_event()),
    "@lead_state": (OF_STATUS_CHANGES, state_of("Status", "Status")),
    "@case_event": (OF_STATUS_CHANGES, case_history_event()),
    "@case_state": (OF_STATUS_CHANGES, state_of("Status", "Status")),
    "@changed_field": (("Field",), changed_field()),
    "@member_answer": (OF_MEMBERS, member_answer()),
    "@member_added": (OF_MEMBERS, member_added()),
    "@kind": (OF_TASKS, kind_of_task()),
    "@task_event": (OF_TASKS, task_event()),
    "@task_at": (("CompletedDateTime", "ActivityDate", "CreatedDate"), task_time()),
    "@meeting_event": (OF_MEETINGS, meeting_event()),
}  # fmt: skip


def derive(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with all computed columns whose ingredients are there."""
    ready = {
        name: made
        for name, (columns, made) in COMPUTED.items()
        if all(f"raw:{column}" in rows.columns for column in columns)
    }
    return rows.with_columns(made.alias(f"raw:{name}") for name, made in ready.items())


# ---------------------------------------------------------------- mappings


def labelled(*columns: str, **labels: str) -> dict[str, str]:
    """Aliases of a table: its API names in any case, and the labels of reports (Lead_ID for "Lead ID", __ for /)."""
    named = {column.casefold(): column for column in columns}
    for label, column in labels.items():
        named |= {label.replace("__", slash).replace("_", " ").casefold(): column for slash in ("/", " / ")}
    return named


def looked_up(lookup: str, key: str, get: str) -> dict[str, Any]:
    """What a lookup file says, where journey.yaml gives one."""
    return {"lookup": lookup, "key": key, "get": get}


def state(event: Any, name: Any, *columns: str, **more: Any) -> dict[str, Any]:
    """An event that is a dated state of a record."""
    fields = {"occurred_at": {"first": list(columns)}, "state": name if isinstance(name, Mapping) else {"value": name}}
    return {"event": event, "fields": fields, **more}


def record(name: str, **more: Any) -> dict[str, Any]:
    """Versions of a record; the one modified last counts."""
    return {
        "object": name,
        "id": "@id",
        "modified_at": {"first": ["SystemModstamp", "LastModifiedDate"]},
        "undated": "keep",
        **more,
    }


STAMPS = (
    "Id",
    "IsDeleted",
    "MasterRecordId",
    "CreatedDate",
    "SystemModstamp",
    "LastModifiedDate",
    "OwnerId",
    "CurrencyIsoCode",
)
DATES = {
    "Create_Date": "CreatedDate",
    "Created_Date": "CreatedDate",
    "Last_Modified_Date": "LastModifiedDate",
    "Last_Modified": "LastModifiedDate",
    "Deleted": "IsDeleted",
    "Master_Record_ID": "MasterRecordId",
    "Currency": "CurrencyIsoCode",
}
OF_RECORDS = {"owner": "@owner", "merged_into": "@master", "is_deleted": "@deleted"}

LEADS: Mapping[str, Any] = {
    "kind": "crm",
    "record": record("lead"),
    "aliases": labelled(
        *STAMPS, "Email", "Phone", "MobilePhone", "LeadSource", "Status", "Rating", "Industry", "NumberOfEmployees", "Title",
        "CountryCode", "Country", "IsConverted", "ConvertedDate", "ConvertedContactId", "ConvertedAccountId",
        "ConvertedOpportunityId", "QualifiedDate",
        **DATES, Lead_ID="Id", Email_Address="Email", Mobile="MobilePhone", Mobile_Phone="MobilePhone", Lead_Source="LeadSource",
        Lead_Status="Status", Converted="IsConverted", Converted_Date="ConvertedDate", Converted_Contact_ID="ConvertedContactId",
        Converted_Account_ID="ConvertedAccountId", Converted_Opportunity_ID="ConvertedOpportunityId",
        Qualified_Date="QualifiedDate", MQL_Date="QualifiedDate",
    )
    | {"qualified_date__c": "QualifiedDate", "mql_date__c": "QualifiedDate"},
    "fields": {
        "crm_lead_id": "@id",
        "crm_contact_id": "@converted_contact",
        "account_id": "@converted_account",
        "email": "Email",
        "phone": {"first": ["MobilePhone", "Phone"]},
        "country": {"first": ["CountryCode", "Country"]},
    },
    "properties": {
        **OF_RECORDS,
        "lead_source": "LeadSource",
        "lead_status": "Status",
        "rating": "Rating",
        "industry": "Industry",
        "employees": "NumberOfEmployees",
        "job_title": "Title",
        "deal_id": "@converted_opportunity",
    },
    "events": [
        state("lead_created", "created", "CreatedDate"),
        state("lead_qualified", "qualified", "QualifiedDate"),
        state("lead_converted", "converted", "ConvertedDate"),
    ],
}  # fmt: skip

HISTORY = {
    "Field__Event": "Field",
    "Field": "Field",
    "Edited_Field": "Field",
    "Old_Value": "OldValue",
    "New_Value": "NewValue",
    "Edit_Date": "CreatedDate",
    "Date": "CreatedDate",
    "Created_Date": "CreatedDate",
}
CHANGES = {"property": "@changed_field"}

LEAD_HISTORY: Mapping[str, Any] = {
    "kind": "crm",
    "history": {"object": "lead", "id": "@lead"},
    "aliases": labelled(
        "LeadId", "Field", "OldValue", "NewValue", "CreatedDate", "Status", **HISTORY, Lead_ID="LeadId"
    ),
    "fields": {"event": "@lead_event", "occurred_at": "CreatedDate", "crm_lead_id": "@lead", "state": "@lead_state"},
    "properties": CHANGES,
}

CONTACTS: Mapping[str, Any] = {
    "kind": "crm",
    "record": record("contact"),
    "aliases": labelled(
        *STAMPS, "AccountId", "Email", "Phone", "MobilePhone", "LeadSource", "Title", "Department", "MailingCountryCode",
        "MailingCountry", "HasOptedOutOfEmail",
        **DATES, Contact_ID="Id", Account_ID="AccountId", Email_Address="Email", Mobile="MobilePhone", Mobile_Phone="MobilePhone",
        Lead_Source="LeadSource", Mailing_Country="MailingCountry", Email_Opt_Out="HasOptedOutOfEmail",
    ),
    "fields": {
        "crm_contact_id": "@id",
        "account_id": "@account",
        "email": "Email",
        "phone": {"first": ["MobilePhone", "Phone"]},
        "country": {"first": ["MailingCountryCode", "MailingCountry"]},
    },
    "properties": {
        **OF_RECORDS,
        "lead_source": "LeadSource",
        "job_title": "Title",
        "department": "Department",
        "opted_out_of_email": "HasOptedOutOfEmail",
    },
    "events": [state("contact_created", "created", "CreatedDate")],
}  # fmt: skip

ACCOUNTS: Mapping[str, Any] = {
    "kind": "crm",
    "record": record("company"),
    "aliases": labelled(
        *STAMPS, "Name", "Type", "Industry", "NumberOfEmployees", "AnnualRevenue", "Website", "BillingCountryCode",
        "BillingCountry", "AccountSource", "Rating", "ParentId", "IsPersonAccount", "PersonContactId", "PersonEmail",
        "PersonMobilePhone",
        **DATES, Account_ID="Id", Account_Name="Name", Employees="NumberOfEmployees", Annual_Revenue="AnnualRevenue",
        Billing_Country="BillingCountry", Account_Source="AccountSource", Parent_Account_ID="ParentId",
        Is_Person_Account="IsPersonAccount",
    ),
    "fields": {
        "account_id": "@id",
        "crm_contact_id": "@person_contact",
        "email": "PersonEmail",
        "phone": "PersonMobilePhone",
    },
    "properties": {
        **OF_RECORDS,
        "company": "@company",
        "domain": "@domain",
        "account_type": "Type",
        "industry": "Industry",
        "employees": "NumberOfEmployees",
        "annual_revenue": "AnnualRevenue",
        "country": {"first": ["BillingCountryCode", "BillingCountry"]},
        "account_source": "AccountSource",
        "rating": "Rating",
        "parent_id": "@parent",
    },
}  # fmt: skip

OPPORTUNITIES: Mapping[str, Any] = {
    "kind": "crm",
    "record": record("deal"),
    "aliases": labelled(
        *STAMPS, "AccountId", "ContactId", "StageName", "Amount", "Probability", "CloseDate", "Type", "LeadSource", "IsClosed",
        "IsWon", "ForecastCategory", "ForecastCategoryName", "CampaignId", "LastStageChangeDate", "LossReason",
        "RecordType.Name",
        **DATES, Opportunity_ID="Id", Account_ID="AccountId", Contact_ID="ContactId", Primary_Contact_ID="ContactId",
        Stage="StageName", Close_Date="CloseDate", Lead_Source="LeadSource", Closed="IsClosed", Won="IsWon",
        Amount_Currency="CurrencyIsoCode", Forecast_Category="ForecastCategoryName", Campaign_ID="CampaignId",
        Opportunity_Type="Type", Last_Stage_Change_Date="LastStageChangeDate", Opportunity_Record_Type="RecordType.Name",
        Loss_Reason="LossReason", Lost_Reason="LossReason", Closed_Lost_Reason="LossReason", Reason_Lost="LossReason",
    )
    | {
        name: "LossReason"
        for name in ("loss_reason__c", "lost_reason__c", "closed_lost_reason__c", "reason_lost__c", "loss_reason", "lossreason__c")
    },
    "fields": {
        "crm_contact_id": {"first": ["@contact", looked_up("contact_roles", "@id", "ContactId")]},
        "account_id": "@account",
    },
    "properties": {
        **OF_RECORDS,
        "deal_stage": "StageName",
        "deal_type": "Type",
        "pipeline": "RecordType.Name",
        "amount": "Amount",
        "probability": "Probability",
        "lost_reason": "LossReason",
        "lead_source": "LeadSource",
        "campaign_id": "@campaign",
    },
    "events": [
        state("deal_created", "created", "CreatedDate"),
        state({"from": "@deal_open"}, {"from": "StageName"}, "LastStageChangeDate"),
        {
            "event": {"from": "@deal_closed"},
            "fields": {
                "occurred_at": "CloseDate",
                "state": "@outcome",
                "value": "Amount",
                "currency": "CurrencyIsoCode",
            },
        },
    ],
}  # fmt: skip

OPPORTUNITY_HISTORY: Mapping[str, Any] = {
    "kind": "crm",
    "history": {"object": "deal", "id": "@opportunity"},
    "aliases": labelled(
        "OpportunityId", "Field", "OldValue", "NewValue", "CreatedDate", "StageName", "ForecastCategory", "ForecastCategoryName",
        **HISTORY, Opportunity_ID="OpportunityId", To_Stage="StageName", Stage="StageName", From_Stage="FromStage",
        Last_Modified="CreatedDate", Last_Modified_Date="CreatedDate", To_Forecast_Category="ForecastCategory",
    ),
    "fields": {"event": "@deal_event", "occurred_at": "CreatedDate", "state": "@deal_state"},
    "properties": CHANGES,
}  # fmt: skip

CASES: Mapping[str, Any] = {
    "kind": "crm",
    "record": record("ticket"),
    "aliases": labelled(
        *STAMPS, "ContactId", "AccountId", "Status", "Origin", "Priority", "Reason", "Type", "IsEscalated", "IsClosed",
        "ClosedDate", "ParentId", "SuppliedEmail", "ContactEmail", "SuppliedPhone", "EscalatedDate", "FirstResponseDate",
        **DATES, Case_ID="Id", Contact_ID="ContactId", Account_ID="AccountId", Opened_Date="CreatedDate",
        Date__Time_Opened="CreatedDate", Closed_Date="ClosedDate", Date__Time_Closed="ClosedDate", Case_Origin="Origin",
        Case_Reason="Reason", Case_Type="Type", Escalated="IsEscalated", Web_Email="SuppliedEmail", Contact_Email="ContactEmail",
        Parent_Case_ID="ParentId", Date__Time_Escalated="EscalatedDate", Escalated_Date="EscalatedDate",
        First_Response_Date="FirstResponseDate", Date__Time_First_Response="FirstResponseDate",
    )
    | {
        "escalated_date__c": "EscalatedDate",
        "first_response_date__c": "FirstResponseDate",
        "first_response_time__c": "FirstResponseDate",
        "first_response__c": "FirstResponseDate",
    },
    "fields": {
        "crm_contact_id": "@contact",
        "account_id": "@account",
        "email": {"first": ["ContactEmail", "SuppliedEmail"]},
        "phone": "SuppliedPhone",
    },
    "properties": {
        **OF_RECORDS,
        "ticket_status": "Status",
        "origin": "Origin",
        "priority": "Priority",
        "category": {"first": ["Type", "Reason"]},
        "reason": "Reason",
        "escalated": "IsEscalated",
        "parent_id": "@parent",
    },
    "events": [
        state("ticket_opened", "open", "CreatedDate"),
        state("ticket_replied", "replied", "FirstResponseDate"),
        state("ticket_escalated", "escalated", "EscalatedDate"),
        state("ticket_closed", "closed", "ClosedDate"),
    ],
}  # fmt: skip

CASE_HISTORY: Mapping[str, Any] = {
    "kind": "crm",
    "history": {"object": "ticket", "id": "@case"},
    "aliases": labelled(
        "CaseId", "Field", "OldValue", "NewValue", "CreatedDate", "Status", **HISTORY, Case_ID="CaseId"
    ),
    "fields": {"event": "@case_event", "occurred_at": "CreatedDate", "state": "@case_state"},
    "properties": CHANGES,
}


def by_type(column: str, events: Mapping[str, str], *, default: str) -> dict[str, Any]:
    """The event that a column names, else the one of the campaign's type in the lookup `campaigns`."""
    found = {**looked_up("campaigns", "@campaign", "Type"), "map": dict(events), "default": default}
    return {"first": [column, found, {"value": default}]}


MEMBER_CAMPAIGN = {"first": ["CampaignName", looked_up("campaigns", "@campaign", "Name")]}
CAMPAIGN_MEMBERS: Mapping[str, Any] = {
    "kind": "crm",
    "record": record("campaign_member"),
    "aliases": labelled(
        *STAMPS, "CampaignId", "LeadId", "ContactId", "LeadOrContactId", "Status", "HasResponded", "FirstRespondedDate", "Type",
        **DATES, Member_ID="Id", Campaign_Member_ID="Id", Campaign_ID="CampaignId", Lead_ID="LeadId", Contact_ID="ContactId",
        Member_Status="Status", Campaign_Member_Status="Status", Responded="HasResponded",
        Member_First_Responded_Date="FirstRespondedDate", First_Responded_Date="FirstRespondedDate",
        Campaign_Name="CampaignName", Campaign_Type="CampaignType", Member_First_Associated_Date="CreatedDate",
    )
    | {"campaign.name": "CampaignName", "campaign.type": "CampaignType", "campaignname": "CampaignName"},
    "fields": {"crm_contact_id": "@member_contact", "crm_lead_id": "@member_lead", "account_id": "@account"},
    "properties": {
        "campaign": MEMBER_CAMPAIGN,
        "campaign_type": {"first": ["CampaignType", looked_up("campaigns", "@campaign", "Type")]},
        "campaign_id": "@campaign",
        "member_status": "Status",
        "is_deleted": "@deleted",
    },
    "events": [
        state(
            by_type("@member_added", {"Email": "email_sent"}, default="campaign_joined"), "added", "CreatedDate"
        ),
        state(
            by_type(
                "@member_answer",
                {
                    "Webinar": "webinar_attended", "Conference": "event_attended", "Trade Show": "event_attended",
                    "Seminar / Conference": "event_attended", "Event": "event_attended",
                },
                default="campaign_responded",
            ),
            "responded",
            "FirstRespondedDate",
        ),
    ],
}  # fmt: skip

ACTIVITY = {
    "fields": {
        "crm_contact_id": "@who_contact",
        "crm_lead_id": "@who_lead",
        "account_id": "@what_account",
    },
    "properties": {"owner": "@owner", "deal_id": "@what_deal", "ticket_id": "@what_ticket", "is_deleted": "@deleted"},
}
TASKS: Mapping[str, Any] = {
    "kind": "crm",
    "record": record("task"),
    "aliases": labelled(
        *STAMPS, "WhoId", "WhatId", "AccountId", "Subject", "Status", "Priority", "TaskSubtype", "Type", "CallType",
        "CallDisposition", "CallDurationInSeconds", "IsClosed", "ActivityDate", "CompletedDateTime", "Incoming",
        **DATES, Activity_ID="Id", Task_Subtype="TaskSubtype", Call_Type="CallType", Call_Result="CallDisposition",
        Call_Duration="CallDurationInSeconds", Date="ActivityDate", Due_Date="ActivityDate", Closed="IsClosed",
        Completed_Date__Time="CompletedDateTime", Company__Account_ID="AccountId", Account_ID="AccountId", Name_ID="WhoId",
        Related_To_ID="WhatId",
    ),
    "fields": {**ACTIVITY["fields"], "object": "@kind"},
    "properties": {
        **ACTIVITY["properties"],
        "direction": "CallType",
        "outcome": "CallDisposition",
        "status": "Status",
        "duration_seconds": "CallDurationInSeconds",
    },
    "events": [state({"from": "@task_event"}, "done", "@task_at")],
}  # fmt: skip

EVENTS: Mapping[str, Any] = {
    "kind": "crm",
    "record": record("meeting"),
    "aliases": labelled(
        *STAMPS, "WhoId", "WhatId", "AccountId", "Type", "EventSubtype", "Status", "Outcome", "StartDateTime",
        "ActivityDateTime", "ActivityDate", "EndDateTime", "DurationInMinutes",
        **DATES, Activity_ID="Id", Start="StartDateTime", Start_Date__Time="StartDateTime", Date="ActivityDate",
        Duration="DurationInMinutes", Company__Account_ID="AccountId", Account_ID="AccountId", Name_ID="WhoId",
        Related_To_ID="WhatId",
    )
    | {"meeting_outcome__c": "Outcome", "meeting_status__c": "Outcome"},
    "fields": ACTIVITY["fields"],
    "properties": {
        **ACTIVITY["properties"],
        "meeting_type": {"first": ["Type", "EventSubtype"]},
        "outcome": "Outcome",
        "duration_minutes": "DurationInMinutes",
    },
    "events": [
        state({"from": "@meeting_event"}, "held", "StartDateTime", "ActivityDateTime", "ActivityDate", future="wait")
    ],
}  # fmt: skip

MARKS = {
    "leads": (("Id", "LeadSource", "IsConverted"), ("Id", "ConvertedDate", "Status"), ("Lead ID", "Lead Source"), ("Lead ID", "Lead Status")),
    "lead_history": (("LeadId", "Field", "NewValue"), ("Lead ID", "Field / Event", "New Value")),
    "contacts": (("Id", "AccountId", "Email", "LastName"), ("Id", "AccountId", "Email", "SystemModstamp"), ("Contact ID", "Email", "Account ID")),
    "accounts": (("Id", "Name", "Industry", "SystemModstamp"), ("Id", "Name", "Website", "Industry"), ("Account ID", "Account Name", "Industry")),
    "opportunities": (
        ("Id", "StageName", "CloseDate", "AccountId"), ("Id", "StageName", "CloseDate", "IsWon"), ("Id", "StageName", "CloseDate", "Name"),
        ("Opportunity ID", "Stage", "Close Date"),
    ),
    "opportunity_history": (
        ("OpportunityId", "StageName", "CreatedDate"), ("OpportunityId", "Field", "NewValue"), ("Opportunity ID", "From Stage", "To Stage"),
    ),
    "cases": (("Id", "CaseNumber", "Status"), ("Id", "Origin", "ClosedDate"), ("Case ID", "Case Origin"), ("Case ID", "Opened Date")),
    "case_history": (("CaseId", "Field", "NewValue"), ("Case ID", "Field / Event", "New Value")),
    "campaign_members": (("CampaignId", "HasResponded"), ("CampaignId", "LeadOrContactId"), ("Campaign ID", "Member Status")),
    "tasks": (("Id", "WhoId", "TaskSubtype"), ("Id", "WhoId", "CallType"), ("Id", "WhoId", "IsClosed"), ("Activity ID", "Call Type")),
    "events": (("Id", "WhoId", "StartDateTime"), ("Id", "WhoId", "ActivityDateTime"), ("Id", "WhoId", "DurationInMinutes")),
}  # fmt: skip

SALESFORCE = Native(
    name="salesforce",
    version=1,
    reads=("csv", "ndjson", "parquet"),
    mappings={
        "leads": LEADS,
        "lead_history": LEAD_HISTORY,
        "contacts": CONTACTS,
        "accounts": ACCOUNTS,
        "opportunities": OPPORTUNITIES,
        "opportunity_history": OPPORTUNITY_HISTORY,
        "cases": CASES,
        "case_history": CASE_HISTORY,
        "campaign_members": CAMPAIGN_MEMBERS,
        "tasks": TASKS,
        "events": EVENTS,
    },
    derived={name: columns for name, (columns, _) in COMPUTED.items()},
    derive=derive,
    marks=MARKS,
)

"""HubSpot: what each table of an export becomes, in both kinds of headers."""

import json
import tempfile
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines import answers
from pipelines.cli import app
from pipelines.engines.local import LocalEngine
from pipelines.guess import guess
from pipelines.ingest import load_new_files
from pipelines.settings import read_configuration, workspace_at
from pipelines.warehouse import Warehouse
from transforms.canonical import keyed
from transforms.journey import Journey
from transforms.mapping import Source

KEY = b"key"
EVENTS = "SELECT event_id, event FROM raw.crm_events ORDER BY occurred_at, event_id"


@cache
def empty_warehouse():
    """The bytes of a warehouse without rows, made once."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Warehouse(Path(folder) / "empty.duckdb")
        with empty.opened():
            pass
        return empty.path.read_bytes()


class Portal:
    """A landing folder with exports of a portal whose clock shows Berlin time, and a warehouse."""

    def __init__(self, folder, *tables, **said):
        self.landing = folder / "landing"
        self.landing.mkdir(parents=True)
        self.warehouse = Warehouse(folder / "build.duckdb")
        self.warehouse.path.write_bytes(empty_warehouse())
        files = {table: f"{table}/*" for table in tables}
        self.source = Source.model_validate({"format": "hubspot", "files": files, "time_zone": "Europe/Berlin", **said})

    def put(self, table, name, *lines):
        path = self.landing / table / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return self

    def load(self):
        return load_new_files(
            self.warehouse,
            self.landing,
            {"crm": self.source},
            journey=Journey(currency="EUR", identity={"country": "DE"}),
            hmac_key=KEY,
        )

    def rows(self, query):
        return self.warehouse.query(query).rows()

    def outcomes(self):
        return [outcome for (outcome,) in self.rows("SELECT outcome FROM raw.row_outcomes ORDER BY file_id, row")]

    def properties(self, table="raw.crm_records"):
        return [json.loads(text) for (text,) in self.rows(f"SELECT properties FROM {table} ORDER BY ALL")]

    def kept(self):
        """Events and records, without where they came from."""
        names = {"raw.web_events": "event_id", "raw.crm_events": "event_id", "raw.crm_records": "object, record_id"}
        with self.warehouse.opened():
            return {
                name: self.warehouse.query(f"FROM {name} ORDER BY {key}").drop("file_id", "row").rows()
                for name, key in names.items()
            }

    def customers(self):
        """Resolve who is who and give events to customers; event ids by customer."""
        engine = LocalEngine(self.warehouse, read_configuration_of_nothing())
        with self.warehouse.opened():
            engine.identity()
            engine.timeline()
        told = self.rows("SELECT customer_id, event_id FROM core.events ORDER BY occurred_at, event_id")
        together = {}
        for customer, event_id in told:
            together.setdefault(customer, []).append(event_id)
        return sorted(together.values())


@cache
def read_configuration_of_nothing():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journey.yaml"
        path.write_text("preset: b2b\n", encoding="utf-8")
        return read_configuration(path)


def portal(tmp_path, table, *lines, **said):
    made = Portal(tmp_path, table, **said).put(table, "one.csv", *lines)
    assert made.load().problems == []
    return made


# ---------------------------------------------------------------- contacts

CONTACTS_LABELS = (
    "Record ID,First Name,Last Name,Email,Phone Number,Create Date,Lifecycle Stage,Became a Lead Date,"
    'Became an Opportunity Date,"Date entered ""Opportunity (Lifecycle Stage Pipeline)""",Last Modified Date,'
    "Primary Associated Company ID,Contact owner,Country/Region,Job Title,Lead Status,Original Traffic Source,First Page Seen,"
    "Merged Contact IDs,Merged vids with timestamps of a contact,Date entered current stage",
    "101,Ann,Lee,Ann@Shop.example,030 1234567,2026-01-05 09:00,Opportunity,2026-01-06 10:00,2026-01-31 12:30,2026-01-31 12:30,"
    "2026-02-01 08:00,900,Jane Doe,Germany,Buyer,Connected,Organic Search,https://www.acme.example/blog/?utm_source=x&e=a@b.c,"
    "111;222,111:1767900000000;222:1767900000001,2026-01-31 12:30",
)
CONTACTS_NAMES = (
    "hs_object_id,firstname,lastname,email,phone,createdate,lifecyclestage,hs_lifecyclestage_lead_date,"
    "hs_lifecyclestage_opportunity_date,hs_v2_date_entered_opportunity,lastmodifieddate,associatedcompanyid,hubspot_owner_id,"
    "country,jobtitle,hs_lead_status,hs_analytics_source,hs_analytics_first_url,hs_merged_object_ids,hs_calculated_merged_vids,"
    "hs_v2_date_entered_current_stage",
    "101,Ann,Lee,ann@shop.example,+49301234567,2026-01-05T08:00:00.000Z,opportunity,1767690000000,2026-01-31T11:30:00Z,1769859000000,"
    "2026-02-01T07:00:00.000Z,900,,Germany,Buyer,Connected,Organic Search,https://www.acme.example/blog/,111;222,"
    "111:1767900000000;222:1767900000001,2026-01-31T11:30:00Z",
)


def test_a_contact_is_a_record_and_its_dates_are_events(tmp_path):
    contacts = portal(tmp_path, "contacts", *CONTACTS_LABELS)

    assert contacts.rows(EVENTS) == [
        ("contact:101:created:2026-01-05T08:00:00.000000Z", "contact_created"),
        ("contact:101:lead:2026-01-06T09:00:00.000000Z", "lifecycle_stage_entered"),
        ("contact:101:opportunity:2026-01-31T11:30:00.000000Z", "lifecycle_stage_entered"),
    ]
    assert contacts.rows("SELECT object, record_id, crm_contact_id, email, phone, account_id FROM raw.crm_records") == [
        ("contact", "101", "101", keyed("ann@shop.example", KEY), keyed("+49301234567", KEY), "900"),
    ]
    assert contacts.properties() == [
        {
            "lifecycle": "opportunity", "lead_status": "Connected", "original_source": "Organic Search",
            "first_page": "https://www.acme.example/blog/", "job_title": "Buyer", "merged_ids": "111;222;111;222",
        }
    ]  # fmt: skip
    assert contacts.outcomes() == ["loaded"]


def test_labels_and_api_names_give_the_same_rows(tmp_path):
    labels = portal(tmp_path / "labels", "contacts", *CONTACTS_LABELS)
    names = portal(tmp_path / "names", "contacts", *CONTACTS_NAMES)

    assert labels.kept() == names.kept()


def test_names_addresses_and_owners_by_name_are_not_kept(tmp_path):
    contacts = portal(tmp_path, "contacts", *CONTACTS_LABELS)

    stored = str(contacts.kept())

    assert not [name for name in ("Ann", "Lee", "ann@", "Jane", "1234567", "a@b.c") if name in stored]


def test_columns_that_an_export_lacks_are_null_and_a_contact_without_dates_is_still_a_contact(tmp_path):
    contacts = portal(tmp_path, "contacts", "Record ID,Email", "101,ann@shop.example", "102,")

    assert contacts.outcomes() == ["loaded", "loaded"]
    assert contacts.rows("SELECT count(*) FROM raw.crm_events") == [(0,)]


def test_a_label_that_several_properties_share_does_not_keep_a_file_out(tmp_path):
    contacts = portal(
        tmp_path,
        "contacts",
        "Record ID,Opted out of email: News,Opted out of email: News,Create Date",
        "101,Yes,No,2026-01-05",
    )

    assert contacts.rows(EVENTS) == [("contact:101:created:2026-01-04T23:00:00.000000Z", "contact_created")]


def test_the_newest_version_of_a_contact_counts_whatever_the_order(tmp_path):
    header = "hs_object_id,createdate,lifecyclestage,lastmodifieddate"
    old = "101,2026-01-05T08:00:00Z,lead,2026-01-06T08:00:00Z"
    new = "101,2026-01-05T08:00:00Z,customer,2026-02-06T08:00:00Z"
    one = Portal(tmp_path / "one", "contacts").put("contacts", "a.csv", header, old, new, new)
    other = Portal(tmp_path / "other", "contacts").put("contacts", "a.csv", header, new)

    one.load()
    other.load()
    other.put("contacts", "b.csv", header, new, old).load()

    assert one.outcomes() == ["superseded", "loaded", "duplicate"]
    assert one.kept() == other.kept()
    assert one.properties() == [{"lifecycle": "customer"}]


# ---------------------------------------------------------------- histories

HISTORY = (
    "Contact ID,Property Name,Value,Timestamp,Source",
    "101,Lifecycle Stage,Lead,2026-01-06 10:00,FORM",
    "101,lifecyclestage,salesqualifiedlead,2026-01-20T09:00:00.000Z,CRM_UI",
    "101,jobtitle,Head of secrets,1768900000000,CRM_UI",
)


def test_the_history_of_a_contact_tells_its_lifecycle_and_which_other_properties_changed(tmp_path):
    history = portal(tmp_path, "contact_history", *HISTORY)

    assert history.rows("SELECT event_id, event, state, crm_contact_id FROM raw.crm_events ORDER BY occurred_at") == [
        ("contact:101:lead:2026-01-06T09:00:00.000000Z", "lifecycle_stage_entered", "lead", "101"),
        (
            "contact:101:salesqualifiedlead:2026-01-20T09:00:00.000000Z",
            "lifecycle_stage_entered",
            "salesqualifiedlead",
            "101",
        ),
        ("contact:101:jobtitle:2026-01-20T09:06:40.000000Z", "contact_property_changed", "jobtitle", "101"),
    ]
    assert "secrets" not in str(history.kept())


def test_a_state_that_a_record_and_its_history_tell_is_one_event(tmp_path):
    both = Portal(tmp_path, "contacts", "contact_history")
    both.put("contacts", "c.csv", *CONTACTS_LABELS).put("contact_history", "h.csv", *HISTORY[:2]).load()

    assert both.customers() == [
        [
            "contact:101:created:2026-01-05T08:00:00.000000Z",
            "contact:101:lead:2026-01-06T09:00:00.000000Z",
            "contact:101:opportunity:2026-01-31T11:30:00.000000Z",
        ]
    ]


# ---------------------------------------------------------------- companies


def test_a_company_is_a_record_and_nobody_s_event(tmp_path):
    companies = portal(
        tmp_path,
        "companies",
        "Record ID,Company name,Company Domain Name,Industry,Number of Employees,Lifecycle Stage,Create Date,Last Modified Date",
        "900,Acme,acme.example,RETAIL,50,Customer,2026-01-01 09:00,2026-02-01 09:00",
    )

    assert companies.rows("SELECT object, record_id, account_id FROM raw.crm_records") == [("company", "900", "900")]
    assert companies.properties() == [
        {"company": "Acme", "domain": "acme.example", "industry": "RETAIL", "employees": "50", "lifecycle": "customer"}
    ]
    assert companies.rows("SELECT count(*) FROM raw.crm_events") == [(0,)]


# ---------------------------------------------------------------- deals

DEALS_LABELS = (
    "Record ID,Deal Name,Deal Stage,Pipeline,Create Date,Close Date,Amount,Currency,Is Closed Won,Is closed lost,Closed Lost Reason,"
    'Associated Contact IDs,Associated Company IDs,Last Modified Date,"Date entered ""Qualified To Buy (Sales Pipeline)""",'
    '"Date entered ""Closed Won (Sales Pipeline)""","Date entered ""Trial (Sales Pipeline)"""',
    "7,Ann's kitchen,Closed Won,Sales Pipeline,2026-01-10 09:00,2026-01-20 12:00,1234.5,USD,true,false,,101;102,900,"
    "2026-01-21 09:00,2026-01-12 09:00,2026-01-20 12:00,2026-01-15 09:00",
    "8,Bob's,Closed Lost,Sales Pipeline,2026-01-11 09:00,2026-01-25 09:00,50,,No,Yes,Price,,900,2026-01-25 09:00,,,",
    "9,Open,Trial,Sales Pipeline,2026-01-12 09:00,2027-12-31 09:00,50,,No,No,,102,,2026-01-25 09:00,,,",
)
DEALS_NAMES = (
    "hs_object_id,dealname,dealstage,pipeline,createdate,closedate,amount,deal_currency_code,hs_is_closed_won,hs_is_closed_lost,"
    "closed_lost_reason,associated_contact_ids,associated_company_ids,hs_lastmodifieddate,hs_v2_date_entered_qualifiedtobuy,"
    "hs_v2_date_entered_closedwon,hs_v2_date_entered_Trial",
    "7,x,closedwon,Sales Pipeline,2026-01-10T08:00:00Z,2026-01-20T11:00:00Z,1234.5,USD,true,false,,101;102,900,"
    "2026-01-21T08:00:00Z,2026-01-12T08:00:00Z,2026-01-20T11:00:00Z,2026-01-15T08:00:00Z",
    "8,x,closedlost,Sales Pipeline,2026-01-11T08:00:00Z,2026-01-25T08:00:00Z,50,,false,true,Price,,900,2026-01-25T08:00:00Z,,,",
    "9,x,Trial,Sales Pipeline,2026-01-12T08:00:00Z,2027-12-31T08:00:00Z,50,,false,false,,102,,2026-01-25T08:00:00Z,,,",
)


def test_a_deal_is_created_goes_through_its_dated_stages_and_is_won_or_lost_at_its_close_date(tmp_path):
    deals = portal(tmp_path, "deals", *DEALS_LABELS)

    assert deals.rows(
        "SELECT event_id, event, crm_contact_id, account_id, value_minor, currency FROM raw.crm_events ORDER BY record_id, occurred_at"
    ) == [
        ("deal:7:created:2026-01-10T08:00:00.000000Z", "deal_created", "101", "900", None, None),
        ("deal:7:qualifiedtobuy:2026-01-12T08:00:00.000000Z", "deal_stage_entered", "101", "900", None, None),
        ("deal:7:Trial:2026-01-15T08:00:00.000000Z", "deal_stage_entered", "101", "900", None, None),
        ("deal:7:won:2026-01-20T11:00:00.000000Z", "deal_won", "101", "900", 123450, "USD"),
        ("deal:8:created:2026-01-11T08:00:00.000000Z", "deal_created", None, "900", None, None),
        ("deal:8:lost:2026-01-25T08:00:00.000000Z", "deal_lost", None, "900", 5000, "EUR"),
        ("deal:9:created:2026-01-12T08:00:00.000000Z", "deal_created", "102", None, None, None),
    ]
    assert {
        "pipeline": "Sales Pipeline",
        "deal_stage": "closedlost",
        "amount": "50",
        "lost_reason": "Price",
    } in deals.properties()
    assert "kitchen" not in str(deals.kept())


def test_labels_and_api_names_of_deals_give_the_same_rows(tmp_path):
    labels = portal(tmp_path / "labels", "deals", *DEALS_LABELS)
    names = portal(tmp_path / "names", "deals", *DEALS_NAMES)

    assert labels.kept() == names.kept()


def test_stages_of_any_alphabet_are_told_apart(tmp_path):
    deals = portal(
        tmp_path,
        "deals",
        'Record ID,Deal Stage,Is Closed Won,Close Date,"Date entered ""Демо (Продажи)""","Date entered ""Победа (Продажи)"""',
        "7,Победа,true,2026-01-20 12:00,2026-01-12 09:00,2026-01-20 12:00",
    )

    assert deals.rows("SELECT event, state FROM raw.crm_events ORDER BY occurred_at") == [
        ("deal_stage_entered", "Демо"), ("deal_won", "won"),
    ]  # fmt: skip


def test_the_contacts_of_a_deal_are_not_made_one_person(tmp_path):
    deals = portal(tmp_path, "deals", *DEALS_LABELS)

    assert sorted(len(events) for events in deals.customers()) == [1, 2, 4]


def test_a_lookup_of_stages_names_them_and_tells_which_ones_close_a_deal(tmp_path):
    deals = Portal(tmp_path, "deals", "deal_stages", lookups={"pipelines": {"file": "stages.csv", "key": "stage_id"}})
    (deals.landing / "stages.csv").write_text(
        "stage_id,label,pipeline,probability\n1001,Demo,New business,0.4\n1002,Gewonnen,New business,1.0\n"
    )
    deals.put(
        "deals", "d.csv",
        "hs_object_id,dealstage,createdate,closedate,amount,hs_v2_date_entered_1001,hs_v2_date_entered_1002",
        "7,1002,2026-01-10T08:00:00Z,2026-01-20T11:00:00Z,10,2026-01-12T08:00:00Z,2026-01-20T11:00:00Z",
    )  # fmt: skip
    deals.put(
        "deal_stages",
        "s.csv",
        "deal_id,value,date_entered",
        "7,1001,2026-01-12T08:00:00Z",
        "7,1002,2026-01-20T11:00:01Z",
    )

    deals.load()

    assert deals.rows("SELECT DISTINCT event_id, event FROM raw.crm_events ORDER BY event_id") == [
        ("deal:7:Demo:2026-01-12T08:00:00.000000Z", "deal_stage_entered"),
        ("deal:7:Gewonnen:2026-01-20T11:00:01.000000Z", "deal_closed"),
        ("deal:7:created:2026-01-10T08:00:00.000000Z", "deal_created"),
        ("deal:7:won:2026-01-20T11:00:00.000000Z", "deal_won"),
    ]


def test_the_stage_history_of_a_deal_belongs_to_the_contact_of_the_deal(tmp_path):
    deals = Portal(tmp_path, "deals", "deal_stages")
    deals.put("deals", "d.csv", "Record ID,Create Date,Associated Contact IDs", "7,2026-01-10 09:00,101")
    deals.put(
        "deal_stages",
        "s.csv",
        "Deal ID,Stage,Date entered",
        "7,Contract Sent,2026-01-15 09:00",
        "7,Closed Won,2026-01-16 09:00",
    )

    deals.load()

    assert deals.customers() == [
        [
            "deal:7:created:2026-01-10T08:00:00.000000Z",
            "deal:7:contractsent:2026-01-15T08:00:00.000000Z",
            "deal:7:closedwon:2026-01-16T08:00:00.000000Z",
        ]
    ]
    assert deals.rows("SELECT event FROM raw.crm_events ORDER BY occurred_at")[1:] == [
        ("deal_stage_entered",),
        ("deal_closed",),
    ]


# ---------------------------------------------------------------- tickets


def test_a_ticket_is_opened_answered_reopened_and_closed(tmp_path):
    tickets = portal(
        tmp_path,
        "tickets",
        "Ticket ID,Ticket status,Create date,First agent email response date,Ticket reopen date,Close date,Category,Source,Priority,"
        'Time to close,Associated Contact IDs,Last modified date,"Date entered ""Waiting on us (Support Pipeline)"""',
        "55,Closed,2026-01-05 09:00,2026-01-05 10:00,2026-01-07 09:00,2026-01-08 09:00,PRODUCT_ISSUE,EMAIL,HIGH,259200000,101,"
        "2026-01-08 09:00,2026-01-06 09:00",
    )

    assert tickets.rows("SELECT event, state FROM raw.crm_events ORDER BY occurred_at") == [
        ("ticket_opened", "open"), ("ticket_replied", "replied"), ("ticket_stage_entered", "Waiting on us"),
        ("ticket_reopened", "reopened"), ("ticket_closed", "closed"),
    ]  # fmt: skip
    assert tickets.properties() == [
        {
            "category": "PRODUCT_ISSUE", "origin": "EMAIL", "priority": "HIGH", "ticket_status": "Closed", "reopened": "true",
            "time_to_close_ms": "259200000",
        }
    ]  # fmt: skip


def test_the_history_of_tickets_names_their_states_by_label(tmp_path):
    history = portal(
        tmp_path, "ticket_history", "ticket_id,property,value,timestamp", "55,hs_pipeline_stage,3,2026-01-06T08:00:00Z"
    )

    assert history.rows(EVENTS) == [("ticket:55:Waiting on us:2026-01-06T08:00:00.000000Z", "ticket_stage_entered")]


# ---------------------------------------------------------------- engagements


@pytest.mark.parametrize(
    ("header", "row", "event"),
    [
        ("Call direction,Call outcome", "Outbound,Connected", "call_answered"),
        ("hs_call_direction,hs_call_disposition", "OUTBOUND,f240bbac-87c9-4f6e-bf70-924b57d47db7", "call_answered"),
        ("Call direction,Call outcome", "Outbound,No answer", "call_made"),
        ("hs_call_direction,hs_call_status", "INBOUND,COMPLETED", "call_answered"),
        ("hs_call_direction,hs_call_status", "INBOUND,NO_ANSWER", "call_made"),
        ("Email direction,Email send status", "Email,Sent", "email_sent"),
        ("hs_email_direction,hs_email_status", "EMAIL,BOUNCED", "email_bounced"),
        ("hs_email_direction,hs_email_status", "INCOMING_EMAIL,", "email_replied"),
        ("hs_engagement_type,hs_email_status", "INCOMING_EMAIL,", "email_replied"),
        ("hs_email_direction,hs_email_status", "FORWARDED_EMAIL,", None),
        ("hs_email_direction,hs_email_status", "EMAIL,DRAFT", None),
        ("Meeting outcome,Activity type", "Completed,Meeting", "meeting_held"),
        ("Meeting outcome,Activity type", "No show,Meeting", None),
        ("Activity type,Task status", "Note,", None),
        ("Activity type,Task status", "Task,Completed", None),
    ],
)
def test_an_engagement_is_the_event_that_took_place(tmp_path, header, row, event):
    made = portal(
        tmp_path,
        "engagements",
        f"Record ID,Activity date,Associated Contact IDs,{header}",
        f"1,2026-01-05 09:00,101,{row}",
    )

    assert [found for (found,) in made.rows("SELECT event FROM raw.crm_events")] == ([event] if event else [])
    assert made.outcomes() == ["loaded"]


def test_an_engagement_with_nobody_is_a_record_alone_and_a_mail_without_contact_is_known_by_its_address(tmp_path):
    made = portal(
        tmp_path,
        "engagements",
        "hs_object_id,hs_timestamp,associated_contact_ids,hs_email_direction,hs_email_from_email,hs_email_to_email,hs_call_direction",
        "1,2026-01-05T09:00:00Z,,,,,OUTBOUND",
        "2,2026-01-05T09:00:00Z,,INCOMING_EMAIL,ann@shop.example,us@acme.example,",
        "3,2026-01-05T09:00:00Z,,EMAIL,us@acme.example,ann@shop.example;bob@shop.example,",
        "4,2026-01-05T09:00:00Z,101,INCOMING_EMAIL,colleague@shop.example,us@acme.example,",
    )

    assert made.rows("SELECT object, record_id, crm_contact_id, email FROM raw.crm_events ORDER BY record_id") == [
        ("email", "2", None, keyed("ann@shop.example", KEY)),
        ("email", "4", "101", None),
    ]
    assert made.outcomes() == ["loaded"] * 4


# ---------------------------------------------------------------- forms, surveys, conversations


def test_a_form_ties_its_address_to_the_browser(tmp_path):
    forms = portal(
        tmp_path,
        "form_submissions",
        "Conversion ID,Conversion Date,Conversion Page,Form name,Email,hubspotutk,First Name",
        "c1,2026-01-05 09:00,https://www.acme.example/demo?utm_source=news&utm_medium=email&email=a@b.c,Demo,Ann@shop.example,u77,Ann",
    )

    assert forms.rows(
        "SELECT event_id, event, email, anonymous_id, hostname, path, utm_source, object FROM raw.web_events"
    ) == [
        ("c1", "form_submitted", keyed("ann@shop.example", KEY), "u77", "www.acme.example", "/demo", "news", None),
    ]
    assert forms.properties("raw.web_events") == [{"form": "Demo"}]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("NPS,9,PROMOTER", {"survey": "nps", "score": "9"}),
        ("Customer satisfaction (CSAT),2,PROMOTER", {"survey": "csat", "score": "5"}),
        ("CSAT,0,DETRACTOR", {"survey": "csat", "score": "1"}),
        ("CSAT,2,DETRACTOR", {"survey": "csat", "score": "2"}),
        ("CES,6.0,", {"survey": "ces", "score": "6"}),
    ],
)
def test_an_answer_tells_its_survey_and_score_and_not_what_was_written(tmp_path, row, told):
    feedback = portal(
        tmp_path,
        "feedback",
        "hs_object_id,hs_submission_timestamp,hs_contact_id,hs_contact_email_rollup,hs_content,hs_survey_type,hs_value,hs_response_group",
        f"s1,2026-01-05T09:00:00Z,101,ann@shop.example,Ann says hello,{row}",
    )

    assert feedback.rows("SELECT event_id, event, crm_contact_id, email, object FROM raw.crm_events") == [
        ("s1", "survey_answered", "101", keyed("ann@shop.example", KEY), "survey")
    ]
    assert told.items() <= feedback.properties("raw.crm_events")[0].items()
    assert "hello" not in str(feedback.kept())


def test_a_conversation_is_a_chat_unless_it_began_by_mail(tmp_path):
    threads = portal(
        tmp_path,
        "conversations",
        "id,createdAt,status,originalChannelId,associatedContactId,spam,first_response_at,inbound_messages,outbound_messages",
        "1,2026-01-05T09:00:00Z,CLOSED,1000,101,false,2026-01-05T09:02:00Z,3,2",
        "2,2026-01-05T09:00:00Z,OPEN,1002,101,false,,1,0",
        "3,2026-01-05T09:00:00Z,OPEN,1000,101,true,,1,0",
    )

    assert threads.rows("SELECT record_id, event FROM raw.crm_events ORDER BY record_id, occurred_at") == [
        ("1", "chat_started"), ("1", "chat_answered"), ("2", "conversation_started"),
    ]  # fmt: skip
    assert threads.properties()[0] == {
        "channel": "1000", "conversation_status": "CLOSED", "inbound_messages": "3", "outbound_messages": "2",
    }  # fmt: skip


# ---------------------------------------------------------------- merges


def test_a_merge_of_merged_contacts_is_one_customer_and_their_own_states_count_once(tmp_path):
    contacts = Portal(tmp_path, "contacts", "engagements")
    header = "hs_object_id,email,createdate,hs_merged_object_ids,lastmodifieddate"
    contacts.put("contacts", "old.csv", header, "111,ann@home.example,2026-01-01T09:00:00Z,,2026-01-02T09:00:00Z",
                 "112,ann@shop.example,2026-01-03T09:00:00Z,,2026-01-04T09:00:00Z")  # fmt: skip
    contacts.put("contacts", "later.csv", header, "222,ann@shop.example,2026-01-01T09:00:00Z,111;112,2026-01-10T09:00:00Z",
                 "333,al@shop.example,2026-01-05T09:00:00Z,,2026-01-06T09:00:00Z")  # fmt: skip
    contacts.put(
        "contacts", "last.csv", header, "444,ann@shop.example,2026-01-01T09:00:00Z,222;333,2026-01-20T09:00:00Z"
    )
    contacts.put(
        "engagements", "calls.csv", "hs_object_id,hs_timestamp,hs_call_direction,associated_contact_ids",
        "1,2026-01-02T09:00:00Z,OUTBOUND,111", "2,2026-01-30T09:00:00Z,OUTBOUND,444",
    )  # fmt: skip

    contacts.load()

    assert contacts.customers() == [
        [
            "contact:444:created:2026-01-01T09:00:00.000000Z",
            "call:1:call_made:2026-01-02T09:00:00.000000Z",
            "call:2:call_made:2026-01-30T09:00:00.000000Z",
        ]
    ]
    assert contacts.rows(
        "SELECT from_value, to_value, strength FROM core.identity_edges WHERE kind = 'merge' AND status = 'applied' ORDER BY ALL"
    ) == [("111", "222", 2), ("112", "222", 2), ("222", "444", 2), ("333", "444", 2)]


def test_a_merged_deal_does_not_count_beside_the_deal_it_became(tmp_path):
    header = "hs_object_id,dealstage,createdate,closedate,amount,associated_contact_ids,hs_merged_object_ids,hs_lastmodifieddate"
    deals = Portal(tmp_path, "deals", "deal_stages")
    deals.put(
        "deals", "old.csv", header, "7,closedwon,2026-01-01T09:00:00Z,2026-01-05T09:00:00Z,10,101,,2026-01-05T09:00:00Z"
    )
    deals.put(
        "deals",
        "new.csv",
        header,
        "9,closedwon,2026-01-01T09:00:00Z,2026-01-05T09:00:00Z,10,101,7;8,2026-01-09T09:00:00Z",
    )
    deals.put("deal_stages", "s.csv", "deal_id,value,date_entered", "8,contractsent,2026-01-03T09:00:00Z")

    deals.load()

    assert deals.customers() == [
        ["deal:9:created:2026-01-01T09:00:00.000000Z", "deal:9:won:2026-01-05T09:00:00.000000Z"]
    ]
    assert deals.rows("SELECT count(*) FROM core.identity_edges") == [(0,)]


def test_merges_that_are_exported_by_themselves_are_evidence_too(tmp_path):
    portal_ = Portal(tmp_path, "contacts", "deals", "merges")
    portal_.put("contacts", "c.csv", "hs_object_id,createdate", "111,2026-01-01T09:00:00Z", "222,2026-01-02T09:00:00Z")
    portal_.put("deals", "d.csv", "hs_object_id,createdate,associated_contact_ids", "7,2026-01-03T09:00:00Z,222",
                "8,2026-01-04T09:00:00Z,222")  # fmt: skip
    portal_.put("merges", "contacts.csv", "canonical_vid,vid_to_merge,timestamp", "222,111,1767900000000")
    portal_.put("merges", "deals.csv", "deal_id,merged_deal_id", "8,7")

    portal_.load()

    assert portal_.customers() == [
        ["contact:222:created:2026-01-02T09:00:00.000000Z", "deal:8:created:2026-01-04T09:00:00.000000Z"]
    ]


# ---------------------------------------------------------------- files


def test_objects_of_the_api_that_are_flat_give_the_same_rows_as_the_table(tmp_path):
    table = portal(tmp_path / "csv", "deals", *DEALS_NAMES)
    header, *rows = [line.split(",") for line in DEALS_NAMES]
    flat = Portal(tmp_path / "ndjson", "deals")
    lines = [json.dumps({name: value or None for name, value in zip(header, row, strict=True)}) for row in rows]

    flat.put("deals", "one.ndjson", *lines).load()

    assert flat.kept() == table.kept()


@pytest.mark.parametrize(
    ("lines", "table"),
    [
        (CONTACTS_LABELS, "contacts"),
        (CONTACTS_NAMES, "contacts"),
        (DEALS_LABELS, "deals"),
        (DEALS_NAMES, "deals"),
        (HISTORY, "contact_history"),
        (("Record ID,Company name,Company Domain Name,Lifecycle Stage", "900,Acme,acme.example,Lead"), "companies"),
        (("Record ID,Ticket name,Ticket status,Create date", "5,x,New,2026-01-05 09:00"), "tickets"),
    ],
)
def test_an_export_is_recognised_by_its_columns(tmp_path, lines, table):
    path = tmp_path / "export.csv"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    found = guess(path)

    assert (found.format, found.table) == ("hubspot", table)


def test_the_same_export_again_changes_nothing_and_every_book_balances(tmp_path):
    deals = portal(tmp_path, "deals", *DEALS_LABELS)
    before = deals.kept()

    again = deals.put("deals", "two.csv", *DEALS_LABELS, "").load()

    assert again.outcomes == {"blank": 1, "duplicate": 3}
    assert deals.kept() == before
    assert deals.rows("SELECT rows_in, (SELECT count(*) FROM raw.row_outcomes o WHERE o.file_id = f.file_id) FROM raw.files f ORDER BY 1") == [
        (3, 3), (4, 4),
    ]  # fmt: skip


# ---------------------------------------------------------------- the whole way

JOURNEY = """
preset: {preset}
landing: {{quiet: 0s}}
time_zone: Europe/Berlin
currency: EUR
sources:
  crm:
    format: hubspot
    time_zone: Europe/Berlin
    files:
      contacts: "contacts/*"
      contact_history: "contact_history/*"
      companies: "companies/*"
      deals: "deals/*"
      deal_stages: "deal_stages/*"
      engagements: "engagements/*"
      form_submissions: "form_submissions/*"
      feedback: "feedback/*"
"""


def whole_portal(folder, preset):
    """A workspace with most tables of a portal."""
    made = Portal(folder, "contacts")
    (folder / "journey.yaml").write_text(JOURNEY.format(preset=preset), encoding="utf-8")
    (folder / ".env").write_text("JOURNEYS_HMAC_KEY=test\n", encoding="utf-8")
    made.put("contacts", "c.csv", *CONTACTS_LABELS).put("contact_history", "h.csv", *HISTORY)
    made.put("companies", "c.csv", "Record ID,Company name", "900,Acme")
    made.put("deals", "d.csv", *DEALS_LABELS).put("deal_stages", "s.csv", "Deal ID,Stage,Date entered",
             "7,Qualified To Buy,2026-01-12 09:00", "7,Closed Won,2026-01-20 12:01")  # fmt: skip
    made.put("engagements", "e.csv", "Record ID,Activity date,Associated Contact IDs,Call direction,Call outcome",
             "1,2026-01-07 09:00,101,Outbound,Connected")  # fmt: skip
    made.put("form_submissions", "f.csv", "Conversion ID,Conversion Date,Conversion Page,Email,hubspotutk",
             "c1,2026-01-04 09:00,https://www.acme.example/demo,ann@shop.example,u77")  # fmt: skip
    made.put("feedback", "f.csv", "Record ID,Date,Survey type,Rating,Contact ID", "s1,2026-02-01 09:00,NPS,9,101")
    return made


@pytest.mark.parametrize(
    ("preset", "unmapped"),
    [
        ("b2b", ["contact_property_changed", "deal_closed", "lifecycle_stage_entered"]),
        ("saas", ["contact_property_changed", "deal_closed"]),
    ],
)
def test_the_presets_map_what_a_portal_exports(tmp_path, preset, unmapped):
    """The one unmapped lifecycle stage is that of a contact who was a customer already."""
    whole_portal(tmp_path, preset)

    findings = answers.check(workspace_at(tmp_path))

    assert findings["unmapped"]["events"] == unmapped
    assert findings["problems"] == []


def test_a_night_takes_a_portal_to_stages_and_revenue(tmp_path):
    whole_portal(tmp_path, "b2b")

    told = CliRunner().invoke(app, ["run", "--workspace", str(tmp_path)])

    assert told.exit_code == 0, told.output
    night = Warehouse(tmp_path / "warehouse" / "journeys.duckdb")
    ann = night.query(
        """
        SELECT event, state, stage FROM core.events
        WHERE customer_id IN (SELECT customer_id FROM core.identity_map WHERE value = '101') ORDER BY event_number
        """
    ).rows()
    assert ann == [
        ("form_submitted", None, "initial consideration"),
        ("contact_created", "created", "initial consideration"),
        ("lifecycle_stage_entered", "lead", "initial consideration"),
        ("call_answered", None, "initial consideration"),
        ("deal_created", "created", "active evaluation"),
        ("deal_stage_entered", "qualifiedtobuy", "active evaluation"),
        ("deal_stage_entered", "Trial", "purchase decision"),
        ("lifecycle_stage_entered", "salesqualifiedlead", "active evaluation"),
        ("contact_property_changed", "jobtitle", None),
        ("deal_won", "won", "purchase decision"),
        ("deal_closed", "closedwon", None),
        ("lifecycle_stage_entered", "opportunity", None),
        ("survey_answered", None, "loyalty"),
    ]
    assert night.query("SELECT sum(value_minor), count(*) FROM core.events WHERE event = 'deal_won'").rows() == [
        (123450, 1)
    ]

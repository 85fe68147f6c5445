"""Salesforce: what each table of an export becomes, in both kinds of headers."""

import json
import random

import polars as pl
import pytest
from typer.testing import CliRunner

from pipelines import answers
from pipelines.cli import app
from pipelines.guess import guess
from pipelines.settings import workspace_at
from pipelines.warehouse import Warehouse
from tests.pipelines.readers.landed import KEY, Landed, landed
from transforms.canonical import keyed

LEAD, LEAD_2 = "00Q5g00000AbCdEEA1", "00Q5g00000AbCdFEA1"
LEAD_SHORT, LEAD_LONG = "00Q5g00000AbCdE", "00Q5g00000AbCdEEAV"
CONTACT, CONTACT_2, CONTACT_3 = "0035g00000aaaAAAA1", "0035g00000aaaBBAA1", "0035g00000aaaCCAA1"
ACCOUNT, DEAL, CASE = "0015g00000AccAAAA1", "0065g00000OppAAAA1", "5005g00000CasAAAA1"
CAMPAIGN = "7015g00000CamAAAA1"


def export(tmp_path, table, *lines, **said):
    return landed(tmp_path, "salesforce", f"{table}/one.csv", *lines, **said)


# ---------------------------------------------------------------- leads

LEADS = (
    "Id,IsDeleted,MasterRecordId,LastName,FirstName,Company,Street,Email,Phone,MobilePhone,LeadSource,Status,Country,Description,"
    "IsConverted,ConvertedDate,ConvertedContactId,ConvertedAccountId,ConvertedOpportunityId,CreatedDate,SystemModstamp",
    f"{LEAD},false,,Lee,Ann,Ann Lee Ltd,1 High St,Ann@Shop.example,030 1234567,,Web,Closed - Converted,Germany,calls at night,"
    f"true,2026-01-19,{CONTACT},{ACCOUNT},{DEAL},2026-01-05T08:00:00.000Z,2026-01-20T09:00:00.000+0000",
)
LEADS_LABELS = (
    "Lead ID,Deleted,Last Name,First Name,Company / Account,Email,Phone,Mobile,Lead Source,Lead Status,Country,Converted,"
    "Converted Date,Converted Contact ID,Converted Account ID,Converted Opportunity ID,Create Date,Last Modified Date",
    f"{LEAD},0,Lee,Ann,Ann Lee Ltd,ann@shop.example,+49301234567,,Web,Closed - Converted,Germany,1,"
    f"19.01.2026,{CONTACT},{ACCOUNT},{DEAL},05.01.2026 09:00,20.01.2026 10:00",
)
GERMAN = {"time_zone": "Europe/Berlin", "time_formats": ["%d.%m.%Y %H:%M", "%d.%m.%Y"]}


def test_a_lead_is_a_record_and_its_dates_are_events(tmp_path):
    leads = export(tmp_path, "leads", *LEADS)

    assert leads.events("event_id", "event", "state", "time_precision", "crm_lead_id", "crm_contact_id") == [
        (f"lead:{LEAD}:created:2026-01-05T08:00:00.000000Z", "lead_created", "created", "instant", LEAD, CONTACT),
        (f"lead:{LEAD}:converted:2026-01-19T00:00:00.000000Z", "lead_converted", "converted", "day", LEAD, CONTACT),
    ]
    assert leads.rows("SELECT object, record_id, email, phone, account_id FROM raw.crm_records") == [
        ("lead", LEAD, keyed("ann@shop.example", KEY), keyed("+49301234567", KEY), ACCOUNT)
    ]
    assert leads.properties() == [{"lead_source": "Web", "lead_status": "Closed - Converted", "deal_id": DEAL}]
    assert leads.outcomes() == ["loaded"]


def test_labels_of_reports_and_api_names_in_any_case_give_the_same_rows(tmp_path):
    names = export(tmp_path / "names", "leads", *LEADS, time_zone="Europe/Berlin")
    loader = export(tmp_path / "loader", "leads", LEADS[0].upper(), LEADS[1], time_zone="Europe/Berlin")
    labels = export(tmp_path / "labels", "leads", *LEADS_LABELS, **GERMAN)

    assert names.kept() == loader.kept() == labels.kept()


def test_ndjson_and_parquet_give_the_same_rows_as_csv(tmp_path):
    header, line = (text.split(",") for text in LEADS)
    as_json = {name: value for name, value in zip(header, line, strict=True) if value}
    csv = export(tmp_path / "csv", "leads", *LEADS)
    ndjson = landed(tmp_path / "ndjson", "salesforce", "leads/one.ndjson", json.dumps(as_json))
    parquet = Landed(tmp_path / "parquet", "salesforce", "leads").put("leads/.keep")
    pl.DataFrame([as_json]).write_parquet(parquet.landing / "leads" / "one.parquet")

    assert csv.kept() == ndjson.kept() == parquet.load().kept()


def test_names_addresses_and_descriptions_are_not_kept(tmp_path):
    stored = str(export(tmp_path, "leads", *LEADS).kept())

    assert not [word for word in ("Lee", "Ann", "High St", "night", "@", "1234567") if word in stored]


def test_ids_of_15_characters_are_those_of_18(tmp_path):
    short = export(
        tmp_path / "short", "leads", "Id,CreatedDate,ConvertedContactId", f"{LEAD_SHORT},2026-01-05,0035g00000aaaAA"
    )
    long = export(
        tmp_path / "long", "leads", "Id,CreatedDate,ConvertedContactId", f"{LEAD_LONG},2026-01-05,0035g00000aaaAAAAY"
    )

    assert short.rows("SELECT crm_lead_id, crm_contact_id, record_id FROM raw.crm_records") == [
        (LEAD_LONG, "0035g00000aaaAAAAY", LEAD_LONG)
    ]
    assert long.rows("SELECT crm_lead_id FROM raw.crm_records") == [(LEAD_LONG,)]


def test_the_empty_id_names_nobody(tmp_path):
    leads = export(tmp_path, "leads", "Id,CreatedDate,ConvertedContactId", f"{LEAD},2026-01-05,000000000000000AAA")

    assert leads.rows("SELECT crm_contact_id FROM raw.crm_records") == [(None,)]


def test_a_conversion_makes_lead_and_contact_one_customer(tmp_path):
    both = Landed(tmp_path, "salesforce", "leads", "contacts")
    both.put("leads/l.csv", *LEADS)
    both.put(
        "contacts/c.csv",
        "Id,AccountId,CreatedDate,SystemModstamp",
        f"{CONTACT},{ACCOUNT},2026-01-20T09:00:00Z,2026-01-20T09:00:00Z",
    )

    assert both.load().customers() == [
        [
            f"lead:{LEAD}:created:2026-01-05T08:00:00.000000Z",
            f"lead:{LEAD}:converted:2026-01-19T00:00:00.000000Z",
            f"contact:{CONTACT}:created:2026-01-20T09:00:00.000000Z",
        ]
    ]
    assert both.rows("SELECT kind, strength, status FROM core.identity_edges WHERE kind = 'conversion'") == [
        ("conversion", 2, "applied")
    ]


def test_the_history_of_leads_tells_when_they_were_qualified(tmp_path):
    history = export(
        tmp_path,
        "lead_history",
        "LeadId,Field,OldValue,NewValue,CreatedDate",
        f"{LEAD},created,,,2026-01-05T08:00:00Z",
        f"{LEAD},Status,Open,Working - Contacted,2026-01-06T08:00:00Z",
        f"{LEAD},Status,Working,Qualified,2026-01-07T08:00:00Z",
        f"{LEAD_2},Status,Open,Unqualified,2026-01-08T08:00:00Z",
        f"{LEAD_2},Phone,030 1,030 7654321,2026-01-09T08:00:00Z",
    )

    assert history.events("event", "state") == [
        ("lead_property_changed", "creation"),
        ("lead_stage_entered", "Working - Contacted"),
        ("lead_qualified", "Qualified"),
        ("lead_stage_entered", "Unqualified"),
        ("lead_property_changed", "Phone"),
    ]
    assert "7654321" not in str(history.kept())


# ---------------------------------------------------------------- contacts, merges, deletions

MERGED = (
    "Id,IsDeleted,MasterRecordId,AccountId,Email,CreatedDate,SystemModstamp",
    f"{CONTACT},true,{CONTACT_2},{ACCOUNT},a@x.example,2026-01-01T09:00:00Z,2026-02-01T09:00:00Z",
    f"{CONTACT_2},true,{CONTACT_3},{ACCOUNT},b@x.example,2026-01-02T09:00:00Z,2026-02-02T09:00:00Z",
    f"{CONTACT_3},false,,{ACCOUNT},c@x.example,2026-01-03T09:00:00Z,2026-02-02T09:00:00Z",
)


def test_contacts_that_were_merged_one_after_the_other_are_one_customer_who_counts_once(tmp_path):
    merged = export(tmp_path, "contacts", *MERGED)

    assert merged.customers() == [[f"contact:{CONTACT_3}:created:2026-01-03T09:00:00.000000Z"]]
    assert merged.rows(
        "SELECT count(DISTINCT customer_id) FROM core.identity_map WHERE namespace = 'crm_contact_id'"
    ) == [(1,)]
    assert merged.rows("SELECT count(*) FROM core.identity_edges WHERE kind = 'merge' AND status = 'applied'") == [(2,)]


def test_a_merged_contact_whose_successor_is_not_in_the_export_keeps_its_states(tmp_path):
    merged = export(tmp_path, "contacts", *MERGED[:2])

    assert merged.customers() == [[f"contact:{CONTACT}:created:2026-01-01T09:00:00.000000Z"]]


def test_a_deleted_record_is_kept_as_last_known_and_says_so(tmp_path):
    contacts = export(
        tmp_path, "contacts", MERGED[0], f"{CONTACT},true,,,a@x.example,2026-01-01T09:00:00Z,2026-02-01T09:00:00Z"
    )

    assert contacts.properties() == [{"is_deleted": "true"}]
    assert contacts.events("event") == [("contact_created",)]


def test_merged_cases_do_not_make_their_customers_one(tmp_path):
    other = CASE.replace("CasA", "CasB")
    cases = export(
        tmp_path,
        "cases",
        "Id,CaseNumber,IsDeleted,MasterRecordId,ContactId,Status,CreatedDate,SystemModstamp",
        f"{CASE},1,true,{other},{CONTACT},Closed,2026-01-05T09:00:00Z,2026-01-08T09:00:00Z",
        f"{other},2,false,,{CONTACT_2},New,2026-01-06T09:00:00Z,2026-01-08T09:00:00Z",
    )

    assert cases.customers() == [[f"ticket:{other}:open:2026-01-06T09:00:00.000000Z"]]
    assert cases.rows("SELECT count(*) FROM core.identity_edges") == [(0,)]


def test_files_in_another_order_and_split_give_the_same_rows_and_again_duplicates(tmp_path):
    header, *lines = MERGED
    older = lines[2].replace("c@x", "d@x").replace("2026-02-02T", "2026-01-02T")
    one = export(tmp_path / "one", "contacts", header, older, *lines)
    other = Landed(tmp_path / "other", "salesforce", "contacts")
    for number, line in enumerate(random.Random(1).sample([*lines, older], 4)):
        other.put(f"contacts/{number}.csv", header, line).load()

    assert one.outcomes() == ["superseded", "loaded", "loaded", "loaded"]
    assert one.kept() == other.kept()
    one.put("contacts/again.csv", header, "", *lines).load()
    assert sorted(one.outcomes()) == [
        "blank",
        "duplicate",
        "duplicate",
        "duplicate",
        "loaded",
        "loaded",
        "loaded",
        "superseded",
    ]
    assert one.is_balanced()


# ---------------------------------------------------------------- accounts


def test_an_account_is_the_company_of_its_contacts(tmp_path):
    accounts = export(
        tmp_path,
        "accounts",
        "Id,Name,Type,Industry,NumberOfEmployees,AnnualRevenue,Website,BillingStreet,BillingCountry,Description,SystemModstamp",
        f"{ACCOUNT},Acme,Customer,Retail,50,1000000,https://www.Acme.example/de?x=1,1 High St,Germany,secret,2026-01-01T09:00:00Z",
    )

    assert accounts.rows("SELECT object, record_id, account_id FROM raw.crm_records") == [("company", ACCOUNT, ACCOUNT)]
    assert accounts.properties() == [
        {
            "company": "Acme", "domain": "acme.example", "account_type": "Customer", "industry": "Retail", "employees": "50",
            "annual_revenue": "1000000", "country": "Germany",
        }
    ]  # fmt: skip


def test_a_person_account_is_its_contact_and_its_name_is_not_kept(tmp_path):
    accounts = export(
        tmp_path,
        "accounts",
        "Id,Name,IsPersonAccount,PersonContactId,PersonEmail,Industry,SystemModstamp",
        f"{ACCOUNT},Ann Lee,true,{CONTACT},ann@shop.example,,2026-01-01T09:00:00Z",
    )

    assert accounts.rows("SELECT crm_contact_id, email, properties FROM raw.crm_records") == [
        (CONTACT, keyed("ann@shop.example", KEY), None)
    ]


# ---------------------------------------------------------------- opportunities

OPPORTUNITIES = (
    "Id,AccountId,ContactId,Name,StageName,Amount,CurrencyIsoCode,Probability,CloseDate,Type,LeadSource,IsClosed,IsWon,"
    "Loss_Reason__c,LastStageChangeDate,CreatedDate,SystemModstamp",
    f"{DEAL},{ACCOUNT},{CONTACT},Ann's kitchen,Closed Won,1234.5,USD,100,2026-01-20,New Business,Web,true,true,,"
    "2026-01-20T11:00:00Z,2026-01-10T08:00:00Z,2026-01-21T08:00:00Z",
    f"{DEAL.replace('A1', 'B1')},{ACCOUNT},,Bob,Closed Lost,5000,JPY,0,2026-01-25,New Business,Web,true,false,Price,"
    "2026-01-25T11:00:00Z,2026-01-11T08:00:00Z,2026-01-25T08:00:00Z",
    f"{DEAL.replace('A1', 'C1')},{ACCOUNT},{CONTACT_2},Cid,Proposal,50,,60,2036-12-31,New Business,Web,false,false,,"
    "2026-01-15T11:00:00Z,2026-01-12T08:00:00Z,2026-01-25T08:00:00Z",
)


def test_a_deal_is_created_and_won_or_lost_at_its_close_date_in_its_own_currency(tmp_path):
    deals = export(tmp_path, "opportunities", *OPPORTUNITIES)

    assert deals.rows(
        "SELECT event, state, crm_contact_id, account_id, value_minor, currency FROM raw.crm_events ORDER BY record_id, occurred_at"
    ) == [
        ("deal_created", "created", CONTACT, ACCOUNT, None, None),
        ("deal_won", "won", CONTACT, ACCOUNT, 123450, "USD"),
        ("deal_created", "created", None, ACCOUNT, None, None),
        ("deal_lost", "lost", None, ACCOUNT, 5000, "JPY"),
        ("deal_created", "created", CONTACT_2, ACCOUNT, None, None),
        ("deal_stage_entered", "Proposal", CONTACT_2, ACCOUNT, None, None),
    ]
    assert deals.properties()[1] == {
        "deal_stage": "Closed Lost", "deal_type": "New Business", "amount": "5000", "probability": "0", "lost_reason": "Price",
        "lead_source": "Web",
    }  # fmt: skip
    assert "kitchen" not in str(deals.kept())


def test_a_stage_that_closes_is_told_by_its_name_where_an_export_lacks_the_flags(tmp_path):
    deals = export(
        tmp_path,
        "opportunities",
        "Opportunity ID,Stage,Close Date,Amount,Amount Currency,Created Date",
        f"{DEAL},Closed Won,2026-01-20,10,EUR,2026-01-10",
    )

    assert deals.events("event", "value_minor") == [("deal_created", None), ("deal_won", 1000)]


def test_a_lookup_of_contact_roles_names_the_contact_of_a_deal(tmp_path):
    deals = Landed(
        tmp_path,
        "salesforce",
        "opportunities",
        lookups={"contact_roles": {"file": "roles.csv", "key": "OpportunityId"}},
    )
    (deals.landing / "roles.csv").write_text(f"Id,OpportunityId,ContactId,Role\n1,{DEAL},{CONTACT_3},Buyer\n")
    deals.put(
        "opportunities/o.csv", "Id,StageName,CloseDate,CreatedDate", f"{DEAL},Proposal,2036-01-20,2026-01-10"
    ).load()

    assert deals.events("crm_contact_id") == [(CONTACT_3,)]


HISTORY = (
    "Id,OpportunityId,StageName,Amount,Probability,CloseDate,ForecastCategory,CreatedDate,IsDeleted",
    f"1,{DEAL},Prospecting,,10,2026-03-01,Pipeline,2026-01-10T08:00:00Z,false",
    f"2,{DEAL},Prospecting,500,10,2026-03-01,Pipeline,2026-01-11T08:00:00Z,false",
    f"3,{DEAL},Proposal,500,60,2026-03-01,Best Case,2026-01-12T08:00:00Z,false",
    f"4,{DEAL},Proposal,900,60,2026-02-01,Best Case,2026-01-13T08:00:00Z,false",
    f"5,{DEAL},Prospecting,900,10,2026-02-01,Pipeline,2026-01-14T08:00:00Z,false",
    f"6,{DEAL},Closed Won,900,100,2026-01-20,Closed,2026-01-20T08:00:00Z,false",
)


def test_a_stage_is_entered_once_though_its_history_has_a_row_for_every_new_amount(tmp_path):
    deals = Landed(tmp_path, "salesforce", "opportunities", "opportunity_history")
    deals.put("opportunities/o.csv", *OPPORTUNITIES[:2]).put("opportunity_history/h.csv", *HISTORY).load()
    deals.customers()

    assert deals.outcomes() == ["loaded"] * 7
    assert deals.rows("SELECT event, state FROM core.events ORDER BY event_number") == [
        ("deal_stage_entered", "Prospecting"),
        ("deal_created", "created"),
        ("deal_stage_entered", "Proposal"),
        ("deal_stage_entered", "Prospecting"),
        ("deal_closed", "Closed Won"),
        ("deal_won", "won"),
    ]


def test_the_field_history_and_the_report_of_a_deal_tell_its_stages_and_that_else_changed(tmp_path):
    fields = export(
        tmp_path / "fields",
        "opportunity_history",
        "OpportunityId,Field,OldValue,NewValue,CreatedDate",
        f"{DEAL},StageName,Prospecting,Proposal,2026-01-12T08:00:00Z",
        f"{DEAL},Amount,500,900,2026-01-13T08:00:00Z",
    )
    report = export(
        tmp_path / "report",
        "opportunity_history",
        "Opportunity ID,From Stage,To Stage,Last Modified",
        f"{DEAL},Prospecting,Proposal,2026-01-12T08:00:00Z",
        f"{DEAL},Proposal,Proposal,2026-01-13T08:00:00Z",
    )

    assert fields.events("event", "state") == [("deal_stage_entered", "Proposal"), ("deal_property_changed", "Amount")]
    assert fields.events() == report.events()


# ---------------------------------------------------------------- cases


def test_a_case_is_opened_escalated_answered_and_closed(tmp_path):
    cases = export(
        tmp_path,
        "cases",
        "Case ID,Contact ID,Subject,Date/Time Opened,Date/Time Closed,Status,Case Origin,Priority,Case Reason,Escalated,Web Email,"
        "First Response Date",
        f"{CASE},{CONTACT},My cat ate it,2026-01-05T09:00:00Z,2026-01-08T09:00:00Z,Closed,Web,High,Breakage,true,ann@shop.example,"
        "2026-01-05T10:00:00Z",
    )

    assert cases.events("event", "state", "crm_contact_id") == [
        ("ticket_opened", "open", CONTACT), ("ticket_replied", "replied", CONTACT), ("ticket_closed", "closed", CONTACT),
    ]  # fmt: skip
    assert cases.properties() == [
        {
            "ticket_status": "Closed", "origin": "Web", "priority": "High", "category": "Breakage", "reason": "Breakage",
            "escalated": "true",
        }
    ]  # fmt: skip
    assert cases.rows("SELECT email FROM raw.crm_records") == [(keyed("ann@shop.example", KEY),)]


def test_the_history_of_cases_tells_escalations_reopenings_and_owners(tmp_path):
    history = export(
        tmp_path,
        "case_history",
        "CaseId,Field,OldValue,NewValue,CreatedDate",
        f"{CASE},Owner,Jane Doe,Jim Poe,2026-01-05T09:00:00Z",
        f"{CASE},Status,New,Working,2026-01-05T10:00:00Z",
        f"{CASE},IsEscalated,false,true,2026-01-05T11:00:00Z",
        f"{CASE},Status,Working,Closed,2026-01-05T12:00:00Z",
        f"{CASE},Status,Closed,Working,2026-01-05T13:00:00Z",
        f"{CASE},Subject,My cat,My dog,2026-01-05T14:00:00Z",
    )

    assert history.events("event", "state") == [
        ("ticket_assigned", "Owner"), ("ticket_stage_entered", "Working"), ("ticket_escalated", "IsEscalated"),
        ("ticket_stage_entered", "Closed"), ("ticket_reopened", "Working"), ("ticket_property_changed", "Subject"),
    ]  # fmt: skip
    assert not [word for word in ("Jane", "Jim", "cat") if word in str(history.kept())]


# ---------------------------------------------------------------- campaigns, tasks, meetings

MEMBERS = (
    "Id,CampaignId,LeadId,ContactId,Status,HasResponded,FirstRespondedDate,CreatedDate,SystemModstamp,Campaign.Name,Campaign.Type",
    f"00v1,{CAMPAIGN},{LEAD},,Attended,true,2026-01-12,2026-01-02T09:00:00Z,2026-01-12T09:00:00Z,Kitchens live,Webinar",
    f"00v2,{CAMPAIGN},{LEAD},{CONTACT},Sent,false,,2026-01-03T09:00:00Z,2026-01-03T09:00:00Z,Spring,Email",
    f"00v3,{CAMPAIGN},,{CONTACT},Clicked,true,2026-01-14,2026-01-04T09:00:00Z,2026-01-14T09:00:00Z,Spring,Email",
    f"00v4,{CAMPAIGN},,{CONTACT},Responded,true,2026-01-15,2026-01-05T09:00:00Z,2026-01-15T09:00:00Z,Letter,Direct Mail",
)


def test_members_of_campaigns_were_written_to_and_answered(tmp_path):
    members = export(tmp_path, "campaign_members", *MEMBERS)

    assert members.events("event", "crm_lead_id", "crm_contact_id", "properties ->> '$.campaign'") == [
        ("campaign_joined", LEAD, None, "Kitchens live"),
        ("email_sent", LEAD, CONTACT, "Spring"),
        ("email_sent", None, CONTACT, "Spring"),
        ("campaign_joined", None, CONTACT, "Letter"),
        ("webinar_attended", LEAD, None, "Kitchens live"),
        ("email_clicked", None, CONTACT, "Spring"),
        ("campaign_responded", None, CONTACT, "Letter"),
    ]


def test_a_lookup_of_campaigns_names_them_and_their_type(tmp_path):
    members = Landed(
        tmp_path, "salesforce", "campaign_members", lookups={"campaigns": {"file": "campaigns.csv", "key": "Id"}}
    )
    (members.landing / "campaigns.csv").write_text(f"Id,Name,Type\n{CAMPAIGN},Kitchens live,Webinar\n")
    members.put(
        "campaign_members/m.csv",
        "Id,CampaignId,LeadOrContactId,Status,HasResponded,FirstRespondedDate,CreatedDate",
        f"00v1,{CAMPAIGN},{LEAD},Attended,true,2026-01-12,2026-01-02T09:00:00Z",
    ).load()

    assert members.events("event", "crm_lead_id") == [("campaign_joined", LEAD), ("webinar_attended", LEAD)]
    assert members.properties()[0]["campaign"] == "Kitchens live"


TASKS = (
    "Id,WhoId,WhatId,AccountId,Subject,Status,TaskSubtype,CallType,CallDisposition,IsClosed,ActivityDate,CompletedDateTime,"
    "CreatedDate,SystemModstamp"
)


@pytest.mark.parametrize(
    ("row", "event"),
    [
        (f"{CONTACT},{DEAL},,Ask Ann,Completed,Call,Outbound,Left voicemail,true,2026-01-12", "call_made"),
        (f"{CONTACT},{DEAL},,Ask Ann,Completed,Call,Outbound,Connected,true,2026-01-12", "call_answered"),
        (f"{CONTACT},,,Ann called,Completed,Task,Inbound,,true,2026-01-12", "call_answered"),
        (f"{LEAD},,,Email: offer,Completed,Email,,,true,2026-01-12", "email_sent"),
        (f"{LEAD},,,[Outreach] [Email] [In] Re: offer,Completed,Email,,,true,2026-01-12", "email_replied"),
        (f"{LEAD},,,Send offer,Completed,Task,,,true,2026-01-12", None),
        (f"{LEAD},,,Ask Ann,Not Started,Call,,,false,2036-01-12", None),
        (f",{DEAL},,Ask Ann,Completed,Call,,,true,2026-01-12", None),
    ],
)
def test_a_task_is_a_call_or_a_mail_once_it_is_done(tmp_path, row, event):
    tasks = export(tmp_path, "tasks", TASKS, f"00T1,{row},,2026-01-01T09:00:00Z,2026-01-12T09:00:00Z")

    assert tasks.events("event") == ([(event,)] if event else [])
    assert tasks.outcomes() == ["loaded"]
    assert "offer" not in str(tasks.kept())


def test_who_and_what_of_a_task_go_by_the_prefix_of_the_id(tmp_path):
    tasks = export(
        tmp_path,
        "tasks",
        TASKS,
        f"00T1,{CONTACT},{ACCOUNT},,x,Completed,Call,,,true,2026-01-12,,,",
        f"00T2,{LEAD},{DEAL},{ACCOUNT},x,Completed,Call,,,true,2026-01-13,,,",
    )

    assert tasks.events("object", "crm_contact_id", "crm_lead_id", "account_id", "properties ->> '$.deal_id'") == [
        ("call", CONTACT, None, ACCOUNT, None),
        ("call", None, LEAD, ACCOUNT, DEAL),
    ]


def test_a_task_counts_at_the_instant_it_was_done_or_on_its_day_when_it_was_logged_later(tmp_path):
    tasks = export(
        tmp_path,
        "tasks",
        TASKS,
        f"00T1,{CONTACT},,,x,Completed,Call,,,true,2026-01-12,2026-01-12T15:00:00.000Z,,",
        f"00T2,{CONTACT},,,x,Completed,Call,,,true,2026-01-13,2026-02-20T15:00:00.000Z,,",
    )

    assert tasks.events("strftime(occurred_at, '%m-%d %H')", "time_precision") == [
        ("01-12 15", "instant"),
        ("01-13 00", "day"),
    ]


MEETINGS = "Id,WhoId,WhatId,Subject,Type,StartDateTime,EndDateTime,DurationInMinutes,SystemModstamp"


def test_a_meeting_that_is_still_to_come_is_no_event_yet_and_one_that_was_is(tmp_path):
    meetings = export(
        tmp_path,
        "events",
        MEETINGS,
        f"00U1,{CONTACT},{DEAL},Lunch,Meeting,2026-01-12T11:00:00Z,2026-01-12T12:00:00Z,60,2026-01-10T09:00:00Z",
        f"00U2,{CONTACT},{DEAL},Lunch,Meeting,2126-01-12T11:00:00Z,2126-01-12T12:00:00Z,60,2026-01-10T09:00:00Z",
    )

    assert meetings.outcomes() == ["loaded", "loaded"]
    assert meetings.events("event", "record_id") == [("meeting_held", "00U1")]


def test_the_export_after_a_meeting_tells_of_it_though_the_record_did_not_change(tmp_path):
    planned = f"00U2,{CONTACT},{DEAL},Lunch,Meeting,2026-01-12T11:00:00Z,2026-01-12T12:00:00Z,60,2026-01-10T09:00:00Z"
    before = {"complete_to": "2026-01-11"}
    meetings = export(tmp_path, "events", MEETINGS, planned, **before)

    assert meetings.events("event") == []

    meetings.source = Landed(tmp_path / "later", "salesforce", "events").source
    meetings.put("events/two.csv", MEETINGS, planned, "").load()

    assert meetings.events("event") == [("meeting_held",)]


# ---------------------------------------------------------------- whole exports


@pytest.mark.parametrize(
    ("table", "lines"),
    [
        ("leads", LEADS),
        ("leads", LEADS_LABELS),
        ("lead_history", ("LeadId,Field,OldValue,NewValue,CreatedDate", "1,2,3,4,5")),
        ("contacts", ("Id,AccountId,LastName,Email,SystemModstamp", "1,2,3,4,5")),
        ("contacts", MERGED),
        ("accounts", ("Id,Name,Type,Industry,Website,SystemModstamp", "1,2,3,4,5,6")),
        ("opportunities", OPPORTUNITIES),
        ("opportunity_history", HISTORY),
        ("cases", ("Case ID,Contact ID,Date/Time Opened,Case Origin", "1,2,3,4")),
        ("case_history", ("CaseId,Field,OldValue,NewValue,CreatedDate", "1,2,3,4,5")),
        ("campaign_members", MEMBERS),
        ("tasks", (TASKS, ",".join("x" * 14))),
        ("events", (MEETINGS, ",".join("x" * 9))),
    ],
)
def test_an_export_is_recognised_by_its_columns(tmp_path, table, lines):
    path = tmp_path / "export.csv"
    path.write_text("\n".join(lines) + "\n")

    found = guess(path)

    assert (found.format, found.table) == ("salesforce", table)


def whole_org(tmp_path, preset):
    tables = (
        "leads",
        "contacts",
        "accounts",
        "opportunities",
        "opportunity_history",
        "campaign_members",
        "tasks",
        "events",
        "cases",
    )
    files = "".join(f'      {table}: "{table}/*"\n' for table in tables)
    tmp_path.joinpath("journey.yaml").write_text(
        f"preset: {preset}\nlanding: {{quiet: 0s}}\ncurrency: USD\nsources:\n  crm:\n    format: salesforce\n    files:\n{files}"
    )
    org = Landed(tmp_path, "salesforce", *tables)
    org.put("leads/l.csv", *LEADS).put("opportunities/o.csv", *OPPORTUNITIES[:2]).put(
        "opportunity_history/h.csv", *HISTORY
    )
    org.put("contacts/c.csv", "Id,AccountId,Email,CreatedDate,SystemModstamp",
            f"{CONTACT},{ACCOUNT},ann@shop.example,2026-01-20T09:00:00Z,2026-01-20T09:00:00Z")  # fmt: skip
    org.put("accounts/a.csv", "Id,Name,Industry,SystemModstamp", f"{ACCOUNT},Acme,Retail,2026-01-20T09:00:00Z")
    org.put("campaign_members/m.csv", *MEMBERS)
    org.put("tasks/t.csv", TASKS, f"00T1,{LEAD},,,x,Completed,Call,,Connected,true,2026-01-06,,,")
    org.put(
        "events/e.csv", MEETINGS, f"00U1,{CONTACT},{DEAL},Lunch,Meeting,2026-01-22T11:00:00Z,,60,2026-01-10T09:00:00Z"
    )
    org.put("cases/c.csv", "Id,CaseNumber,ContactId,Status,CreatedDate,SystemModstamp",
            f"{CASE},1,{CONTACT},New,2026-02-05T09:00:00Z,2026-02-05T09:00:00Z")  # fmt: skip
    return org


@pytest.mark.parametrize("preset", ["b2b", "saas"])
def test_the_presets_map_what_an_org_exports(tmp_path, preset):
    whole_org(tmp_path, preset)

    findings = answers.check(workspace_at(tmp_path))

    assert findings["problems"] == []
    assert set(findings["unmapped"]["events"]) <= {"deal_closed", "email_sent", "campaign_joined"}


def test_a_night_takes_an_org_to_stages_and_revenue(tmp_path, monkeypatch):
    monkeypatch.setenv("JOURNEYS_HMAC_KEY", "key")
    whole_org(tmp_path, "b2b")

    told = CliRunner().invoke(app, ["run", "--workspace", str(tmp_path)])

    assert told.exit_code == 0, told.output
    night = Warehouse(tmp_path / "warehouse" / "journeys.duckdb")
    assert night.query("SELECT count(DISTINCT customer_id) FROM core.events").rows() == [(1,)]
    assert night.query("SELECT value_minor, currency FROM core.events WHERE event = 'deal_won'").rows() == [
        (123450, "USD")
    ]
    stages = night.query("SELECT DISTINCT stage FROM core.stage_entries ORDER BY 1").rows()
    assert {"initial consideration", "active evaluation", "purchase decision", "implementation"} <= {
        stage for (stage,) in stages
    }

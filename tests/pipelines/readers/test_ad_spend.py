"""Money spent on advertising: reports of the big networks, and a table of one's own."""

import pytest

from pipelines.guess import guess
from tests.pipelines.readers.landed import Landed, landed

SPEND = """
    SELECT strftime(occurred_at, '%Y-%m-%d'), utm_source, utm_medium, utm_campaign, utm_content, given_channel, value_minor, currency
    FROM raw.ad_spend ORDER BY occurred_at, utm_campaign, value_minor
"""


def spend(tmp_path, *lines, **said):
    return landed(tmp_path, "ad_spend", "files/one.csv", *lines, **said)


GOOGLE = (
    "Campaign performance",
    '"January 1, 2026 - January 2, 2026"',
    "Day,Campaign,Ad group,Campaign type,Currency code,Cost,Impr.,Clicks,Conversions",
    '2026-01-01,Brand,Exact,Search,USD,"1,234.50","12,345",67,3.50',
    "2026-01-02,Max,,Performance Max,USD,10,100,5,0.00",
    'Total: Account, --, --, --,USD,"1,244.50","12,445",72,3.50',
)


def test_a_report_of_google_ads_is_read_without_its_title_and_totals(tmp_path):
    google = spend(tmp_path, *GOOGLE)

    assert google.rows(SPEND) == [
        ("2026-01-01", "google", "cpc", "Brand", "Exact", "Paid Search", 123450, "USD"),
        ("2026-01-02", "google", "cpc", "Max", None, "Cross-network", 1000, "USD"),
    ]
    assert sorted(google.properties("raw.ad_spend"), key=str) == [
        {"impressions": "100", "clicks": "5", "conversions": "0.00"},
        {"impressions": "12345", "clicks": "67", "conversions": "3.50"},
    ]
    assert google.outcomes() == ["blank", "blank", "loaded", "loaded", "blank"]
    assert google.is_balanced()


META = (
    "Reporting starts,Reporting ends,Campaign name,Ad set name,Amount spent (EUR),Impressions,Link clicks",
    "2026-01-01,2026-01-02,,,30.5,300,3",
    "2026-01-01,2026-01-01,Spring,Women,10.5,100,1",
    "2026-01-02,2026-01-02,Spring,Women,20,200,2",
    "2026-01-01,2026-01-02,Summer,Men,5,50,1",
)


def test_a_report_of_meta_names_its_currency_in_the_header_and_has_a_row_for_each_day(tmp_path):
    meta = spend(tmp_path, *META)

    assert meta.rows(SPEND) == [
        ("2026-01-01", "facebook", "paid", "Spring", "Women", "Paid Social", 1050, "EUR"),
        ("2026-01-02", "facebook", "paid", "Spring", "Women", "Paid Social", 2000, "EUR"),
    ]
    assert meta.outcomes() == ["blank", "loaded", "loaded", "quarantined"]
    assert meta.quarantine() == [("bad_time", "occurred_at")]


MICROSOFT = (
    '"Report Name: campaigns"',
    '"Rows: 1"',
    "",
    '"Gregorian date","Account name","Campaign name","Currency code","Impressions","Clicks","Spend"',
    '"1/31/2026","Acme","Brand","USD","1000","10","12.34"',
    "",
    '"©2026 Microsoft Corporation. All rights reserved. "',
)


def test_a_report_of_microsoft_advertising_is_read_without_its_title_and_footer(tmp_path):
    microsoft = spend(tmp_path, *MICROSOFT, time_formats=["%m/%d/%Y"])

    assert microsoft.rows(SPEND) == [("2026-01-31", "bing", "cpc", "Brand", None, "Paid Search", 1234, "USD")]
    assert set(microsoft.outcomes()) == {"blank", "loaded"}


def test_a_table_of_one_s_own_may_name_channel_source_medium_and_campaign(tmp_path):
    own = spend(
        tmp_path,
        "date;channel;source;medium;campaign;spend;currency;impressions",
        "31.01.2026;Display;taz;banner;Spring;1.234,50 €;EUR;1.000",
        delimiter=";",
        decimal=",",
    )

    assert own.rows(SPEND) == [("2026-01-31", "taz", "banner", "Spring", None, "Display", 123450, "EUR")]
    assert own.properties("raw.ad_spend") == [{"impressions": "1000"}]


def test_equal_rows_of_one_report_are_all_spent(tmp_path):
    twice = spend(tmp_path, "date,campaign,cost,device", "2026-01-01,Brand,5,mobile", "2026-01-01,Brand,5,desktop")

    assert twice.rows("SELECT sum(value_minor), count(*) FROM raw.ad_spend") == [(1000, 2)]


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_day_that_is_exported_again_replaces_its_older_figures(tmp_path, newest_first):
    header = "date,campaign,ad_group,cost"
    old = (header, "2026-01-01,Brand,a,5", "2026-01-01,Brand,b,5", "2026-01-01,Other,a,1", "2026-01-02,Brand,a,7")
    new = (header, "2026-01-01,Brand,a,6.5", "2026-01-02,Brand,a,7")
    said = {"whole": {"by": ["@piece"], "exported_at": ["%Y%m%d"]}}
    days = Landed(tmp_path, "ad_spend", **said)
    files = [("files/spend_20260103.csv", new), ("files/spend_20260102.csv", old)]
    for name, lines in files if newest_first else files[::-1]:
        days.put(name, *lines).load()

    assert days.rows("SELECT utm_campaign, utm_content, value_minor FROM raw.ad_spend ORDER BY occurred_at, value_minor") == [
        ("Other", "a", 100), ("Brand", "a", 650), ("Brand", "a", 700),
    ]  # fmt: skip
    assert sorted(days.outcomes()) == ["loaded", "loaded", "loaded", "superseded", "superseded", "superseded"]
    assert days.is_balanced()


@pytest.mark.parametrize("lines", [GOOGLE[2:], META, MICROSOFT[3:5], ("date,channel,cost", "2026-01-01,x,1")])
def test_a_report_is_recognised_by_its_columns(tmp_path, lines):
    path = tmp_path / "report.csv"
    path.write_text("\n".join(lines) + "\n")

    assert guess(path).format == "ad_spend"

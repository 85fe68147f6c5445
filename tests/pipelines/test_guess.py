import gzip
import json

import polars as pl
import pytest

from pipelines.errors import DataError, UnreadableFile
from pipelines.guess import currency, files_below, guess, own_hosts, planned


def put(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return path


ORDERS = "Order No;Customer No;Ordered At;Mail;Total;Coupon;First Name\n" + "".join(
    f"{number};c{number % 3};31.01.2026 1{number}:00;a{number}@x.example;{number}.50;A;Ann\n" for number in range(5)
)


def test_a_table_is_mapped_by_the_names_of_its_columns(tmp_path):
    found = guess(put(tmp_path, "orders_2026-01.csv", ORDERS))

    assert (found.format, found.said["delimiter"], found.said["kind"]) == ("csv", ";", "crm")
    assert found.said["fields"] == {
        "event_id": "Order No",
        "event": {"value": "order_placed"},
        "occurred_at": {"from": "Ordered At", "format": "%d.%m.%Y %H:%M"},
        "user_id": "Customer No",
        "email": "Mail",
        "value": "Total",
    }


def test_columns_that_may_hold_personal_values_are_not_kept(tmp_path):
    assert guess(put(tmp_path, "orders.csv", ORDERS)).said["properties"] == ["Coupon"]


def test_json_lines_are_mapped_by_the_paths_in_them(tmp_path):
    lines = [
        {"id": f"e{number}", "name": "page_view", "ts": 1_767_261_600_000 + number, "visitor": {"cookie": "v1"},
         "page": {"url": "https://shop.example/"}} for number in range(3)
    ]  # fmt: skip

    found = guess(put(tmp_path, "hits.json.gz", "".join(json.dumps(line) + "\n" for line in lines)))

    assert found.format == "ndjson"
    assert found.said["fields"] == {
        "event_id": "id",
        "event": "name",
        "occurred_at": {"from": "ts", "format": "epoch_ms"},
        "anonymous_id": "visitor.cookie",
        "url": "page.url",
    }


def test_parquet_is_mapped_by_its_columns(tmp_path):
    path = tmp_path / "events.parquet"
    pl.DataFrame({"user_id": ["a"], "event": ["x"], "timestamp": ["2026-01-31T10:00:00Z"]}).write_parquet(path)

    assert guess(path).said["fields"] == {"event": "event", "occurred_at": "timestamp", "user_id": "user_id"}


@pytest.mark.parametrize(
    ("text", "format"),
    [("31/12/2026", "%d/%m/%Y"), ("12/31/2026", "%m/%d/%Y"), ("2026-12-31 10:00:00", None), ("1767261600", "epoch_s")],
)
def test_the_format_of_times_is_found_from_the_values(tmp_path, text, format):
    found = guess(put(tmp_path, "a.csv", f"user_id,event,when_at\nann,x,{text}\nbob,y,{text}\n"))

    assert found.said["fields"]["occurred_at"] == ({"from": "when_at", "format": format} if format else "when_at")


def test_what_is_doubtful_is_said(tmp_path):
    found = guess(put(tmp_path, "visits.csv", "day,pages\n31/12/2026,3\n"))

    assert found.doubts == (
        "day is read as %d/%m/%Y: day and month may stand the other way round",
        "no column names the event; each row is taken for 'visits'",
        "no column names a customer; map one of user_id, email, anonymous_id",
    )


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", "user_id,colour\nann,red\n", "no column with a time; it has: user_id, colour"),
        ("a.txt", "hello\nworld\n", "its lines are neither JSON objects, nor a table"),
        ("a.csv", "\n", "it is empty"),
        ("a.parquet", "no", "not a complete Parquet file"),
    ],
)
def test_a_file_that_is_nothing_known_says_why(tmp_path, name, content, problem):
    with pytest.raises(UnreadableFile, match=problem):
        guess(put(tmp_path, name, content))


def test_files_that_are_read_alike_are_one_source(tmp_path):
    one = guess(put(tmp_path, "orders_2026-01.csv", ORDERS))
    two = guess(put(tmp_path, "orders_2026-02.csv", ORDERS.replace("31.01", "28.02")))

    (plan,) = planned([one, two])

    assert (plan.name, plan.said["files"]) == ("orders", "orders/*")
    assert [target for _, target in plan.files] == ["orders/orders_2026-01.csv", "orders/orders_2026-02.csv"]


def test_a_path_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match="does not exist; name the files of your export"):
        files_below([tmp_path / "none"])


def test_hidden_files_of_a_folder_are_left_out(tmp_path):
    put(tmp_path, ".DS_Store", "x")
    kept = put(tmp_path, "deep/a.csv", "x")

    assert files_below([tmp_path]) == [kept]


def test_the_hosts_of_most_pages_are_those_of_the_business(tmp_path):
    pages = [*["https://www.shop.example/a"] * 15, *["https://app.shop.example/b"] * 4, "https://else.example/"]
    lines = [{"user_id": "a", "event": "x", "time": "2026-01-31", "url": page} for page in pages]

    found = guess(put(tmp_path, "hits.ndjson", "".join(json.dumps(line) + "\n" for line in lines)))

    assert own_hosts([found]) == ["www.shop.example", "app.shop.example"]


def test_the_currency_that_most_rows_name_is_that_of_the_business(tmp_path):
    found = guess(put(tmp_path, "orders.csv", "user_id,date,total,currency\na,2026-01-31,1,EUR\nb,2026-01-31,2,eur\n"))

    assert currency([found]) == "EUR"


def test_a_column_of_times_is_found_by_its_values_whatever_its_name(tmp_path):
    found = guess(put(tmp_path, "orders.csv", "user_id,Bestellt,total\na,31.01.2026,1\nb,01.02.2026,2\n"))

    assert found.said["fields"]["occurred_at"] == {"from": "Bestellt", "format": "%d.%m.%Y"}


def test_free_text_addresses_and_numbers_of_phones_are_not_kept(tmp_path):
    header = "user_id,date,event,plan,wish,contact,line,seen_from,basket\n"
    row = "a,2026-01-31,x,gold,call me when you can please,a@x.example,+49 151 1234567,203.0.113.9,[1]\n"

    assert guess(put(tmp_path, "a.csv", header + row)).said["properties"] == ["plan"]


def test_an_address_is_no_user_id(tmp_path):
    found = guess(put(tmp_path, "a.csv", "user,date,event\na@x.example,2026-01-31,x\n"))

    assert "user_id" not in found.said["fields"]


LOG = '198.51.100.7 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 12 "-" "Mozilla/5.0 (X11; Linux, like Gecko)"\n'
GA4 = {"event_name": "page_view", "event_timestamp": "1767261600000000", "user_pseudo_id": "p1", "event_params": []}
ADS = "Campaign report\n1 January 2026 - 2 January 2026\nDay,Campaign,Cost,Impr.,Clicks\n2026-01-01,Spring,1.50,10,2\n"


@pytest.mark.parametrize(
    ("name", "content", "format"),
    [
        ("access.log", LOG * 3, "access_log"),
        ("access.log.1.gz", LOG * 3, "access_log"),
        ("events.json", json.dumps(GA4) + "\n", "ga4"),
        ("part-00000", "\t".join(["shop", "web", *["2026-01-13 11:00:00.000"] * 129]) + "\n", "snowplow"),
        ("ads.csv", ADS, "ad_spend"),
        ("nps.csv", "Response ID,Responded At,Customer ID,NPS Score\n1,2026-01-31,c1,9\n", "surveys"),
        ("orders.csv", "Order ID,Order Date,Customer ID,Email,Order Total\n1,2026-01-31,c1,a@x.example,9\n", "orders"),
    ],
)
def test_the_files_of_known_products_are_recognised(tmp_path, name, content, format):
    assert guess(put(tmp_path, name, content)).format == format

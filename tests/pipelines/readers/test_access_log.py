import json
from datetime import UTC, datetime

import pytest

from pipelines.readers.access_log import unescaped
from tests.pipelines.test_ingest import Workspace
from transforms.canonical import keyed
from transforms.events import build_timeline
from transforms.journey import Journey

LOG = {"format": "access_log", "files": "access*"}
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
ADDRESS = "203.0.113.7"


def line(
    request="GET / HTTP/1.1",
    *,
    address=ADDRESS,
    user="-",
    at="10/Oct/2026:13:55:36 -0700",
    status=200,
    size=2326,
    referrer="-",
    agent=CHROME,
    before="",
    after="",
):
    return f'{before}{address} - {user} [{at}] "{request}" {status} {size} "{referrer}" "{agent}"{after}\n'


def visitor(address=ADDRESS, agent=CHROME):
    return keyed(f"{address} {agent}".strip(), b"key")


@pytest.fixture
def logs(tmp_path):
    return Workspace(tmp_path, web=LOG)


def events(workspace, columns, *lines):
    workspace.put("access.log", "".join(lines)).load()
    return workspace.rows(f"SELECT {columns} FROM raw.web_events ORDER BY file_id, row")


# ---------------------------------------------------------------- what a line says


def test_a_line_of_the_combined_format_is_an_event_with_all_that_it_says(logs):
    logs.put(
        "access.log",
        line(
            "GET /pricing?utm_source=news&utm_medium=email&gclid=secret&token=secret HTTP/1.1",
            before="www.acme.example:443 ",
            user="ann",
            referrer="https://www.google.com/search?q=secret",
        ),
    ).load()

    row = logs.warehouse.query("FROM raw.web_events").row(0, named=True)

    kept = {name: value for name, value in row.items() if value is not None}
    event_id = kept.pop("event_id")
    assert len(event_id) == 16
    assert {**kept, "file_id": "", "properties": json.loads(kept["properties"])} == {
        "source": "web", "event": "page_view", "file_id": "", "row": 1, "row_key": kept["row_key"],
        "occurred_at": datetime(2026, 10, 10, 20, 55, 36, tzinfo=UTC), "time_precision": "instant",
        "clock_source": "declared", "is_clamped": False, "anonymous_id": visitor(), "user_id": "ann",
        "hostname": "www.acme.example", "path": "/pricing", "referrer": "https://www.google.com/search",
        "utm_source": "news", "utm_medium": "email", "click_id": "gclid", "device": "desktop", "browser": "Chrome",
        "is_bot": False, "is_internal": False,
        "properties": {"method": "GET", "protocol": "HTTP/1.1", "status": 200, "bytes": 2326},
    }  # fmt: skip


def test_no_table_of_good_rows_holds_an_address_or_a_query(logs):
    logs.put("access.log", line("GET /a?token=secret HTTP/1.1") + line("GET /b HTTP/1.1", address="2001:db8::1")).load()

    for table in ("web_events", "row_outcomes", "quarantine"):
        text = str(logs.rows(f"FROM raw.{table}"))
        assert not any(word in text for word in (ADDRESS, "2001:db8", "secret"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'{ADDRESS} - - [10/Oct/2026:13:55:36 -0700] "GET / HTTP/1.0" 200 2326\n', (None, visitor(agent=""))),
        (line(address="2001:DB8::1"), (None, visitor("2001:db8::1"))),
        (line(before="shop.acme.example "), ("shop.acme.example", visitor())),
        (line(before="10.0.0.9:80 "), ("10.0.0.9", visitor())),
        (line(address="host.example"), (None, visitor("host.example"))),
        (line("GET http://shop.acme.example:80/ HTTP/1.1"), ("shop.acme.example", visitor())),
        (line(after=' "-" 0.004 rt="0.1 0.2" "10.0.0.3:8080"'), (None, visitor())),
        (line(address="10.0.0.1", after=' "203.0.113.7, 10.0.0.2" 0.004'), (None, visitor())),
        (line(address="10.0.0.1", after=' "203.0.113.7:4711"'), (None, visitor())),
        (line(user="frank de smith"), (None, visitor())),
    ],
)
def test_host_and_visitor_are_found_in_every_shape_of_the_line(logs, text, expected):
    found = events(logs, "hostname, anonymous_id, path, event", text)

    assert found == [(*expected, "/", "page_view")]


def test_a_visitor_is_an_address_with_an_agent(logs):
    found = events(logs, "anonymous_id", line(), line(agent="Safari/1"), line(address="203.0.113.8"), line("GET /b"))

    assert len(set(found)) == 3
    assert found[0] == found[3]


def test_the_visitor_cannot_be_shown_in_clear_by_the_journey(tmp_path):
    logs = Workspace(tmp_path, web={**LOG, "pii": {"anonymous_id": "keep", "email": "drop"}})

    assert events(logs, "anonymous_id", line()) == [(visitor(),)]


def test_who_logged_in_is_a_user_and_an_address_of_mail_is_hashed(logs):
    found = events(
        logs, "user_id, email", line(user="ann"), line("GET /b", user="Ann@Shop.example"), line("GET /c", user="-")
    )

    assert found == [("ann", None), (None, keyed("ann@shop.example", b"key")), (None, None)]


def test_escapes_are_undone(logs):
    found = events(
        logs,
        "path, referrer, browser, anonymous_id",
        line(
            r"GET /caf\xc3\xa9/\"x\" HTTP/1.1",
            agent=r"Chrome/1 \"quoted\" back\\slash",
            referrer=r"https://a.example/\x22b",
        ),
    )

    agent = 'Chrome/1 "quoted" back\\slash'
    assert found == [('/café/"x"', 'https://a.example/"b', "Chrome", visitor(agent=agent))]


@pytest.mark.parametrize(
    ("text", "plain"),
    [(r"a\"b", 'a"b'), (r"\\x41", r"\x41"), (r"\x41", "A"), (r"\xff", "\N{REPLACEMENT CHARACTER}"), (r"\t", "\t")],
)
def test_an_escape_is_what_the_server_saw(text, plain):
    assert unescaped(text) == plain


# ---------------------------------------------------------------- what counts as a page


@pytest.mark.parametrize(
    ("asked", "status", "event"),
    [
        ("GET /pricing HTTP/1.1", 200, "page_view"),
        ("GET /pricing HTTP/1.1", 304, "page_view"),
        ("GET /index.php?x=a.css HTTP/1.1", 200, "page_view"),
        ("GET /v1.2/docs HTTP/1.1", 200, "page_view"),
        ("GET /report.PDF HTTP/1.1", 200, "content_downloaded"),
        ("GET /report.pdf HTTP/1.1", 206, "http_request"),
        ("GET /beacon HTTP/1.1", 204, "http_request"),
        ("GET /old HTTP/1.1", 301, "http_redirect"),
        ("GET /gone HTTP/1.1", 404, "page_not_found"),
        ("GET /gone HTTP/1.1", 410, "page_not_found"),
        ("GET /account HTTP/1.1", 403, "page_refused"),
        ("GET /checkout HTTP/1.1", 502, "page_error"),
        ("GET /slow HTTP/1.1", 499, "http_request"),
        ("GET /static/app.9f3.js?v=2 HTTP/1.1", 200, "asset_request"),
        ("GET /missing.png HTTP/1.1", 404, "asset_request"),
        ("HEAD /logo.svg HTTP/1.1", 200, "asset_request"),
        ("GET /.well-known/security HTTP/1.1", 200, "asset_request"),
        ("HEAD / HTTP/1.1", 200, "http_request"),
        ("POST /login HTTP/1.1", 302, "http_request"),
        ("OPTIONS * HTTP/1.0", 200, "http_request"),
        (r"\x16\x03\x01", 400, "http_request"),
        ("-", 408, "http_request"),
    ],
)
def test_a_page_is_what_somebody_asked_for_and_was_shown(logs, asked, status, event):
    assert events(logs, "event", line(asked, status=status)) == [(event,)]


def test_a_path_begins_with_one_slash_whatever_a_scanner_asks_for(logs):
    found = events(logs, "hostname, path", line("GET //wp-login.php HTTP/1.1"), line("GET http://h.example HTTP/1.1"))

    assert found == [(None, "/wp-login.php"), ("h.example", "/")]


def test_only_what_a_person_did_opens_a_session(logs):
    lines = [
        line("GET /style.css HTTP/1.1", at="10/Oct/2026:12:00:00 +0000"),
        line("GET / HTTP/1.1", at="10/Oct/2026:13:00:00 +0000"),
        line("GET /app.js HTTP/1.1", at="10/Oct/2026:13:25:00 +0000"),
        line("POST /poll HTTP/1.1", at="10/Oct/2026:13:29:00 +0000"),
        line("GET /gone HTTP/1.1", at="10/Oct/2026:13:50:00 +0000", status=404),
    ]
    logs.put("access.log", "".join(lines)).load()

    raw = logs.warehouse.query("SELECT *, anonymous_id AS customer_id, anonymous_id AS visitor_id FROM raw.web_events")
    timeline = build_timeline(raw.lazy(), journey=Journey()).collect()

    assert timeline["is_active"].to_list() == [False, True, False, False, True]
    assert timeline["session_id"].is_null().to_list() == [True, False, True, True, False]
    assert timeline["session_id"].n_unique() == 3


# ---------------------------------------------------------------- robots


@pytest.mark.parametrize(
    ("text", "is_bot"),
    [
        (line(), False),
        (line(agent=GOOGLEBOT), True),
        (line(agent="-"), True),
        (line(agent=""), True),
        (line("GET /robots.txt HTTP/1.1"), True),
        (f'{ADDRESS} - - [10/Oct/2026:13:55:36 -0700] "GET / HTTP/1.0" 200 2326\n', False),
    ],
)
def test_robots_are_labelled(logs, text, is_bot):
    assert events(logs, "is_bot", text) == [(is_bot,)]


# ---------------------------------------------------------------- books


def test_a_line_of_another_form_is_quarantined_with_its_text(logs):
    cut = line()[:-40] + "\n"
    logs.put(
        "access.log",
        line() + cut + "\n" + "hello\n" + line(at="10/Okt/2026:13:55:36 -0700") + line("GET /b", address="-"),
    ).load()

    assert [outcome for _, _, outcome in logs.outcomes()] == [
        "loaded", "quarantined", "blank", "quarantined", "quarantined", "quarantined",
    ]  # fmt: skip
    assert logs.rows("SELECT row, reason, field FROM raw.quarantine ORDER BY row") == [
        (2, "parse_error", None),
        (4, "parse_error", None),
        (5, "bad_time", "occurred_at"),
        (6, "missing_identity", None),
    ]
    assert logs.rows("SELECT raw_text FROM raw.quarantine WHERE row = 4") == [("hello",)]
    assert logs.rows("SELECT sum(rows_in) FROM raw.files") == [(6,)]


DAY = [
    line("GET / HTTP/1.1", at="10/Oct/2026:10:00:00 +0200"),
    line("GET /style.css HTTP/1.1", at="10/Oct/2026:10:00:01 +0200"),
    line("GET /a HTTP/1.1", at="10/Oct/2026:10:05:00 +0200"),
    line("GET /a HTTP/1.1", at="10/Oct/2026:10:05:00 +0200"),
    line("GET / HTTP/1.1", at="10/Oct/2026:08:02:00 +0000", address="198.51.100.4"),
]


def test_lines_in_any_order_and_in_any_files_are_the_same_events(tmp_path):
    whole = Workspace(tmp_path / "whole", web=LOG).put("access.log", "".join(DAY))
    split = Workspace(tmp_path / "split", web=LOG)
    split.put("access.log.1.gz", "".join(reversed(DAY[:3]))).put("access_2.txt", DAY[4] + DAY[0] + DAY[3])

    whole.load()
    split.load()

    assert whole.tables() == split.tables()
    assert len(whole.tables()["raw.web_events"]) == 4


def test_a_log_that_is_delivered_again_in_part_gives_duplicates(logs):
    logs.put("access.log", "".join(DAY)).load()

    logs.put("access.log.1", "".join(DAY[2:]) + line("GET /late HTTP/1.1")).load()

    again = [outcome for path, _, outcome in logs.outcomes() if path == "access.log.1"]
    assert again == ["duplicate", "duplicate", "duplicate", "loaded"]


def test_equal_lines_count_each_where_the_journey_says_so(tmp_path):
    logs = Workspace(tmp_path, web={**LOG, "identical_rows": "keep"})

    assert len(events(logs, "event", *DAY)) == 5


def test_the_business_names_the_host_of_a_log_without_one(tmp_path):
    host = {"first": ["@host", {"value": "www.acme.example"}]}
    logs = Workspace(tmp_path, web={**LOG, "fields": {"hostname": host}})

    found = events(logs, "hostname", line(), line(before="shop.acme.example "))

    assert found == [("www.acme.example",), ("shop.acme.example",)]

"""Notices, against a real HTTP server and a real mail server on this machine."""

import json
import socket
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller

from pipelines import notices as room
from pipelines.errors import ConfigurationError, DataError
from pipelines.notices import Notice, Notices, alert_notices, late_sources, send
from pipelines.run import run_in_process
from pipelines.settings import Workspace

FAILED = Notice("failed", "check failed: core.sessions")
NIGHT = datetime(2026, 3, 2, 2, tzinfo=UTC)


class Hook:
    """A web server that keeps what is posted, and answers as it is told."""

    def __init__(self):
        self.bodies, self.answers = [], []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                hook.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(hook.answers.pop(0) if hook.answers else 200)
                self.end_headers()

            def log_message(self, *_said):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}/secret-token"


class Mailbox:
    """A mail server that keeps what comes."""

    def __init__(self):
        self.letters = []

    async def handle_DATA(self, _server, _session, envelope):
        self.letters.append((envelope.mail_from, envelope.rcpt_tos, envelope.content.decode()))
        return "250 OK"


@pytest.fixture
def hook(monkeypatch):
    made = Hook()
    monkeypatch.setenv("JOURNEYS_WEBHOOK_URL", made.address)
    yield made
    made.server.shutdown()


@pytest.fixture
def mailbox(monkeypatch):
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    monkeypatch.setenv("JOURNEYS_SMTP_URL", f"smtp://127.0.0.1:{port}")
    monkeypatch.setenv("JOURNEYS_MAIL_FROM", "journeys@shop.example")
    yield box
    controller.stop()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(room.time, "sleep", lambda _seconds: None)


def test_a_webhook_gets_the_business_a_text_and_the_facts(hook):
    assert send(Notices(webhook=True), "Shop", [FAILED]) == []

    assert hook.bodies == [
        {
            "business": "Shop",
            "text": "Shop: failed: check failed: core.sessions",
            "notices": [{"kind": "failed", "line": "check failed: core.sessions", "facts": {}}],
        }
    ]


def test_a_mail_goes_to_everybody_with_all_notices(mailbox):
    late = Notice("late", "source 'web' is late")

    assert send(Notices(email=("ops@shop.example", "boss@shop.example")), "Shop", [FAILED, late]) == []

    ((sender, to, content),) = mailbox.letters
    assert (sender, to) == ("journeys@shop.example", ["ops@shop.example", "boss@shop.example"])
    assert "Subject: Shop: failed: check failed: core.sessions (and 1 more)" in content
    assert "late: source 'web' is late" in content


def test_a_line_break_in_a_notice_makes_no_header(mailbox):
    send(Notices(email=("ops@shop.example",)), "Shop", [Notice("failed", "x\r\nBcc: spy@evil.example")])

    assert mailbox.letters[0][1] == ["ops@shop.example"]
    assert "\nBcc:" not in mailbox.letters[0][2].split("\r\n\r\n")[0]


def test_nothing_is_sent_when_all_is_well(hook, mailbox):
    assert send(Notices(webhook=True, email=("ops@shop.example",)), "Shop", []) == []

    assert (hook.bodies, mailbox.letters) == ([], [])


def test_a_server_that_stumbles_is_asked_again(hook):
    hook.answers = [503, 502]

    assert send(Notices(webhook=True), "Shop", [FAILED]) == []
    assert len(hook.bodies) == 3


def test_what_is_refused_is_not_sent_again_and_told_without_the_address(hook):
    hook.answers = [404]

    (problem,) = send(Notices(webhook=True), "Shop", [FAILED])

    assert problem == "the webhook could not be sent: the server answered 404 Not Found"
    assert len(hook.bodies) == 1


def test_a_server_that_is_not_there_is_told_without_its_address(monkeypatch):
    monkeypatch.setenv("JOURNEYS_SMTP_URL", "smtp://ann:secret@127.0.0.1:1")
    monkeypatch.setenv("JOURNEYS_MAIL_FROM", "journeys@shop.example")

    (problem,) = send(Notices(email=("ops@shop.example",)), "Shop", [FAILED])

    assert problem == "the e-mail could not be sent: the server cannot be reached (ConnectionRefusedError)"


def test_one_way_that_fails_does_not_hold_the_other_back(hook, mailbox):
    hook.answers = [404]

    assert len(send(Notices(webhook=True, email=("ops@shop.example",)), "Shop", [FAILED])) == 1
    assert len(mailbox.letters) == 1


@pytest.mark.parametrize("address", ["", "file:///etc/passwd", "ftp://x.example"])
def test_a_missing_or_strange_address_is_told(monkeypatch, address):
    monkeypatch.setenv("JOURNEYS_WEBHOOK_URL", address)

    (problem,) = send(Notices(webhook=True), "Shop", [FAILED])

    assert "JOURNEYS_WEBHOOK_URL" in problem


def test_a_source_is_late_after_its_time_and_not_at_it():
    newest = {"web": NIGHT - timedelta(hours=36), "crm": NIGHT - timedelta(hours=36, seconds=1), "ads": None}

    assert [notice.facts for notice in late_sources(newest, at=NIGHT, after=timedelta(hours=36))] == [{"source": "crm"}]
    assert late_sources(newest, at=NIGHT, after=None) == []


def test_an_alert_says_figure_counts_interval_limit_and_owner():
    row = {
        "metric": "funnel_rate", "subject": "checkout", "direction": "below", "limit": 0.3, "owner": "growth", "numerator": 200,
        "denominator": 1000, "value": 0.2, "low": 0.176, "high": 0.226, "is_crossed": True, "is_news": True, "since": NIGHT,
    }  # fmt: skip

    (notice,) = alert_notices([row, {**row, "is_news": False}])

    assert notice.line == (
        "funnel_rate of 'checkout' is 20.0% (200 of 1,000, 95 % interval 17.6% to 22.6%), below 30.0%; owner: growth"
    )


# ---------------------------------------------------------------- a whole run

JOURNEY = """
preset: ecommerce
landing: {quiet: 0s}
notices: {webhook: true, late_after: 36h}
alerts: [{metric: quarantined_share, of: web, above: 0.05, judged_by: value, owner: data team}]
sources:
  web:
    format: ndjson
    files: "*.ndjson"
    fields: {event_id: id, event: event, occurred_at: at, anonymous_id: cookie}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    (tmp_path / "landing").mkdir()
    (tmp_path / "journey.yaml").write_text(JOURNEY)
    (tmp_path / ".env").write_text("JOURNEYS_HMAC_KEY=test\n")
    rows = [
        {"id": str(number), "event": "page_view", "at": f"2026-01-01T10:{number:02d}:00Z", "cookie": "c"}
        for number in range(9)
    ]
    lines = [json.dumps(row) for row in rows]
    (tmp_path / "landing" / "a.ndjson").write_text("\n".join([*lines, "broken"]) + "\n")
    return Workspace(tmp_path)


def test_a_run_tells_of_late_sources_and_of_an_alert_once(place, hook):
    for _ in range(2):
        assert run_in_process(place, say=lambda _line: None) == []

    kinds = [[notice["kind"] for notice in body["notices"]] for body in hook.bodies]
    assert kinds == [["late", "alert"], ["late"]]


def test_a_run_that_fails_is_told(place, hook):
    (place.landing / "a.ndjson").unlink()

    with pytest.raises(DataError):
        run_in_process(place, say=lambda _line: None)

    assert [notice["kind"] for notice in hook.bodies[0]["notices"]] == ["failed"]
    assert "no file under" in hook.bodies[0]["text"]


def test_an_alert_on_what_is_not_there_is_refused_with_the_nearest(place):
    place.journey_file.write_text(JOURNEY.replace("of: web", "of: wep"))

    with pytest.raises(ConfigurationError, match="did you mean 'web'"):
        _ = place.configuration

"""Audiences: handed over once each, through nights that are repeated, killed and merged."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import polars as pl
import pytest

from pipelines import answers, audiences
from pipelines.erasure import erase
from pipelines.errors import ConfigurationError, DataError
from pipelines.run import run_in_process
from pipelines.settings import Workspace

JOURNEY = """preset: ecommerce
landing: {quiet: 0s}
sources:
  web:
    format: ndjson
    files: "*.ndjson"
    fields: {event_id: id, event: event, occurred_at: at, anonymous_id: cookie, user_id: user}
    properties: [marketing]
segments:
  - {name: members, customer: {purchase_count: {gte: 1}}}
"""
ORDERS = "audiences: [{name: buyers, stage: purchase, consent: marketing}]\n"


def event(number: int, name: str, cookie: str, user: str | None = None, marketing: str | None = None) -> str:
    at = f"2026-01-05T{number // 60:02d}:{number % 60:02d}:00Z"
    return json.dumps(
        {"id": f"e{number}", "event": name, "at": at, "cookie": cookie, "user": user, "marketing": marketing}
    )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    (tmp_path / "landing").mkdir()
    (tmp_path / ".env").write_text("JOURNEYS_HMAC_KEY=key\n")
    (tmp_path / "journey.yaml").write_text(JOURNEY + ORDERS)
    land(Workspace(tmp_path), event(1, "order_placed", "a", "ann", "yes"), event(2, "order_placed", "b", "bob", "no"))
    return Workspace(tmp_path)


def land(place: Workspace, *lines: str) -> None:
    name = f"{len(list(place.landing.glob('*.ndjson')))}.ndjson"
    (place.landing / name).write_text("\n".join(lines) + "\n")


def night(place: Workspace) -> list[str]:
    return run_in_process(Workspace(place.root), say=lambda _line: None)


def written(place: Workspace, audience: str = "buyers") -> list[str]:
    files = sorted((place.audiences / audience).glob("*.csv"))
    return [user for file in files for user in pl.read_csv(file, infer_schema=False)["user_id"]]


def test_each_is_written_once_over_nights_that_are_repeated_killed_and_merged_and_an_erased_person_leaves_the_files(
    place: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(place)
    night(place)
    assert written(place) == ["ann"]
    assert answers.sql(place, "SELECT entries, new_entries, without_consent FROM ops.audiences")[1] == [(2, 0, 1)]

    land(place, event(3, "order_placed", "c", "cat", "yes"))
    with monkeypatch.context() as killed:
        killed.setattr(audiences, "append", lambda file, batches: append_planned(file, batches))
        with pytest.raises(DataError, match="SystemExit: 9"):
            night(place)
    night(place)
    assert sorted(written(place)) == ["ann", "cat"]

    land(place, event(4, "login", "c", "ann"), event(5, "order_placed", "d", "dan", "yes"))
    night(place)
    assert sorted(written(place)) == ["ann", "cat", "dan"]

    erase(Workspace(place.root), "user_id:cat", run=lambda: night(place), say=lambda _line: None)
    assert sorted(written(place)) == ["ann", "dan"]


append = audiences.append


def append_planned(file: Path, batches: list[audiences.Batch]) -> None:
    """The journal of a run that is killed after a file is written and before that is noted."""
    if batches[0].state == audiences.DONE:
        raise SystemExit(9)
    append(file, batches)


class Receiver(BaseHTTPRequestHandler):
    """Refuses the first post, and takes the others."""

    posts: list[tuple[str, dict[str, object]]]

    def do_POST(self) -> None:
        """Take a post."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.posts.append((self.headers["Idempotency-Key"], body))
        self.send_response(500 if len(self.posts) == 1 else 200)
        self.end_headers()

    def log_message(self, *_said: object) -> None:
        """Say nothing."""


@pytest.fixture
def posts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, dict[str, object]]]]:
    Receiver.posts = []
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv(audiences.WEBHOOK_VARIABLE, f"http://127.0.0.1:{server.server_port}/")
    yield Receiver.posts
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_post_that_fails_is_told_and_made_again_under_the_same_key(
    place: Workspace, posts: list[tuple[str, dict[str, object]]]
) -> None:
    place.journey_file.write_text(JOURNEY + "audiences: [{name: members, segment: members, to: webhook}]\n")

    assert night(place) == [
        "audience 'members' could not be handed over: the server answered 500 Internal Server Error"
    ]
    assert night(place) == []
    assert night(place) == []

    assert len(posts) == 2
    assert posts[0] == posts[1]
    assert sorted(entry["user_id"] for entry in posts[1][1]["entries"]) == ["ann", "bob"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("{name: a, stage: purchas}", "no stage 'purchas' (did you mean 'purchase'?)"),
        ("{name: a, segment: member}", "no segment 'member' (did you mean 'members'?)"),
        ("{name: a, funnel: checkout, stopped_at: add_to_crt}", "no step 'add_to_crt' (did you mean 'add_to_cart'?)"),
        ("{name: ../a, stage: purchase}", "audiences"),
        ("{name: a, stage: purchase}, {name: a, segment: members}", "the name 'a' is given twice"),
    ],
)
def test_an_audience_of_what_is_not_there_is_refused(tmp_path: Path, said: str, problem: str) -> None:
    (tmp_path / "journey.yaml").write_text(f"{JOURNEY}audiences: [{said}]\n")

    with pytest.raises(ConfigurationError) as refused:
        Workspace(tmp_path).configuration  # noqa: B018

    assert problem in str(refused.value)

"""Object storage: what lands of a bucket, once; what is told when it cannot; against an S3 server that runs here."""

import gzip
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from datetime import timedelta
from functools import cache
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer
from obstore.store import AzureStore, GCSStore
from typer.testing import CliRunner

from pipelines import remote
from pipelines.assets import raw
from pipelines.cli import app
from pipelines.demo import make_workspace
from pipelines.errors import DataError
from pipelines.ingest import load_new_files
from pipelines.landing import discover, look, settled_files
from pipelines.night import Night
from pipelines.preview import preview
from pipelines.remote import Buckets, Pattern, Shelf, StoredObject
from pipelines.sensors import bucket_sensor
from pipelines.settings import Workspace
from pipelines.settling import AT_ONCE
from pipelines.warehouse import Warehouse
from transforms.journey import Journey
from transforms.mapping import Source

ROOT = Path(__file__).resolve().parents[2]
SECRET = "not-to-be-told"
HEADER = "id,action,at,user\n"


@pytest.fixture(scope="module")
def server():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    yield "http://{}:{}".format(*running.get_host_and_port())
    running.stop()


@pytest.fixture(autouse=True)
def environment(server, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "AZURE_"))]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(remote, "RETRIES", {"max_retries": 1, "retry_timeout": timedelta(seconds=5)})


@pytest.fixture
def s3(server):
    """A client of a server that holds one empty bucket, acme."""
    client = boto3.client("s3", endpoint_url=server)
    _tell(server, "/moto-api/reset")
    client.create_bucket(Bucket="acme")
    return client


@pytest.fixture
def locked(server, s3):
    """A server that asks for credentials; its user `reader` has the key and secret that are given."""
    iam = boto3.client("iam", endpoint_url=server)
    iam.create_user(UserName="reader")
    said = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="reader", PolicyName="all", PolicyDocument=json.dumps(said))
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    _tell(server, "/moto-api/reset-auth", "0")
    yield key["AccessKeyId"], key["SecretAccessKey"]
    _tell(server, "/moto-api/reset-auth", "inf")


def _tell(server, path, body=None):
    connection = HTTPConnection(server.removeprefix("http://"))
    connection.request("POST", path, body=body)
    assert connection.getresponse().status == 200


@cache
def empty_warehouse():
    """The bytes of a warehouse without rows, made once."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Warehouse(Path(folder) / "empty.duckdb")
        with empty.opened():
            pass
        return empty.path.read_bytes()


class Place:
    """A landing folder and a warehouse."""

    def __init__(self, folder, **patterns):
        self.landing = folder / "landing"
        self.landing.mkdir(exist_ok=True)
        self.warehouse = Warehouse(folder / "build.duckdb")
        self.warehouse.path.write_bytes(empty_warehouse())
        self.sources = sources(**patterns)

    def load(self):
        return load_new_files(self.warehouse, self.landing, self.sources, journey=Journey(), hmac_key=b"key")

    def discover(self):
        return discover(self.landing, self.sources)

    def files(self):
        """Every file below the landing folder but the journals."""
        found = sorted(path for path in self.landing.rglob("*") if path.is_file())
        return [path.relative_to(self.landing).as_posix() for path in found if "_journal" not in path.parts]

    def journal(self):
        return (self.landing / "_journal" / "remote.ndjson").read_text()


def sources(**patterns):
    fields = {"event_id": "id", "event": "action", "occurred_at": "at", "user_id": "user"}
    return {
        name: Source.model_validate({"format": "csv", "files": pattern, "fields": fields})
        for name, pattern in patterns.items()
    }


def rows(*ids, action="buy"):
    return (HEADER + "".join(f"{event_id},{action},2026-01-31 09:00:00,ann\n" for event_id in ids)).encode()


def put(s3, key, content, **said):
    s3.put_object(Bucket="acme", Key=key, Body=content, **said)


# ---------------------------------------------------------------- landing


def test_objects_land_as_files_and_load(s3, tmp_path):
    put(s3, "exports/2026/a.csv", rows("1", "2"))
    put(s3, "exports/b.csv.gz", gzip.compress(rows("3")), ContentEncoding="gzip")
    put(s3, "exports/readme.txt", b"no csv")
    place = Place(tmp_path, shop="s3://acme/exports/**/*.csv*")

    summary = place.load()

    assert (summary.problems, summary.outcomes) == ([], {"loaded": 3})
    assert {re.sub(r"[0-9a-f]{16}-", "", path) for path in place.files()} == {
        "_remote/s3/acme/exports/2026/a.csv",
        "_remote/s3/acme/exports/b.csv.gz",
    }


def test_the_journal_tells_what_was_fetched(s3, tmp_path):
    put(s3, "a.csv", rows("1"))
    place = Place(tmp_path, shop="s3://acme/*.csv")

    place.discover()

    entry = json.loads(place.journal())
    listed = s3.list_objects_v2(Bucket="acme")["Contents"][0]
    assert (entry["url"], entry["etag"], entry["bytes"]) == ("s3://acme/a.csv", listed["ETag"], listed["Size"])
    assert entry["modified"] == listed["LastModified"].isoformat()
    assert [entry["path"]] == place.files()


@pytest.mark.parametrize(
    ("happens", "problem"),
    [
        (lambda s3: put(s3, "a.csv", rows("2")), "it was replaced while it was being fetched; the next run fetches"),
        (lambda s3: s3.delete_object(Bucket="acme", Key="a.csv"), "it is not there any more"),
    ],
    ids=["replaced", "deleted"],
)
def test_an_object_that_changes_before_it_is_fetched_is_told(s3, tmp_path, happens, problem):
    put(s3, "a.csv", rows("1"))
    place = Place(tmp_path, shop="s3://acme/*.csv")
    buckets = Buckets.asked([Pattern("shop", "s3://acme/*.csv")])
    happens(s3)

    failures = Shelf(place.landing).fetch(buckets.matched[buckets.patterns[0]], buckets.stores)

    assert list(failures) == ["s3://acme/a.csv"]
    assert failures["s3://acme/a.csv"].startswith(problem)
    assert place.files() == []


def test_what_has_landed_is_not_fetched_again(s3, tmp_path):
    put(s3, "a.csv", rows("1"))
    place = Place(tmp_path, shop="s3://acme/*.csv")
    place.load()
    before = (place.journal(), [(place.landing / path).stat() for path in place.files()])

    summary = place.load()

    assert (summary.files_loaded, summary.problems) == (0, [])
    assert (place.journal(), [(place.landing / path).stat() for path in place.files()]) == before


def test_a_replaced_object_lands_beside_the_old_one(s3, tmp_path):
    put(s3, "a.csv", rows("1", "2"))
    place = Place(tmp_path, shop="s3://acme/*.csv")
    place.load()
    put(s3, "a.csv", rows("1", "3") + rows("2", action="look").removeprefix(HEADER.encode()))

    summary = place.load()

    assert sum(summary.outcomes.values()) == 3
    assert place.warehouse.query("SELECT outcome, count(*) FROM raw.row_outcomes GROUP BY ALL ORDER BY ALL").rows() == [
        ("conflict", 1),
        ("duplicate", 1),
        ("loaded", 3),
    ]
    assert len(place.files()) == 2


def test_a_bucket_that_is_gone_is_told_and_what_landed_is_read_all_the_same(s3, tmp_path):
    put(s3, "a.csv", rows("1"))
    place = Place(tmp_path, shop="s3://acme/*.csv")
    place.load()
    s3.delete_object(Bucket="acme", Key="a.csv")
    emptied = place.load()
    s3.delete_bucket(Bucket="acme")
    place.warehouse = Warehouse(tmp_path / "anew.duckdb")

    rebuilt = place.load()

    assert emptied.problems == []
    assert rebuilt.outcomes == {"loaded": 1}
    assert [problem for *_, problem in rebuilt.problems] == [
        "there is no such bucket; check its name, the account and the endpoint (NoSuchBucket)"
    ]


def test_what_landed_can_be_read_without_the_bucket_by_a_pattern_that_names_its_folder(s3, tmp_path):
    put(s3, "web/a.csv", rows("1"))
    place = Place(tmp_path, shop="s3://acme/web/*.csv")
    place.load()
    place.sources = sources(shop="_remote/s3/acme/web/*.csv")
    s3.delete_object(Bucket="acme", Key="web/a.csv")

    summary = place.load()

    assert (summary.outcomes, summary.problems) == ({"loaded": 1}, [])


def test_a_landed_file_that_was_deleted_is_fetched_again_while_the_bucket_has_it(s3, tmp_path):
    put(s3, "a.csv", rows("1"))
    place = Place(tmp_path, shop="s3://acme/*.csv")
    place.discover()
    before = place.files()
    (place.landing / before[0]).unlink()

    place.discover()

    assert place.files() == before


def test_a_file_that_landed_without_its_line_in_the_journal_is_taken_as_it_is(s3, tmp_path):
    put(s3, "a.csv", rows("1"))
    place = Place(tmp_path, shop="s3://acme/*.csv")
    place.discover()
    said, status = json.loads(place.journal()), (place.landing / place.files()[0]).stat()
    (place.landing / "_journal" / "remote.ndjson").write_text('{"url": "s3://ac')

    found = place.discover()

    assert [file.relative for file in found.files] == place.files()
    assert {**json.loads(place.journal().splitlines()[-1]), "landed_at": None} == {**said, "landed_at": None}
    assert (place.landing / place.files()[0]).stat() == status


def test_urls_and_local_patterns_mix_and_a_local_pattern_does_not_see_what_was_fetched(s3, tmp_path):
    put(s3, "a.csv", rows("1"))
    place = Place(tmp_path, shop=["s3://acme/*.csv", "**/*.csv"], other="other/*.csv")
    (place.landing / "local.csv").write_bytes(rows("2"))
    place.discover()

    found = place.discover()

    assert [(file.source, file.relative.split("/")[0]) for file in found.files] == [
        ("shop", "_remote"),
        ("shop", "local.csv"),
    ]
    assert found.refused == []
    assert [(name, pattern) for name, pattern, _ in found.unmatched] == [("other", "other/*.csv")]


def test_an_object_that_two_sources_match_is_refused(s3, tmp_path):
    put(s3, "a.csv", rows("1"))
    place = Place(tmp_path, shop="s3://acme/*.csv", web="s3://acme/a*")

    found = place.discover()

    assert [(name, why) for name, _, why in found.refused] == [
        ("web", "also matched by the source 'shop'; make the patterns tell them apart")
    ]


def test_objects_without_bytes_and_hidden_ones_are_left_out(s3, tmp_path):
    for key, content in {
        "x/": b"",
        "x/empty.csv": b"",
        "x/.a.csv": b"hidden",
        ".y/a.csv": b"hidden",
        "x/b.csv": rows("1"),
    }.items():
        put(s3, key, content)
    place = Place(tmp_path, shop="s3://acme/**/*")

    place.discover()

    assert [json.loads(line)["url"] for line in place.journal().splitlines()] == ["s3://acme/x/b.csv"]


def test_more_objects_than_a_page_holds_are_all_found(s3, tmp_path):
    for number in range(1_200):
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object("acme", f"many/{number:04}.csv", b"x")
    place = Place(tmp_path, shop="s3://acme/many/**/*.csv", flat="s3://acme/many/*")

    found = look(place.landing, place.sources)

    assert {name: len(objects) for name, objects in found.waiting.items()} == {"shop": 1_200, "flat": 1_200}


def test_an_object_larger_than_a_piece_lands_whole(s3, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "CHUNK_BYTES", 1 << 16)
    content = os.urandom((1 << 20) + 7)
    put(s3, "big.csv", content)
    place = Place(tmp_path, shop="s3://acme/big.csv")

    place.discover()

    assert (place.landing / place.files()[0]).read_bytes() == content


def test_check_says_how_many_objects_wait_and_writes_nothing(s3, tmp_path):
    place = Place(tmp_path, shop="s3://acme/*.csv")
    put(s3, "a.csv", rows("1"))
    place.load()
    before = [(path, path.stat().st_mtime_ns) for path in sorted(place.landing.rglob("*"))]
    put(s3, "b.csv", rows("2"))
    put(s3, "c.csv", rows("3"))

    seen = preview(place.landing, place.sources, journey=Journey())[0]

    assert (seen.files, seen.waiting, seen.rows_sampled, seen.problems) == (1, 2, 1, [])
    assert [(path, path.stat().st_mtime_ns) for path in sorted(place.landing.rglob("*"))] == before


def test_check_of_a_source_of_which_nothing_has_landed_yet_is_no_error(s3, tmp_path):
    put(s3, "a.csv", rows("1"))
    place = Place(tmp_path, shop="s3://acme/*.csv")

    seen = preview(place.landing, place.sources, journey=Journey())[0]

    assert (seen.files, seen.waiting, seen.problems) == (0, 1, [])


# ---------------------------------------------------------------- what goes wrong


def test_a_missing_bucket_is_told_and_other_sources_go_on(s3, tmp_path):
    put(s3, "a.csv", rows("1"))
    place = Place(tmp_path, shop="s3://acme/*.csv", crm="s3://no-such-bucket/*.csv", web="s3://acme/web/*.csv")

    summary = place.load()

    assert summary.outcomes == {"loaded": 1}
    assert [(pattern, name) for pattern, name, _ in summary.problems] == [
        ("s3://no-such-bucket/*.csv", "crm"),
        ("s3://acme/web/*.csv", "web"),
    ]
    assert "there is no such bucket" in summary.problems[0][2]
    assert summary.problems[1][2] == 'no object matches sources.web.files "s3://acme/web/*.csv"'


@pytest.mark.parametrize("pattern", ["s3://acme/*.csv", "s3://acme/**/*.csv", "s3://acme/a.csv"])
def test_wrong_credentials_are_told_without_the_secret(locked, tmp_path, pattern):
    place = Place(tmp_path, shop=pattern, local="*.csv")
    (place.landing / "local.csv").write_bytes(rows("2"))

    summary = place.load()

    assert summary.outcomes == {"loaded": 1}
    assert "access was refused; check the credentials in the environment" in summary.problems[0][2]
    assert SECRET not in repr(summary)


def test_the_profile_that_the_environment_names_is_used(s3, locked, tmp_path, monkeypatch):
    put_as(locked, s3, "a.csv", rows("1"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (tmp_path / "credentials").write_text("[night]\naws_access_key_id={}\naws_secret_access_key={}\n".format(*locked))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "night")

    summary = Place(tmp_path, shop="s3://acme/*.csv").load()

    assert (summary.outcomes, summary.problems) == ({"loaded": 1}, [])


def put_as(key, s3, name, content):
    """Put an object with these credentials."""
    boto3.client(
        "s3", endpoint_url=s3.meta.endpoint_url, aws_access_key_id=key[0], aws_secret_access_key=key[1]
    ).put_object(Bucket="acme", Key=name, Body=content)


def test_without_credentials_it_says_so(s3, tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")

    with pytest.raises(DataError, match="no credentials were found; set them in the environment"):
        Place(tmp_path, shop="s3://acme/*.csv").load()


@pytest.mark.parametrize(
    ("endpoint", "problem"),
    [("http://127.0.0.1:9", "the store could not be reached"), ("localhost", "the endpoint is no address")],
)
def test_a_store_that_nobody_can_reach_is_an_error_when_there_is_nothing_else(tmp_path, monkeypatch, endpoint, problem):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)

    with pytest.raises(DataError, match=rf"sources.shop.files s3://acme/\*.csv: {problem}"):
        Place(tmp_path, shop="s3://acme/*.csv").load()


def test_a_store_that_never_answers_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "TIMEOUTS", {**remote.TIMEOUTS, "read_timeout": "200ms"})
    with Silent() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)

        with pytest.raises(DataError, match="did not answer in time"):
            Place(tmp_path, shop="s3://acme/*.csv").load()


def test_a_key_that_leads_elsewhere_is_told_and_nothing_of_its_folder_lands(s3, tmp_path):
    put(s3, "bad/../../../escape.csv", rows("1"))
    put(s3, "good/a.csv", rows("2"))
    place = Place(tmp_path, bad="s3://acme/bad/**/*.csv", good="s3://acme/good/*.csv")

    summary = place.load()

    assert summary.outcomes == {"loaded": 1}
    assert "a key there has an empty, `.` or `..` part" in summary.problems[0][2]
    assert not list(tmp_path.rglob("*escape*"))


def test_odd_keys_land_inside_their_folder(s3, tmp_path):
    keys = [
        "a\\..\\b.csv",
        "%2E%2E/c.csv",
        "~/d.csv",
        "ü ñ/é.csv",
        "a:b|c?.csv",
        "l" * 1000 + ".csv",
        "/".join("d" * 480) + "/e.csv",
    ]
    for number, key in enumerate(keys):
        put(s3, f"odd/{key}", rows(str(number)))
    place = Place(tmp_path, shop="s3://acme/odd/**/*.csv")

    summary = place.load()

    assert (summary.outcomes, summary.problems) == ({"loaded": len(keys)}, [])
    assert all(path.startswith("_remote/s3/acme/") and path.endswith(".csv") for path in place.files())


def test_a_download_that_breaks_off_leaves_nothing_and_the_others_land(s3, server, tmp_path, monkeypatch):
    put(s3, "a.csv", rows("1"))
    put(s3, "b.csv", rows("2") * 50_000)
    place = Place(tmp_path, shop="s3://acme/*.csv")
    with Between(server, cut="/acme/b.csv") as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        broken = place.load()
    left = place.files()
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)

    mended = place.load()

    assert broken.outcomes == {"loaded": 1}
    assert broken.problems[0][2].startswith("1 of its 2 objects could not be fetched (s3://acme/b.csv: ")
    assert [path.split("-")[-1] for path in left] == ["a.csv"]
    assert mended.problems == []
    assert sorted(path.split("-")[-1] for path in place.files()) == ["a.csv", "b.csv"]


def test_a_run_that_is_killed_while_it_fetches_leaves_no_file_that_could_be_read(s3, server, tmp_path):
    put(s3, "a.csv", rows("1") * 100_000)
    place = Place(tmp_path, shop="s3://acme/*.csv")
    program = (
        "import sys; from pathlib import Path; from pipelines.landing import discover; from transforms.mapping import Source\n"
        "said = {'format': 'csv', 'files': 's3://acme/*.csv', 'fields': {'event': 'action'}}\n"
        "discover(Path(sys.argv[1]), {'shop': Source.model_validate(said)})"
    )
    with Between(server, hold="/acme/a.csv") as address:
        running = subprocess.Popen(
            [sys.executable, "-c", program, str(place.landing)],
            cwd=ROOT,
            env={**os.environ, "AWS_ENDPOINT_URL": address},
        )
        until(lambda: any((place.landing / path).stat().st_size for path in place.files()))
        running.send_signal(signal.SIGKILL)
        running.wait()
    left = place.files()

    found = place.discover()

    assert [path.split("/")[:2] for path in left] == [["_remote", ".incoming"]]
    assert [file.relative for file in found.files] == place.files()
    assert found.files[0].bytes == len(rows("1") * 100_000)


def until(happens):
    """Wait for something, at most ten seconds."""
    deadline = time.monotonic() + 10
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Silent:
    """A server that takes connections and never answers."""

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def __exit__(self, *_):
        self.socket.close()


class Between:
    """A server in front of the real one that sends half of one object, and then breaks off or holds."""

    def __init__(self, server, *, cut=None, hold=None):
        over = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                connection = HTTPConnection(server.removeprefix("http://"))
                connection.request("GET", self.path, headers=dict(self.headers))
                answer = connection.getresponse()
                body = answer.read()
                self.send_response(answer.status)
                for name in ("Content-Type", "ETag", "Last-Modified"):
                    if answer.headers[name]:
                        self.send_header(name, answer.headers[name])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                is_half = self.path in (cut, hold)
                self.wfile.write(body[: len(body) // 2] if is_half else body)
                if self.path == hold:
                    over.wait(20)
                self.close_connection = is_half

            def log_message(self, *_):
                pass

        self.over = over
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


# ---------------------------------------------------------------- the extra, the other clouds


def test_without_the_extra_the_product_runs_and_a_url_says_what_to_install(tmp_path):
    program = (
        "import sys; sys.modules['obstore'] = None; sys.modules['obstore.store'] = None\n"
        "import pipelines.cli, pipelines.ingest\n"
        "from pathlib import Path; from pipelines.landing import discover; from transforms.mapping import Source\n"
        "said = {'format': 'csv', 'files': ['s3://acme/*.csv', '*.csv'], 'fields': {'event': 'action'}}\n"
        "found = discover(Path(sys.argv[1]), {'shop': Source.model_validate(said)})\n"
        "print(len(found.files), found.refused)"
    )
    (tmp_path / "a.csv").write_bytes(rows("1"))

    said = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert said.startswith(
        "1 [('shop', 's3://acme/*.csv', \"object storage needs an extra: pip install 'journeys[storage]'\")]"
    )


@pytest.mark.parametrize(
    ("pattern", "variables", "store"),
    [
        ("gs://acme/*.csv", {"GOOGLE_SKIP_SIGNATURE": "true"}, GCSStore),
        ("az://acme/*.csv", {"AZURE_STORAGE_ACCOUNT_NAME": "firm"}, AzureStore),
    ],
)
def test_the_store_of_another_cloud_is_made_from_the_environment(pattern, variables, store, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert isinstance(remote._opened(Pattern("shop", pattern).bucket), store)


def test_azure_without_an_account_says_what_is_missing(tmp_path):
    with pytest.raises(DataError, match=r"[Aa]ccount"):
        Place(tmp_path, shop="az://acme/*.csv").discover()


# ---------------------------------------------------------------- patterns and names

GLOBS = [
    "*",
    "**/*",
    "*/*",
    "a/**/*.csv",
    "a/*.csv",
    "**/b/*",
    "a/?.csv",
    "[ab]/*",
    "[!a]/**/*.gz",
    "a/b/c.csv",
    "**/c.csv",
    "a/**/b/**/*",
]
KEYS = [
    "c.csv",
    "a/c.csv",
    "a/b/c.csv",
    "a/b/d/b/c.csv",
    "b/x.gz",
    "b/a/x.gz",
    "a/C.csv",
    "a/xy.csv",
    "ab/c.csv",
    "a b/c.csv",
    "a/b.d/c.csv",
]


@pytest.mark.parametrize("glob", GLOBS)
def test_a_pattern_matches_keys_as_it_matches_files(glob, tmp_path):
    for key in KEYS:
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_text("x")

    pattern = Pattern("shop", f"s3://acme/{glob}")

    assert {key for key in KEYS if pattern.fits(f"s3://acme/{key}")} == {
        path.relative_to(tmp_path).as_posix() for path in tmp_path.glob(glob) if path.is_file()
    }
    assert not pattern.fits("s3://acmeb/c.csv")


@pytest.mark.parametrize(
    ("glob", "folder", "reach"),
    [
        ("a/b.csv", "a/b.csv", "one"),
        ("a/b/*.csv", "a/b", "one folder"),
        ("*.csv", "", "one folder"),
        ("a/**", "a", "all below"),
        ("a/**/*.csv", "a", "all below"),
        ("a/2026-*/x.csv", "a", "all below"),
    ],
)
def test_a_bucket_is_asked_for_no_more_than_a_pattern_can_match(glob, folder, reach):
    pattern = Pattern("shop", f"gs://acme/{glob}")

    assert (pattern.folder, pattern.reach) == (folder, reach)


@given(st.text(min_size=1, max_size=1024), st.text(max_size=64))
def test_whatever_a_key_holds_its_file_lies_below_its_bucket(key, etag):
    item = StoredObject("s3://acme", key, etag, 1, "2026-01-31T00:00:00+00:00")

    folder = Path("/landing/_remote/s3/acme")
    path = Path(os.path.normpath(Path("/landing") / item.relative))
    assert path.is_relative_to(folder) and path != folder
    assert not any(part.startswith(".") for part in path.parts)
    assert len(path.name) <= 255 and len(str(path)) < 1_000 and str(path).isascii()


def test_another_state_of_an_object_is_another_file():
    def relative(**said):
        return StoredObject(
            **{"bucket": "s3://acme", "key": "a.csv", "etag": "", "bytes": 1, "modified": "x", **said}
        ).relative

    assert relative(etag='"1"') == relative(etag="1", bytes=2)
    assert len({relative(), relative(etag="1"), relative(etag="2"), relative(bytes=2), relative(modified="y")}) == 5


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("ftp://acme/*.csv", "'ftp://' cannot be read; allowed are .* s3://, gs://, az://"),
        ("https://KEY:not-to-be-told@acme/*.csv", "'https://' cannot be read"),
        ("s3://KEY:not-to-be-told@acme/*.csv", "names a bucket and nothing else"),
        ("az://acme/a.csv?sv=2026&sig=not-to-be-told", "names a bucket and nothing else"),
        ("s3://acme/a.csv?X-Amz-Signature=not-to-be-told", "names a bucket and nothing else"),
        ("s3:///a.csv", "names no bucket"),
        ("s3://ac*/a.csv", "names no bucket"),
        ("s3://../a.csv", "names no bucket"),
        ("s3://acme", "names no object"),
        ("s3://acme/", "names no object"),
        ("s3://acme/../a.csv", "names no object"),
        ("s3://acme/a**.csv", r"`\*\*` stands alone"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(pattern, problem):
    with pytest.raises(ValueError, match=problem) as caught:
        sources(shop=pattern)

    assert SECRET not in str(caught.value.errors()[0]["msg"])


# ---------------------------------------------------------------- the night


def test_check_tells_what_waits_and_the_night_fetches_it(s3, tmp_path):
    put(s3, "web/a.csv", rows("1", "2"))
    place = Workspace(workspace(tmp_path / "shop"))
    lines = []

    checked = CliRunner().invoke(app, ["check", "--workspace", str(place.root)])
    night = Night(place, say=lines.append)
    ran = dg.materialize([raw.landed], resources={"night": night})

    assert (checked.exit_code, ran.success) == (0, True)
    assert "Source shop: 0 files, 0 rows sampled; 1 object to be fetched" in checked.output
    assert lines[:2] == ["Fetching 1 object (0.0 MB)", "Fetched  1 object (0.0 MB)"]
    assert night.row_counts(["raw.web_events"]) == {"raw.web_events": 2}


def test_the_sensor_starts_one_run_for_objects_that_wait(s3, tmp_path, monkeypatch):
    place = workspace(tmp_path / "shop")
    monkeypatch.setenv("JOURNEYS_WORKSPACE", str(place))
    monkeypatch.setattr("pipelines.sensors.QUIET", timedelta(seconds=-2))
    put(s3, "web/a.csv", rows("1"))

    first, again = bucket_sensor(dg.build_sensor_context()), bucket_sensor(dg.build_sensor_context())
    discover(place / "landing", sources(shop="s3://acme/web/*.csv"))
    after = bucket_sensor(dg.build_sensor_context())

    assert isinstance(first, dg.RunRequest) and isinstance(again, dg.RunRequest)
    assert first.run_key == again.run_key
    assert isinstance(after, dg.SkipReason)


def test_what_was_fetched_does_not_look_like_something_that_was_put_there(s3, tmp_path):
    put(s3, "a.csv", rows("1"))
    place = Place(tmp_path, shop="s3://acme/*.csv")
    (place.landing / "local.csv").write_bytes(rows("2"))
    before = settled_files(place.landing, place.sources, settling=AT_ONCE)

    place.discover()

    assert settled_files(place.landing, place.sources, settling=AT_ONCE) == before


def workspace(folder):
    """A workspace whose one source reads s3://acme/web/."""
    place = make_workspace(folder, preset="ecommerce")
    place.journey_file.write_text(
        "preset: ecommerce\nsources:\n  shop:\n    format: csv\n    files: s3://acme/web/*.csv\n"
        "    fields: {event_id: id, event: action, occurred_at: at, user_id: user}\n"
    )
    return place.root

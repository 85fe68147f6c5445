"""Doors: what comes in from outside and tries to do more than to be counted. docs/threat-model.md names each."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipelines import answers
from pipelines.cli import app
from pipelines.errors import ConfigurationError, DataError
from pipelines.settings import Workspace, read_configuration

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "threat-model.md"
INJECTIONS = (
    "'; DROP TABLE core.events; --",
    '"; DELETE FROM raw.files; --',
    "$events); ATTACH 'x.duckdb'; --",
    "<script>window.ran = true</script>",
    "=cmd|'/c calc'!A1",
    "../../../../etc/passwd",
    "{{ 7 * 7 }}${7*7}",
    "\u202eevil\u0000",
)
MAIL, PHONE, NAME, STREET = "planted.person@mail.example", "+4917055512345", "Plantina Personsson", "Plantedstrasse 77"
TOKEN, ADDRESS = "tok_planted_secret_91", "203.0.113.77"
PLANTED = (MAIL, MAIL.upper(), PHONE, "0170 555 12345", NAME, "Personsson", STREET, TOKEN, ADDRESS)
CONFIGURATION = """preset: ecommerce
landing: {quiet: 0s}
sources:
  web: {format: segment, files: "web/*"}
  orders:
    format: csv
    kind: crm
    files: "orders*.csv"
    fields: {event_id: order_no, event: {value: order_placed}, occurred_at: at, user_id: who, email: mail, value: total, currency: {value: EUR}}
    properties: [note]
"""


def calls() -> Iterator[dict[str, object]]:
    """Events whose names, ids, properties and addresses want more than to be counted, and one person in every place."""
    for number, text in enumerate(INJECTIONS):
        yield {
            "messageId": f"m{number}", "type": "track", "event": text, "anonymousId": text, "userId": f"u{number}{text}",
            "timestamp": f"2026-01-05T09:0{number}:00Z", "properties": {text: text, "sku": text, "coupon": text},
            "context": {"page": {"url": f"https://shop.example/{text}", "title": text, "referrer": f"https://x.example/?q={text}"}},
        }  # fmt: skip
    person = {"email": MAIL, "phone": PHONE, "name": NAME, "lastName": "Personsson", "address": {"street": STREET}}
    page = {
        "url": f"https://shop.example/account/{MAIL}?token={TOKEN}&email={MAIL}#{TOKEN}", "title": f"Welcome {MAIL}",
        "referrer": f"https://mail.example/?u={MAIL}&t={TOKEN}",
    }  # fmt: skip
    spoken = {key: value for key, value in person.items() if key != "name"}  # of a track call it is the product's
    context = {"page": page, "ip": ADDRESS, "traits": person}
    at = {"timestamp": "2026-01-05T10:00:00Z", "context": context}
    yield {"messageId": "p1", "type": "identify", "anonymousId": "a1", "userId": "u1", "traits": person, **at}
    yield {"messageId": "p2", "type": "page", "anonymousId": "a1", "userId": MAIL, **at}
    yield {
        "messageId": "p3",
        "type": "track",
        "event": "Form Submitted",
        "anonymousId": MAIL,
        "properties": spoken,
        **at,
    }
    yield {
        "messageId": "p4",
        "type": "track",
        "event": "Broken",
        "anonymousId": "a1",
        "properties": person,
        "context": context,
    }


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str]:
    """A night over hostile rows in files with hostile names, run as a process; and all that it said."""
    folder = tmp_path_factory.mktemp("doors") / "shop"
    (folder / "landing" / "web").mkdir(parents=True)
    (folder / ".env").write_text("JOURNEYS_HMAC_KEY=key\n")
    (folder / "journey.yaml").write_text(CONFIGURATION)
    lines = "".join(json.dumps(call) + "\n" for call in calls())
    (folder / "landing" / "web" / "x'; DROP TABLE core.events; --.ndjson").write_text(
        lines + f"{{broken {MAIL} {TOKEN}\n"
    )
    (folder / "landing" / "web" / "<img src=x onerror=alert(1)>.ndjson").write_text(
        lines.replace('"messageId": "', '"messageId": "n')
    )
    rows = "".join(f'o{number},2026-01-06T10:00:00Z,u{number},{MAIL},10.00,"{text.replace(chr(34), chr(34) * 2)}"\n'
                   for number, text in enumerate(INJECTIONS[:6]))  # fmt: skip
    (folder / "landing" / "orders.csv").write_text("order_no,at,who,mail,total,note\n" + rows)
    command = [sys.executable, "-m", "pipelines.cli", "run", "--workspace", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Workspace(folder), done.stdout + done.stderr


def texts_of(place: Workspace, *schemas: str) -> Iterator[tuple[str, str]]:
    """Every text of the published warehouse in some schemas, with its column."""
    with duckdb.connect(str(place.published), read_only=True) as connection:
        columns = connection.sql(
            "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
        ).fetchall()
        for schema, table, column, kind in columns:
            if schema in schemas and ("VARCHAR" in kind or "JSON" in kind):
                found = connection.sql(f'SELECT DISTINCT "{column}"::VARCHAR FROM "{schema}"."{table}"').fetchall()
                yield from ((f"{schema}.{table}.{column}", text) for (text,) in found if text)


def test_names_and_values_that_look_like_sql_are_counted_like_any_other(shop: tuple[Workspace, str]) -> None:
    place, _ = shop

    events, skus = answers.sql(place, "SELECT count(*), count(DISTINCT properties->>'sku') FROM core.events")[1][0]

    assert (events, skus) == (2 * (len(INJECTIONS) + 3) + 6, len(INJECTIONS))
    assert answers.sql(place, "SELECT count(*) FROM raw.files")[1] == [(3,)]
    assert answers.sql(place, "SELECT bool_and(rows_in = loaded + duplicate + quarantined) FROM ops.balances")[1] == [
        (True,)
    ]


def test_no_value_of_a_person_leaves_the_landing_folder_in_clear(shop: tuple[Workspace, str]) -> None:
    place, said = shop

    found = [
        (where, value)
        for where, text in texts_of(place, "raw", "core", "mart", "ops")
        for value in PLANTED
        if value in text
    ]
    pages = [path for path in place.reports.rglob("*") if path.is_file()]
    drawn = [(path.name, value) for path in pages for value in PLANTED if value.encode() in path.read_bytes()]

    assert len(pages) > 20
    assert found + drawn + [value for value in PLANTED if value in said] == []


def test_a_script_in_the_data_stands_in_a_page_as_text_only(shop: tuple[Workspace, str]) -> None:
    place, _ = shop

    pages = [path.read_text() for path in place.reports.rglob("*.html")]

    assert not any("<script>window.ran" in page or "<img src=x" in page for page in pages)


def test_no_text_of_a_csv_begins_as_a_formula(shop: tuple[Workspace, str]) -> None:
    place, _ = shop

    cells = [cell for path in place.reports.rglob("*.csv") for cell in re.split(r'[,\r\n]"?', path.read_text())]

    assert not any(cell.startswith("=cmd") for cell in cells)


@pytest.mark.parametrize("text", [text for text in INJECTIONS if "\0" not in text])
@pytest.mark.parametrize(
    "option",
    ["name", "--segment", "--trend", "--drop-offs", "--shares", "--from", "--compare-to"],
)
def test_an_argument_of_a_funnel_that_is_no_name_ends_with_2_and_changes_nothing(
    shop: tuple[Workspace, str], option: str, text: str
) -> None:
    place, _ = shop
    before = place.published.stat().st_mtime_ns
    asked = ["--", text] if option == "name" else ["checkout", option, text]

    result = CliRunner().invoke(app, ["funnel", "-w", str(place.root), *asked])

    assert result.exit_code == 2, result.output
    assert place.published.stat().st_mtime_ns == before


@pytest.mark.parametrize("text", [text for text in INJECTIONS if "\0" not in text])
def test_a_property_of_any_name_can_split_a_funnel(shop: tuple[Workspace, str], text: str) -> None:
    place, _ = shop
    asked = ["checkout", "--breakdown", text, "--experiment", text, "--json"]

    result = CliRunner().invoke(app, ["funnel", "-w", str(place.root), *asked])

    assert result.exit_code == 0, result.output


# ---------------------------------------------------------------- fuzz

WORDS = st.sampled_from([
    "SELECT", "FROM", "core.events", "*", "(", ")", ";", "--", "'", '"', "COPY", "TO", "'/tmp/doors_fuzz.csv'", "ATTACH", "'/tmp/doors_fuzz.db'",
    "INSTALL", "LOAD", "httpfs", "read_csv('/etc/passwd')", "read_text('/etc/passwd')", "glob('/**')", "SET", "enable_external_access", "=", "true",
    "lock_configuration", "PRAGMA", "EXPORT DATABASE", "INSERT INTO", "DELETE FROM", "DROP TABLE", "UPDATE", "CALL", "UNION ALL", "WITH x AS",
    "getenv('HOME')", "pragma_database_list()", "duckdb_secrets()", "1", "$x", "\\", "\x00", "count(*)",
])  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WORDS, max_size=9))
@example(["COPY", "(", "SELECT", "1", ")", "TO", "'/tmp/doors_fuzz.csv'"])
@example(["SELECT", "*", "FROM", "read_text('/etc/passwd')"])
@example(["ATTACH", "'/tmp/doors_fuzz.db'"])
def test_whatever_is_asked_of_the_published_copy_nothing_else_is_read_or_written(
    shop: tuple[Workspace, str], words: list[str]
) -> None:
    place, _ = shop
    before = place.published.stat().st_mtime_ns

    try:
        _, rows = answers.sql(place, " ".join(words))
    except (ConfigurationError, DataError):
        rows = []

    assert "root:" not in repr(rows)
    assert place.published.stat().st_mtime_ns == before
    assert not Path("/tmp/doors_fuzz.csv").exists() and not Path("/tmp/doors_fuzz.db").exists()


TEXTS = st.sampled_from(
    [*INJECTIONS, "!!python/object/apply:os.system ['true']", "&a *a", "1e999", "-1d", "..", "/etc", "\ud7ff"]
) | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["sources", "funnels", "stages", "segments", "identity", "sessions", "engine", "landing", "kpis", "changes", "notices",
                        "alerts", "preset", "name", "time_zone", "currency", "conversions", "own_hosts", "stage_window"])  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(KEYS | TEXTS, VALUES, max_size=4), st.text(max_size=20))
def test_whatever_a_configuration_says_it_is_read_or_refused_with_a_reason(
    tmp_path_factory: pytest.TempPathFactory, said: dict[str, object], tail: str
) -> None:
    file = tmp_path_factory.mktemp("fuzz") / "journey.yaml"
    file.write_text(yaml.safe_dump(said, allow_unicode=True) + tail, encoding="utf-8", errors="replace")

    try:
        read_configuration(file)
    except ConfigurationError as error:
        assert str(file) in str(error)


def test_every_test_that_the_threat_model_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", GUIDE.read_text(encoding="utf-8")))

    there = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }

    assert len(named) > 20
    assert named - there == set()

"""The command line as users meet it: exit statuses, messages that name what is wrong, and answers as tables or JSON."""

import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from typer.testing import CliRunner

from pipelines import answers
from pipelines.cli import app
from pipelines.funnel_answers import told_drop_offs
from pipelines.settings import Workspace, workspace_at
from pipelines.tombstones import Step, note

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2026, 1, 5, 9)
CONFIGURATION = """preset: ecommerce
landing: {quiet: 0s}
time_zone: Europe/Berlin
sources:
  web: {format: segment, files: "web/**/*.ndjson*"}
  orders:
    format: csv
    kind: crm
    files: "shop/orders*.csv*"
    complete_to: 2026-01-31
    fields:
      event_id: order_no
      event: {value: order_placed}
      occurred_at: {from: ordered_at, time_zone: UTC}
      user_id: customer_no
      email: mail
      value: total
      currency: {value: EUR}
    properties: [shipping]
segments:
  - {name: buyers, customer: {purchase_count: {gte: 1}}}
  - {name: had bought, as_of: entry, in: [buyers]}
"""
WITHOUT_IDENTITY = '{"messageId": "x1", "type": "page", "timestamp": "2026-01-06T00:00:00Z"}'
WITHOUT_TIME = '{"messageId": "x2", "type": "page", "anonymousId": "a1"}'
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Mobile/15E148 Safari/604.1"
DESK = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36"


@dataclass(frozen=True)
class Told:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        """The JSON that was answered."""
        return json.loads(self.out)


def journeys(*arguments: str | Path) -> Told:
    """A command in this process."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], terminal_width=200)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Told(result.exit_code, result.stdout, result.stderr)


def journeys_process(*arguments: str | Path) -> Told:
    """A command in a process of its own."""
    command = [sys.executable, "-m", "pipelines.cli", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return Told(done.returncode, done.stdout, done.stderr)


# ---------------------------------------------------------------- a small business


def call(number: int, customer: int, minute: int, **said: Any) -> str:
    instant = START + timedelta(hours=5 * customer, minutes=minute)
    agent = PHONE if customer % 2 else DESK
    return json.dumps({"messageId": f"m{number}", "timestamp": f"{instant.isoformat()}Z", "anonymousId": f"a{customer}",
                       "context": {"userAgent": agent, "page": {"url": "https://www.shop.example/c/shoes"}}, **said})  # fmt: skip


def web_lines(customers: Sequence[int]) -> list[str]:
    lines: list[str] = []
    for customer in customers:
        steps: list[dict[str, Any]] = [{"type": "page"}, {"type": "track", "event": "Product Viewed"}]
        steps += [{"type": "track", "event": "Product Added"}] if customer % 3 else []
        known = {"userId": f"c{customer}"}
        steps += [{"type": "track", "event": "Checkout Started", **known}] if customer % 3 == 2 else []
        lines += [call(customer * 100 + place, customer, place, **step) for place, step in enumerate(steps)]
    return lines


def order_lines(customers: Sequence[int]) -> list[str]:
    header = "order_no,ordered_at,customer_no,mail,total,shipping"
    ordered = [customer for customer in customers if customer % 6 == 2]
    return [
        header,
        *(
            f"o{one},{START + timedelta(hours=5 * one, minutes=9)},c{one},{one}@mail.example,{one}.50,post"
            for one in ordered
        ),
    ]


def workspace(folder: Path, *, configuration: str = CONFIGURATION) -> Workspace:
    """A workspace as `init` makes it, with this configuration and nothing landed."""
    assert journeys("init", folder).status == 0
    (folder / "journey.yaml").write_text(configuration, encoding="utf-8")
    return Workspace(folder)


def land(place: Workspace, name: str, lines: Sequence[str]) -> None:
    path = place.landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text, mtime=0) if name.endswith(".gz") else text)


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def contents(place: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every table and view that holds no time of the run."""
    _, names = answers.sql(
        place,
        "SELECT schema || '.' || name FROM (SHOW ALL TABLES) WHERE schema IN ('raw', 'core', 'mart') ORDER BY ALL",
    )
    return {name: answers.sql(place, f"FROM {name} ORDER BY ALL")[1] for (name,) in names}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Told]:
    """One night over good files with two bad rows, run as a process."""
    place = workspace(tmp_path_factory.mktemp("night") / "shop")
    land(place, "web/one.ndjson.gz", [*web_lines(range(1, 25)), WITHOUT_IDENTITY, WITHOUT_TIME])
    land(place, "shop/orders.csv", order_lines(range(1, 25)))
    return place, journeys_process("run", "--workspace", place.root)


@pytest.fixture(scope="module")
def shop(night: tuple[Workspace, Told]) -> Workspace:
    """The published small business, to be read only."""
    place, told = night
    assert told.status == 0, told.err
    return place


@pytest.fixture
def own_shop(shop: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the published small business, to be changed."""
    return Workspace(shutil.copytree(shop.root, tmp_path / "shop"))


# ---------------------------------------------------------------- configuration and command


def test_a_wrong_configuration_ends_with_2_and_names_file_line_and_what_is_allowed(tmp_path: Path) -> None:
    place = workspace(tmp_path / "shop", configuration="name: Shop\nsessions:\n  timeot: 30m\n")

    told = journeys("run", "-w", place.root)

    assert told.status == 2
    assert (
        f"{place.journey_file}, line 3: sessions: unknown key 'timeot' (did you mean 'timeout'?); allowed: timeout, "
        in told.err
    )
    assert not (place.root / "warehouse").exists()


@pytest.mark.parametrize("command", ["run", "check", "report"])
def test_a_workspace_without_configuration_ends_with_2_and_says_how_to_make_one(command: str, tmp_path: Path) -> None:
    told = journeys(command, "-w", tmp_path)

    assert told.status == 2
    assert f"{tmp_path / 'journey.yaml'} does not exist; make a workspace with: journeys init" in told.err


@pytest.mark.parametrize("arguments", [["nonsense"], ["run", "--nonsense"], ["sql"], ["demo", "--events", "many"]])
def test_a_wrong_command_ends_with_2(arguments: list[str]) -> None:
    assert journeys(*arguments).status == 2


def test_an_unknown_preset_ends_with_2_and_names_the_presets(tmp_path: Path) -> None:
    told = journeys("init", tmp_path / "shop", "--preset", "shop")

    assert told.status == 2
    assert "unknown preset 'shop'; there are: b2b, ecommerce, saas, support" in told.err


# ---------------------------------------------------------------- init and sample


@pytest.mark.parametrize("preset", ["b2b", "ecommerce", "saas", "support"])
def test_init_makes_a_workspace_whose_configuration_is_valid(preset: str, tmp_path: Path) -> None:
    told = journeys("init", tmp_path / "shop", "--preset", preset)

    assert told.status == 0
    assert Workspace(tmp_path / "shop").configuration.preset == preset
    assert (tmp_path / "shop" / ".env").stat().st_mode & 0o077 == 0


def test_init_refuses_a_folder_that_has_a_journey_yaml_and_leaves_it(tmp_path: Path) -> None:
    place = workspace(tmp_path / "shop")
    before = bytes_below(place.root)

    told = journeys("init", place.root)

    assert told.status == 2
    assert f"{place.journey_file} exists" in told.err
    assert bytes_below(place.root) == before


def test_sample_takes_the_empty_landing_folder_of_init(tmp_path: Path) -> None:
    place = workspace(tmp_path / "shop")

    told = journeys("sample", "--events", 1000, "--days", 35, "-w", place.root)

    assert told.status == 0, told.err
    assert any((place.landing / "web").iterdir())
    assert place.journey_file.read_text(encoding="utf-8") == CONFIGURATION


def test_sample_gives_a_folder_without_configuration_that_of_the_sample(tmp_path: Path) -> None:
    told = journeys("sample", "--events", 1000, "--days", 35, "-w", tmp_path)

    assert told.status == 0, told.err
    assert {"web", "contacts"} <= set(Workspace(tmp_path).configuration.sources)


def test_sample_refuses_a_landing_folder_with_files_of_others(tmp_path: Path) -> None:
    place = workspace(tmp_path / "shop")
    land(place, "web/one.ndjson", web_lines([1]))
    before = bytes_below(place.root)

    told = journeys("sample", "--events", 1000, "--days", 35, "-w", place.root)

    assert told.status == 1
    assert f"{place.landing} was not made by `journeys sample`" in told.err
    assert bytes_below(place.root) == before


# ---------------------------------------------------------------- check


def test_check_tells_missing_columns_quarantine_and_unmapped_events_and_writes_nothing(tmp_path: Path) -> None:
    place = workspace(tmp_path / "shop")
    played = '{"messageId": "x3", "type": "track", "event": "Video Played", "anonymousId": "a1", "timestamp": "2026-01-06T00:00:00Z"}'
    land(place, "web/one.ndjson", [*web_lines([1]), WITHOUT_IDENTITY, WITHOUT_TIME, played])
    land(
        place,
        "shop/orders.csv",
        ["order_no,ordered_at,customer_no,total,shipping", "o1,2026-01-06 10:00:00,c1,12.50,post"],
    )
    before = bytes_below(place.root)

    told = journeys("check", "-w", place.root)

    assert told.status == 0, told.err
    assert "shop/orders.csv has no column 'mail'" in told.out
    assert "would be quarantined: 1 row, missing_identity" in told.out
    assert "would be quarantined: 1 row, missing_time" in told.out
    assert "would be quarantined: 1 row, wrong_columns" in told.out
    assert "4 events sampled; no stage rule maps 1 of them: video_played" in told.out
    assert bytes_below(place.root) == before


def test_check_answers_json(shop: Workspace) -> None:
    found = journeys("check", "-w", shop.root, "--json").answer

    assert [source["source"] for source in found["sources"]] == ["orders", "web"]
    assert found["problems"] == []


def test_check_ends_with_1_for_a_file_that_cannot_be_read_and_names_it(tmp_path: Path) -> None:
    place = workspace(tmp_path / "shop")
    land(place, "web/one.ndjson", web_lines([1]))
    land(place, "shop/orders.csv", order_lines([2]))
    (place.landing / "web" / "two.ndjson.gz").write_bytes(b"not gzip")

    told = journeys("check", "-w", place.root)

    assert told.status == 1
    assert "Problem: web/two.ndjson.gz: not a complete gzip file" in told.out


# ---------------------------------------------------------------- a night, and what comes after it


def test_rows_without_time_or_identity_are_quarantined_and_the_night_is_fine(night: tuple[Workspace, Told]) -> None:
    place, told = night

    status = journeys("status", "-w", place.root)

    assert (told.status, status.status) == (0, 0)
    assert "Quarantine web: 1 row missing_identity, first web/one.ndjson.gz row 73" in status.out
    assert "Quarantine web: 1 row missing_time (occurred_at), first web/one.ndjson.gz row 74" in status.out


def test_a_night_says_where_the_report_and_the_warehouse_lie(night: tuple[Workspace, Told]) -> None:
    place, told = night

    assert f"Report     {place.reports / 'latest' / 'index.html'}" in told.out
    assert f"Warehouse  {place.published}" in told.out


def test_status_answers_json(shop: Workspace) -> None:
    state = journeys("status", "-w", shop.root, "--json").answer

    assert state["run"]["status"] == "ok"
    assert {(row["reason"], row["rows"]) for row in state["quarantine"]} == {
        ("missing_identity", 1),
        ("missing_time", 1),
    }
    assert all(row["rows_in"] == row["loaded"] + row["quarantined"] for row in state["sources"])


def test_a_file_that_is_still_being_written_waits_for_the_next_run_and_is_told(own_shop: Workspace) -> None:
    said = own_shop.journey_file.read_text(encoding="utf-8").replace("{quiet: 0s}", "{done_marker: required}")
    own_shop.journey_file.write_text(said, encoding="utf-8")
    files = sorted(path for path in own_shop.landing.rglob("*") if path.is_file() and "_journal" not in path.parts)
    for path in files[1:]:
        path.with_name(f"{path.name}.done").touch()

    told = journeys("run", "--workspace", own_shop.root)

    waiting = f"1 file is still being written and waits for the next run: {files[0].relative_to(own_shop.landing)}."
    assert told.status == 0, told.err
    assert waiting in told.out
    assert waiting in journeys("status", "--workspace", own_shop.root).out


def test_running_twice_changes_nothing_and_says_what_each_step_took(own_shop: Workspace) -> None:
    tables, pages = contents(own_shop), bytes_below(own_shop.reports)

    told = journeys("run", "--profile", "-w", own_shop.root)

    assert told.status == 0, told.err
    steps = {line.split("\t")[0] for line in told.out.splitlines() if line.count("\t") == 4}
    assert {"core.events", "publish", "all steps"} <= steps
    assert answers.sql(own_shop, "SELECT count(*) > 20, min(seconds) >= 0, min(peak_mb) > 0 FROM ops.steps")[1] == [
        (True, True, True)
    ]
    assert contents(own_shop) == tables
    assert bytes_below(own_shop.reports) == pages


def test_a_run_can_log_json_a_line_for_each_step_and_one_at_the_end(own_shop: Workspace) -> None:
    told = journeys("run", "--log", "json", "-w", own_shop.root)

    lines = [json.loads(line) for line in told.out.splitlines()]
    steps = {line["step"]: line for line in lines if "step" in line}
    assert told.status == 0, told.err
    assert {"core.events", "publish"} <= steps.keys()
    assert steps["core.events"].keys() == {"at", "level", "step", "rows", "seconds", "peak_mb", "unchanged"}
    assert (steps["core.events"]["unchanged"], lines[-1]["run"]["status"]) == (True, "ok")


def test_a_logged_run_that_fails_says_so_in_json_and_by_its_status(own_shop: Workspace) -> None:
    land(own_shop, "web/noise.ndjson.gz", ["x"])
    (own_shop.landing / "web" / "noise.ndjson.gz").write_bytes(b"noise")
    partial = journeys("run", "--log", "json", "-w", own_shop.root)
    own_shop.journey_file.write_text("preset: none\n")
    wrong = journeys("run", "--log", "json", "-w", own_shop.root)

    errors = [json.loads(line) for line in (partial.out + wrong.out).splitlines() if '"error"' in line]
    assert (partial.status, wrong.status, journeys("run", "--log", "xml", "-w", own_shop.root).status) == (1, 2, 2)
    assert "noise.ndjson.gz" in errors[0]["message"]
    assert "unknown preset 'none'" in errors[1]["message"]


def test_status_tells_what_is_late_unfinished_planned_and_how_much_room_is_used(own_shop: Workspace) -> None:
    with own_shop.journey_file.open("a") as file:
        file.write("notices: {late_after: 1d}\n")
    note(own_shop.landing, [Step("e1", "begun", "2026-01-01T00:00:00+00:00")])

    state, told = journeys("status", "-w", own_shop.root, "--json").answer, journeys("status", "-w", own_shop.root).out

    assert [line.split("'")[1] for line in state["late"]] == ["orders", "web"]
    assert state["unfinished_erasures"] == 1
    assert (
        state["disk_bytes"].keys() == {"landing", "build", "reports", "published"}
        and min(state["disk_bytes"].values()) > 0
    )
    assert all(
        line in told for line in ("Late       ", "Unfinished ", "Schedule   0 2 * * * (UTC)", "Disk       landing ")
    )


def test_retention_of_a_file_counts_who_came_back(tmp_path: Path) -> None:
    days = {"ann": (5, 6), "bob": (5, 7), "cat": (6, 7)}
    rows = [
        {"customer_id": who, "event": "open", "occurred_at": f"2026-01-0{day}T10:00:00Z"}
        for who in days
        for day in days[who]
    ]
    file = tmp_path / "events.ndjson"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    by_day = ("retention", "--events", file, "--every", "day", "--periods", "2")

    recurring = journeys(*by_day, "--json").answer
    first = journeys(*by_day, "--first-time", "--from", "2026-01-06", "--json").answer

    assert [(cohort["size"], cohort["returned"]) for cohort in recurring["cohorts"]] == [
        (2, [2, 1]), (2, [2, None]), (2, [None, None])
    ]  # fmt: skip
    assert [(cohort["start"][:10], cohort["size"]) for cohort in first["cohorts"]] == [("2026-01-06", 1)]
    assert "too few to say   (1 of 2 in 1 cohort)" in journeys(*by_day).out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--starts-with", "page_veiw"], "unknown event 'page_veiw' (did you mean 'page_view'?)"),
        (["--every", "fortnight"], "--every takes hour, day, week, sunday_week, month"),
        (["--periods", "0"], "--periods is 1 or more"),
        (["--from", "2026-02-01", "--to", "2026-01-01"], "--from 2026-02-01 lies after --to 2026-01-01"),
        (["--from", "soon"], "--from is a day such as 2026-01-31; found 'soon'"),
    ],
)
def test_retention_refuses_what_cannot_be_asked(shop: Workspace, options: list[str], message: str) -> None:
    told = journeys("retention", "-w", shop.root, *options)

    assert (told.status, message in told.err) == (2, True)


def test_every_column_that_is_published_says_what_it_means(shop: Workspace) -> None:
    silent = "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND comment IS NULL"

    assert answers.sql(shop, silent)[1] == []


def test_retention_in_the_warehouse_by_week_is_that_of_the_mart(shop: Workspace) -> None:
    answer = journeys("retention", "-w", shop.root, "--starts-with", "order_placed", "--first-time", "--json").answer

    weeks = answers.sql(
        shop,
        "SELECT cohort_week::VARCHAR, list(returned ORDER BY week_number) FROM mart.retention GROUP BY ALL ORDER BY ALL",
    )[1]
    found = [
        (cohort["start"][:10], cohort["returned"][: len(week[1])])
        for cohort, week in zip(answer["cohorts"], weeks, strict=True)
    ]
    assert found == [(week, returned) for week, returned in weeks]


def test_files_that_cannot_be_read_end_with_1_after_the_others_were_loaded(own_shop: Workspace) -> None:
    whole = gzip.compress("\n".join(web_lines(range(40, 60))).encode())
    land(own_shop, "web/good.ndjson", web_lines(range(30, 33)))
    (own_shop.landing / "web" / "cut.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    (own_shop.landing / "web" / "list.ndjson").write_text('[{"type": "page"}]', encoding="utf-8")
    (own_shop.landing / "shop" / "orders_packed.csv").write_bytes(gzip.compress(b"order_no\n1\n"))

    told = journeys("run", "-w", own_shop.root)

    assert told.status == 1
    assert "error: web/cut.ndjson.gz: not a complete gzip file" in told.err
    assert "error: web/list.ndjson: line 1: it is one JSON list; expected one JSON object a line" in told.err
    assert "error: shop/orders_packed.csv: it is gzip-compressed; name it with .gz at the end" in told.err
    assert answers.sql(own_shop, "SELECT count(*) FROM raw.web_events WHERE anonymous_id = 'a31'")[1] == [(3,)]
    assert [row["path"] for row in journeys("status", "-w", own_shop.root, "--json").answer["failed_files"]] == [
        "shop/orders_packed.csv",
        "web/cut.ndjson.gz",
        "web/list.ndjson",
    ]


def test_drawing_the_report_again_gives_the_same_bytes(own_shop: Workspace) -> None:
    before = bytes_below(own_shop.reports)

    told = journeys("report", "-w", own_shop.root)

    assert told.status == 0, told.err
    assert bytes_below(own_shop.reports) == before


def test_the_numbers_beside_a_page_are_those_of_the_warehouse(own_shop: Workspace) -> None:
    tables = own_shop.reports / "latest" / "tables"

    kept = pl.read_parquet(tables / "funnel-checkout-steps.parquet")

    _, expected = answers.sql(
        own_shop, "SELECT step_name, reached FROM mart.funnel_steps WHERE funnel = 'checkout' ORDER BY step_number"
    )
    assert kept.select("step_name", "reached").rows() == expected
    assert pl.read_csv(tables / "funnel-checkout-steps.csv").select("step_name", "reached").rows() == expected


def test_a_warehouse_of_another_version_is_told_and_the_last_report_stays(own_shop: Workspace) -> None:
    before = bytes_below(own_shop.reports)
    own_shop.published.chmod(0o644)
    with duckdb.connect(str(own_shop.published)) as connection:
        connection.execute("DROP VIEW mart.support")

    told = journeys("report", "--workspace", own_shop.root)

    assert told.status == 1
    assert "was published by another version of the product" in told.err
    assert "run `journeys run`" in told.err
    assert bytes_below(own_shop.reports) == before


def test_the_report_as_one_file_leaves_the_site_alone(own_shop: Workspace, tmp_path: Path) -> None:
    before = bytes_below(own_shop.reports)

    told = journeys("report", "--standalone", tmp_path / "report.html", "-w", own_shop.root)

    assert told.status == 0, told.err
    assert (tmp_path / "report.html").read_bytes().startswith(b"<!doctype html>")
    assert bytes_below(own_shop.reports) == before


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            ["--standalone", "report.html", "--page", "stage"],
            "there is no page 'stage'; the pages are: index, journey-map",
        ),
        (["--standalone", "no/such/report.html"], "cannot be written"),
        (["--page", "stages"], "--page goes with --standalone"),
    ],
)
def test_one_file_that_cannot_be_is_refused(own_shop: Workspace, options: list[str], problem: str) -> None:
    told = journeys("report", *options, "-w", own_shop.root)

    assert told.status == 2
    assert problem in told.err


@pytest.mark.parametrize("file", ["report.pdf", "report.png"])
def test_a_pdf_or_png_without_a_browser_is_told_with_what_would_be_right(
    own_shop: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "none"))

    told = journeys("report", "--standalone", tmp_path / file, "-w", own_shop.root)

    assert told.status == 1
    assert "CHROMIUM names" in told.err and "--standalone report.html" in told.err
    assert not (tmp_path / file).exists()


def test_a_mended_mapping_takes_rows_out_of_quarantine_with_the_next_night(own_shop: Workspace) -> None:
    mended = CONFIGURATION.replace("value: total", "value: {first: [total]}").replace(
        '"web/**/*.ndjson*"}', '"web/**/*.ndjson*", fields: {anonymous_id: {first: [anonymousId, messageId]}}}'
    )
    own_shop.journey_file.write_text(mended, encoding="utf-8")

    told = journeys("run", "-w", own_shop.root)

    assert told.status == 0, told.err
    assert answers.sql(own_shop, "SELECT reason FROM raw.quarantine")[1] == [("missing_time",)]


def published(place: Workspace) -> tuple[bytes, dict[str, bytes]]:
    return place.published.read_bytes(), bytes_below(place.reports)


def test_a_missing_landing_folder_ends_with_1_and_what_was_published_stays(own_shop: Workspace) -> None:
    before = published(own_shop)
    shutil.rmtree(own_shop.landing)

    told = journeys("run", "-w", own_shop.root)

    assert told.status == 1
    assert f"error: the landing folder {own_shop.landing} does not exist; make it and put files there" in told.err
    assert published(own_shop) == before


def test_an_empty_landing_folder_ends_with_1_and_names_the_patterns(tmp_path: Path) -> None:
    place = workspace(tmp_path / "shop")

    told = journeys("run", "-w", place.root)

    assert told.status == 1
    assert (
        f"error: no file under {place.landing} matches sources.web.files web/**/*.ndjson*; sources.orders.files"
        in told.err
    )
    assert not place.published.exists()


def test_a_workspace_without_sources_ends_with_2_and_says_where_to_name_them(tmp_path: Path) -> None:
    told = journeys("run", "-w", workspace(tmp_path / "shop", configuration="preset: saas\nsources:\n").root)

    assert told.status == 2
    assert "error: journey.yaml names no source: say under `sources:` how the files" in told.err


def test_a_night_that_breaks_leaves_what_was_published(own_shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> dict[str, bytes]:
        raise RuntimeError("the printer is on fire")

    before = published(own_shop)
    land(own_shop, "web/later.ndjson", web_lines(range(30, 33)))
    monkeypatch.setattr("pipelines.assets.reports.site_files", broken)

    told = journeys("run", "-w", own_shop.root)

    assert told.status == 1
    assert "the printer is on fire" in told.err
    assert published(own_shop) == before


def test_a_night_without_a_key_for_personal_values_ends_with_1_and_says_how_to_set_one(
    own_shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNEYS_HMAC_KEY", raising=False)
    (own_shop.root / ".env").unlink()

    told = journeys("run", "-w", own_shop.root)

    assert told.status == 1
    assert "error: no key for personal values: set JOURNEYS_HMAC_KEY in the environment or in" in told.err


@pytest.mark.parametrize("command", [["sql", "SELECT 1"], ["status"], ["funnel", "checkout"], ["report"]])
def test_a_question_before_the_first_night_ends_with_1_and_says_what_to_do(command: list[str], tmp_path: Path) -> None:
    told = journeys(*command, "-w", workspace(tmp_path / "shop").root)

    assert told.status == 1
    assert "journeys.duckdb does not exist yet" in told.err
    assert "make it with: journeys run" in told.err


# ---------------------------------------------------------------- sql


def test_sql_answers_json_as_an_array_of_objects(shop: Workspace) -> None:
    query = (
        "SELECT step_number, step_name, step_rate FROM mart.funnel_steps WHERE funnel = 'checkout' ORDER BY 1 LIMIT 2"
    )

    told = journeys("sql", "--json", query, "-w", shop.root)

    assert told.status == 0
    assert told.answer == [
        {"step_number": 1, "step_name": "product_view", "step_rate": None},
        {"step_number": 2, "step_name": "add_to_cart", "step_rate": pytest.approx(16 / 24)},
    ]


def test_sql_gives_instants_days_and_missing_values_as_json_can_hold_them(shop: Workspace) -> None:
    query = "SELECT TIMESTAMPTZ '2026-01-05 09:00:00+01' AS instant, DATE '2026-01-05' AS day, NULL AS nothing, 'inf'::DOUBLE AS endless"

    row = journeys("sql", "--json", query, "-w", shop.root).answer[0]

    assert row == {"instant": "2026-01-05T08:00:00Z", "day": "2026-01-05", "nothing": None, "endless": None}


def test_sql_answers_tab_separated_text_when_nobody_is_looking(shop: Workspace) -> None:
    assert journeys("sql", "SELECT 1 AS one, NULL AS two", "-w", shop.root).out == "one\ttwo\n1\t\n"


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM core.events",
        "CREATE TABLE core.mine (one INTEGER)",
        "SELECT * FROM read_text('/etc/hostname')",
        "FROM '/etc/hostname'",
        "COPY core.events TO '{folder}/copy.csv'",
        "ATTACH '{folder}/other.duckdb'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "SELECT nonsense",
        "  ",
    ],
)
def test_sql_refuses_to_write_to_read_files_and_what_is_no_query(query: str, shop: Workspace, tmp_path: Path) -> None:
    before = shop.published.read_bytes()

    told = journeys("sql", query.format(folder=tmp_path), "-w", shop.root)

    assert told.status == 2
    assert told.err.startswith("error: the query ")
    assert shop.published.read_bytes() == before
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- funnel

STEP = {"name", "count", "step_rate", "total_rate", "dropped", "open", "excluded", "median_seconds",
        "mean_seconds_of_converters", "median_seconds_of_converters"}  # fmt: skip
FRAME = {"name", "unit", "order", "window_seconds", "from", "to", "horizon", "steps", "groups"}


def test_a_funnel_by_name_equals_the_mart(shop: Workspace) -> None:
    answer = journeys("funnel", "checkout", "-w", shop.root, "--json").answer

    _, stored = answers.sql(
        shop,
        "SELECT step_name, reached, dropped, open, excluded FROM mart.funnel_steps WHERE funnel = 'checkout' ORDER BY step_number",
    )
    told = [(step["name"], step["count"], step["dropped"], step["open"], step["excluded"]) for step in answer["steps"]]
    assert told == stored
    assert [step["count"] for step in answer["steps"]] == [24, 16, 8, 4]


def test_a_range_counts_the_entries_in_it_and_a_breakdown_adds_up(shop: Workspace) -> None:
    answer = journeys(
        "funnel",
        "checkout",
        "--from",
        "2026-01-06",
        "--to",
        "2026-01-07",
        "--breakdown",
        "device",
        "-w",
        shop.root,
        "--json",
    ).answer

    days = "SELECT count(*) FROM mart.funnel_entrants WHERE funnel = 'checkout' AND is_best AND entry_day BETWEEN '2026-01-06' AND '2026-01-07'"
    entrants = answers.sql(shop, days)[1][0][0]
    assert 0 < entrants < 24
    assert (answer["from"], answer["to"]) == ("2026-01-06", "2026-01-07")
    assert answer["steps"][0]["count"] == entrants
    assert [(group["by"], group["values"]) for group in answer["groups"]] == [
        (["device"], ["desktop"]),
        (["device"], ["mobile"]),
    ]
    assert sum(group["steps"][0]["count"] for group in answer["groups"]) == entrants


def test_a_funnel_prints_counts_beside_every_rate(shop: Workspace) -> None:
    told = journeys("funnel", "checkout", "-w", shop.root)

    assert told.status == 0
    assert "66.7 % (16/24)" in told.out


def test_an_unknown_funnel_ends_with_2_and_offers_the_nearest(shop: Workspace) -> None:
    told = journeys("funnel", "chekout", "-w", shop.root)

    assert told.status == 2
    assert "unknown funnel 'chekout' (did you mean 'checkout'?); there are: " in told.err


def test_an_unknown_property_ends_with_2_and_offers_the_nearest(shop: Workspace) -> None:
    told = journeys("funnel", "checkout", "--breakdown", "shiping", "-w", shop.root)

    assert told.status == 2
    assert "unknown property 'shiping' (did you mean 'shipping'?); events have: " in told.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "soon"], "expected a date (2026-01-31)"),
        (["--from", "2026-02-01", "--to", "2026-01-01"], "lies after"),
    ],
)
def test_an_impossible_range_ends_with_2(arguments: list[str], said: str, shop: Workspace) -> None:
    told = journeys("funnel", "checkout", *arguments, "-w", shop.root)

    assert told.status == 2
    assert said in told.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--compare-to", "2026-01-01"], "--compare-to takes FROM..TO"),
        (["--compare-to", "2026-01-01..2026-01-02"], "--compare-to goes with --from and --to"),
        (
            ["--from", "2026-01-06", "--to", "2026-01-07", "--compare-to", "2026-01-05..2026-01-01"],
            "lies after",
        ),
        (
            ["--segment", "buyer"],
            "unknown segment 'buyer' (did you mean 'buyers'?); journey.yaml has: buyers, had bought",
        ),
        (["--breakdown", "segment.had_bought"], "segment 'had_bought' (did you mean 'had bought'?)"),
        (["--breakdown", "segment.buyers"], "which is as of the horizon"),
        (["--experiment", "segment.buyers"], "'segment.buyers' is a segment"),
        (["--trend", "year"], "--trend takes day, week, month; found 'year'"),
        (["--drop-offs", "add_to_card"], "unknown step 'add_to_card' (did you mean 'add_to_cart'?)"),
        (["--drop-offs", "9"], "unknown step '9'"),
        (["--out", "list.csv"], "--out goes with --drop-offs STEP"),
        (["--drop-offs", "1", "--out", "list.xlsx"], "--out writes .csv or .parquet; found 'list.xlsx'"),
        (["--drop-offs", "1", "--out", "/none/list.csv"], "/none/list.csv cannot be written"),
        (["--experiment", "devise"], "unknown property 'devise' (did you mean 'device'?)"),
        (["--breakdown", "device,chanel"], "unknown property 'chanel' (did you mean 'channel'?)"),
        (["--shares", "a=1,b=1"], "--shares goes with --experiment"),
        (["--experiment", "device", "--shares", "a=1,b=-1"], "found 'b=-1'"),
        (["--experiment", "device", "--shares", "mobile=1,tablet=1"], "--shares leaves out 'desktop'"),
        (["--breakdown", "device", "--breakdown", "device"], "asked for twice"),
    ],
)
def test_an_impossible_question_about_a_funnel_ends_with_2_and_says_what_would_be_right(
    arguments: list[str], said: str, shop: Workspace
) -> None:
    told = journeys("funnel", "checkout", *arguments, "-w", shop.root)

    assert told.status == 2
    assert said in told.err
    assert told.out == ""


def test_a_funnel_tells_every_comparison_that_is_asked_for(shop: Workspace) -> None:
    asked = ["--from", "2026-01-07", "--to", "2026-01-08", "--compare-to", "2026-01-05..2026-01-06", "--segment", "buyers",
             "--trend", "day", "--experiment", "device", "--breakdown", "device,channel", "--breakdown", "device"]  # fmt: skip

    answer = journeys("funnel", "checkout", *asked, "-w", shop.root, "--json").answer

    parts = [step["part"] for step in answer["comparison"]["steps"]]
    assert sum(parts) == pytest.approx(answer["comparison"]["change"]["difference"], abs=1e-5)
    assert answer["segments"][0]["total_rate"]["n"] == answer["steps"][-1]["count"]
    assert sum(day["entrants"] for day in answer["trend"]) == answer["steps"][0]["count"]
    assert [variant["variant"] for variant in answer["experiment"]["variants"]] == ["desktop", "mobile"]
    assert {tuple(group["by"]) for group in answer["groups"]} == {("device", "channel"), ("device",)}
    printed = journeys("funnel", "checkout", *asked, "-w", shop.root).out
    assert "Against 2026-01-05 to 2026-01-06" in printed
    assert "sample ratio as meant" in printed
    assert "Segment buyers" in printed


def test_a_segment_as_of_entry_is_told_by_option_and_by_breakdown_alike(shop: Workspace) -> None:
    asked = ["--segment", "had bought", "--segment", "buyers", "--breakdown", "segment.had bought"]

    answer = journeys("funnel", "checkout", *asked, "-w", shop.root, "--json").answer

    at_entry, now = answer["segments"]
    groups = {group["values"][0]: group["steps"] for group in answer["groups"]}
    assert (at_entry["as_of"], now["as_of"]) == ("entry", "horizon")
    assert groups.get("yes", at_entry["steps"])[-1]["count"] == at_entry["steps"][-1]["count"]
    assert groups["no"][0]["count"] == answer["steps"][0]["count"] - at_entry["steps"][0]["count"]
    assert at_entry["steps"][0]["count"] < now["steps"][0]["count"]
    assert "Segment had bought (as of entry)" in journeys("funnel", "checkout", *asked, "-w", shop.root).out


def test_who_stopped_is_kept_as_a_file_as_long_as_the_bar(shop: Workspace, tmp_path: Path) -> None:
    asked = ["funnel", "checkout", "--drop-offs", "add_to_cart", "-w", shop.root, "--json"]

    answer = journeys(*asked, "--out", tmp_path / "list.csv").answer
    journeys(*asked, "--out", tmp_path / "list.parquet")

    step = next(step for step in answer["steps"] if step["name"] == "add_to_cart")
    kept = pl.read_csv(tmp_path / "list.csv")
    assert kept.height == answer["drop_offs"]["units"] == step["dropped"] + step["excluded"]
    assert kept["unit_id"].to_list() == pl.read_parquet(tmp_path / "list.parquet")["unit_id"].to_list()
    assert "rows" not in answer["drop_offs"]


def test_a_kept_list_is_text_and_numbers_to_a_spreadsheet(tmp_path: Path) -> None:
    listed = pl.DataFrame({"unit_id": ["=1+1"], "first_after": ["@x"], "did_instead": ["+x > y"]})

    told_drop_offs(listed, {"name": "a", "count": 1}, 1, tmp_path / "list.csv")

    assert (tmp_path / "list.csv").read_text().split() == ["unit_id,first_after,did_instead", "'=1+1,'@x,'+x", ">", "y"]


def test_a_range_without_entrants_is_a_table_of_zeros(shop: Workspace) -> None:
    asked = ["--from", "2020-01-01", "--to", "2020-01-02", "--compare-to", "2019-01-01..2019-01-02", "--segment", "buyers",
             "--trend", "day", "--experiment", "device", "--drop-offs", "1"]  # fmt: skip

    answer = journeys("funnel", "checkout", *asked, "-w", shop.root, "--json").answer

    assert [step["count"] for step in answer["steps"]] == [0, 0, 0, 0]
    assert [step["before"]["count"] for step in answer["comparison"]["steps"]] == [0, 0, 0, 0]
    assert [day["entrants"] for day in answer["trend"]] == [0, 0]
    assert (answer["experiment"]["variants"], answer["drop_offs"]["rows"]) == ([], [])
    assert journeys("funnel", "checkout", *asked, "-w", shop.root).status == 0


EVENTS = [
    {"event": "a", "customer_id": "ann", "occurred_at": "2026-01-05T10:00:00Z", "plan": "gold"},
    {"event": "b", "customer_id": "ann", "occurred_at": "2026-01-05T10:05:00Z", "plan": "gold"},
    {"event": "a", "customer_id": "bob", "occurred_at": "2026-01-05T10:00:00Z", "plan": "free"},
]
SPEC = "{name: f, steps: [{event: a}, {event: b}], window: 1h, horizon: 2026-01-31T00:00:00Z, breakdowns: [plan]}"


def spec_and_events(folder: Path, spec: str = SPEC) -> list[str | Path]:
    (folder / "spec.yaml").write_text(spec, encoding="utf-8")
    (folder / "events.ndjson").write_text("".join(json.dumps(event) + "\n" for event in EVENTS), encoding="utf-8")
    return ["funnel", "--spec", folder / "spec.yaml", "--events", folder / "events.ndjson", "--json"]


def test_a_funnel_of_a_file_answers_in_the_promised_shape(tmp_path: Path) -> None:
    answer = journeys(*spec_and_events(tmp_path)).answer

    assert set(answer) == FRAME
    assert all(set(step) == STEP for step in answer["steps"])
    assert answer["steps"][1] == {
        "name": "b", "count": 1, "step_rate": {"n": 1, "d": 2, "rate": 0.5}, "total_rate": {"n": 1, "d": 2, "rate": 0.5},
        "dropped": 0, "open": 0, "excluded": 0,
        "median_seconds": 300, "mean_seconds_of_converters": 300, "median_seconds_of_converters": 300,
    }  # fmt: skip
    assert (answer["window_seconds"], answer["horizon"], answer["unit"], answer["order"]) == (
        3600,
        "2026-01-31T00:00:00Z",
        "customer",
        "ordered",
    )
    assert [
        (group["by"], group["values"], [step["count"] for step in group["steps"]]) for group in answer["groups"]
    ] == [
        (["plan"], ["free"], [1, 0]),
        (["plan"], ["gold"], [1, 1]),
    ]


def test_attempts_are_listed_when_asked_for(tmp_path: Path) -> None:
    answer = journeys(*spec_and_events(tmp_path), "--attempts").answer

    assert set(answer) == {*FRAME, "attempts"}
    assert [(attempt["unit_id"], attempt["depth"], attempt["status"]) for attempt in answer["attempts"]] == [
        ("ann", 2, "converted"),
        ("bob", 1, "dropped"),
    ]


def test_a_negative_window_ends_with_2_and_says_what_a_duration_is(tmp_path: Path) -> None:
    told = journeys(*spec_and_events(tmp_path, "{name: f, steps: [{event: a}, {event: b}], window: -1d}"))

    assert told.status == 2
    assert "expected a duration such as 30m, 14d or 1.5h" in told.err


def test_a_plain_file_answers_what_a_warehouse_does(tmp_path: Path) -> None:
    asked = ("--trend", "day", "--drop-offs", "a", "--out", tmp_path / "stopped.csv", "--from", "2026-01-01", "--to", "2026-01-31",
             "--compare-to", "2025-12-01..2025-12-31", "--breakdown", "event", "--experiment", "event")  # fmt: skip

    answer = journeys(*spec_and_events(tmp_path), *asked).answer

    assert set(answer) == {*FRAME, "comparison", "trend", "experiment", "drop_offs"}
    assert answer["from"] == "2026-01-01"
    assert [group["values"] for group in answer["groups"]] == [["a"]]
    assert (tmp_path / "stopped.csv").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--segment", "buyers"], "--segment asks for a segment, and "),
        (["--breakdown", "evnt"], "unknown property 'evnt' (did you mean 'event'?)"),
        (["--drop-offs", "z"], "unknown step 'z'"),
        (["--from", "2024-02-01", "--to", "2024-01-01"], "2024-02-01"),
        (["--as-known-on", "2024-01-01"], "--spec names its funnels itself"),
    ],
)
def test_what_a_plain_file_cannot_answer_is_refused(tmp_path: Path, options: list[str], message: str) -> None:
    told = journeys(*spec_and_events(tmp_path), *options)

    assert (told.status, message in told.err) == (2, True)


def test_a_list_of_funnels_answers_a_list(tmp_path: Path) -> None:
    answer = journeys(*spec_and_events(tmp_path, f"- {SPEC}\n- {{name: g, steps: [{{event: b}}]}}\n")).answer

    assert [funnel["name"] for funnel in answer] == ["f", "g"]


@pytest.mark.parametrize("tool", ["posthog", "clickhouse", "mixpanel", "amplitude", "ga4"])
def test_compat_is_told_by_name_with_what_it_set(tool: str, tmp_path: Path) -> None:
    told = journeys(*spec_and_events(tmp_path, f"name: f\nsteps: [{{event: a}}, {{event: b}}]\ncompat: {tool}\n"))

    assert told.status == 0
    assert told.answer["compat"]["product"] == tool
    assert told.answer["compat"]["sets"]["attempt"] == ("first" if tool == "mixpanel" else "best")


def test_a_wrong_specification_ends_with_2_and_names_its_line(tmp_path: Path) -> None:
    told = journeys(*spec_and_events(tmp_path, "name: f\nsteps:\n  - {event: a}\n  - {event: b, optinal: true}\n"))

    assert told.status == 2
    assert f"{tmp_path / 'spec.yaml'}, line 4: " in told.err
    assert "unknown key 'optinal' (did you mean 'optional'?)" in told.err


def test_a_line_of_the_events_that_is_no_json_ends_with_1_and_is_named(tmp_path: Path) -> None:
    arguments = spec_and_events(tmp_path)
    with (tmp_path / "events.ndjson").open("a", encoding="utf-8") as file:
        file.write("{broken\n")

    told = journeys(*arguments)

    assert told.status == 1
    assert f"{tmp_path / 'events.ndjson'}, line 4: not valid JSON" in told.err


@pytest.mark.parametrize("arguments", [["--spec", "f.yaml"], ["--events", "e.ndjson"], []])
def test_a_funnel_without_name_or_with_half_of_spec_and_events_ends_with_2(arguments: list[str]) -> None:
    assert journeys("funnel", *arguments).status == 2


# ---------------------------------------------------------------- quick answers


@pytest.mark.parametrize(
    "arguments",
    [["sql", "SELECT 1"], ["status"], ["funnel", "checkout"], ["check"], ["dictionary"]],
    ids=lambda arguments: arguments[0],
)
def test_commands_that_only_answer_do_not_load_dagster(arguments: list[str], shop: Workspace) -> None:
    program = (
        "import sys; from pipelines.cli import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert not {'dagster', 'plotly', 'scipy'} & set(sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--workspace", str(shop.root)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_the_dictionary_names_every_table(shop: Workspace) -> None:
    told = journeys("dictionary")

    assert "## core.events" in told.out
    assert "## mart.funnel_steps" in told.out


def test_the_environment_names_the_workspace(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYS_WORKSPACE", str(shop.root))

    assert workspace_at(None).root == shop.root
    assert journeys("sql", "SELECT 1 AS one").out == "one\n1\n"


# ---------------------------------------------------------------- sample-customers


def test_sample_customers_draws_whole_journeys_and_the_same_with_the_same_seed(shop: Workspace) -> None:
    asked = ("sample-customers", "3", "--workspace", shop.root, "--json")

    first, again, other = (journeys(*asked, "--seed", seed) for seed in ("7", "7", "8"))

    counts = {row["customer_id"]: row["n"] for row in answers_of(shop, COUNTED)}
    drawn = first.answer
    assert [len(customer["events"]) for customer in drawn] == [counts[customer["customer_id"]] for customer in drawn]
    assert len({customer["customer_id"] for customer in drawn}) == min(3, len(counts))
    assert first.out == again.out
    assert [c["customer_id"] for c in drawn] != [c["customer_id"] for c in other.answer]


def test_sample_customers_prints_an_event_a_line_in_order(shop: Workspace) -> None:
    told = journeys("sample-customers", "1", "--workspace", shop.root)

    lines = [line for line in told.out.splitlines() if line.startswith("  20")]
    assert told.status == 0
    assert lines == sorted(lines, key=lambda line: line[:18])
    assert lines


def test_more_customers_than_there_are_draws_all_of_them(shop: Workspace) -> None:
    drawn = journeys("sample-customers", "1000", "--workspace", shop.root, "--json").answer

    assert sorted(c["customer_id"] for c in drawn) == sorted(row["customer_id"] for row in answers_of(shop, COUNTED))


COUNTED = "SELECT customer_id, count(*) AS n FROM core.events WHERE is_counted GROUP BY customer_id"


def answers_of(place: Workspace, query: str) -> list[dict[str, Any]]:
    columns, rows = answers.sql(place, query)
    return [dict(zip(columns, row, strict=True)) for row in rows]


@pytest.mark.parametrize(
    ("cron", "zone", "at", "told"),
    [
        ("0 2 * * *", "UTC", "2026-11-26T01:59:00+00:00", "next 2026-11-26 02:00 UTC where"),
        ("0 2 * * *", "Europe/Berlin", "2026-11-26T01:00:00+00:00", "next 2026-11-27 02:00 CET (01:00 UTC) where"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00+00:00", "next 2026-03-29 03:00 CEST (01:00 UTC) where"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00+00:00", "next 2026-10-25 02:30 CEST (00:30 UTC) where"),
        (
            "0 2 * *",
            "UTC",
            "2026-11-26T01:59:00+00:00",
            "is no schedule; write JOURNEYS_SCHEDULE as cron does (0 2 * * *)",
        ),
        ("0 2 * * *", "Europe/Berln", "2026-11-26T01:59:00+00:00", "is no schedule"),
    ],
)
def test_the_status_says_when_the_next_night_begins_also_when_clocks_change(
    cron: str, zone: str, at: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNEYS_SCHEDULE", cron)
    monkeypatch.setenv("JOURNEYS_SCHEDULE_TIME_ZONE", zone)

    line = answers.schedule_line(answers.schedule(datetime.fromisoformat(at)))

    assert told in line

"""The sample generator: the same bytes for the same arguments, and a truth that the files bear out."""

import gzip
import hashlib
import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
import yaml
from pydantic import TypeAdapter

from pipelines.errors import DataError
from pipelines.sample import SAMPLE_JOURNEY, configuration_text, generate
from pipelines.sample.catalogue import ROBOTS, Kind
from pipelines.sample.clock import DAY, HOUR, MINUTE, Period
from pipelines.sample.stories import planned
from pipelines.sample.truth import funnel_counts, session_numbers
from transforms.mapping import Source, lacking

ARGUMENTS = {"events": 8_000, "seed": 3, "days": 56, "stories": True}
STEPS = ("Product Viewed", "Product Added", "Checkout Started", "Order Completed")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    generate(folder, **ARGUMENTS)
    return folder


@pytest.fixture(scope="module")
def lines(workspace):
    """All lines of the web files, by file."""
    return {
        f"web/{path.name}": gzip.decompress(path.read_bytes()).decode().splitlines()
        for path in sorted((workspace / "landing" / "web").iterdir())
    }


@pytest.fixture(scope="module")
def calls(lines):
    """The calls that can be read and have a time, in the order of the files."""
    return [call for text in lines.values() for call in map(read, text) if call and "timestamp" in call]


@pytest.fixture(scope="module")
def identifiers(workspace):
    return pl.read_parquet(workspace / "truth" / "identifiers.parquet")


def read(line):
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


def is_robot(call):
    return call["context"]["userAgent"] in ROBOTS


def instant(text):
    return datetime.fromisoformat(text)


def fingerprint(folder):
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()


def timelines(workspace, calls, identifiers):
    """Each person's calls in order of time, by what the truth says about identifiers."""
    persons = identifiers.group_by("namespace", "value").agg("person")
    owner = {(namespace, value): people[0] for namespace, value, people in persons.rows() if len(people) == 1}
    shared = dict(pl.read_parquet(workspace / "truth" / "shared_device_events.parquet").rows())
    found = defaultdict(dict)
    for call in calls:
        if not is_robot(call):
            visitor = ("anonymous_id", call["anonymousId"])
            person = shared[call["messageId"]] if visitor not in owner else owner[visitor]
            found[person][call["messageId"]] = (instant(call["timestamp"]), call.get("event"))
    return {person: sorted(timeline.values()) for person, timeline in found.items()}


def sessions_of(timeline):
    sessions = []
    for at, event in timeline:
        if not sessions or at - sessions[-1][-1][0] > timedelta(minutes=30):
            sessions.append([])
        sessions[-1].append((at, event))
    return sessions


def depth(timeline):
    """The deepest chain by trying every start."""
    best = 0
    for start, (began, event) in enumerate(timeline):
        if event == STEPS[0]:
            reached = 1
            for at, later in timeline[start + 1 :]:
                if at - began <= timedelta(days=7) and reached < len(STEPS) and later == STEPS[reached]:
                    reached += 1
            best = max(best, reached)
    return best


def reached(timelines):
    depths = [depth(timeline) for timeline in timelines]
    return [sum(depth > step for depth in depths) for step in range(len(STEPS))]


# ---------------------------------------------------------------- the files


def test_the_same_arguments_give_the_same_bytes(workspace, tmp_path):
    generate(tmp_path, **ARGUMENTS)

    assert fingerprint(tmp_path) == fingerprint(workspace)


def test_another_seed_gives_another_business(workspace, tmp_path):
    generate(tmp_path, **{**ARGUMENTS, "seed": 4})

    assert fingerprint(tmp_path / "landing") != fingerprint(workspace / "landing")


def test_about_as_many_rows_as_asked_for(tmp_path):
    made = generate(tmp_path, events=20_000, seed=1, days=180, stories=False)

    assert made.rows == pytest.approx(20_000, rel=0.03)


def test_lines_are_ordered_by_when_they_were_received(lines):
    for text in lines.values():
        received = [call["receivedAt"] for call in map(read, text) if call and "receivedAt" in call]

        assert received == sorted(received)


def test_correcting_the_senders_clock_gives_the_timestamp(calls):
    corrected = [
        instant(call["receivedAt"]) - (instant(call["sentAt"]) - instant(call["originalTimestamp"])) for call in calls
    ]

    assert corrected == [instant(call["timestamp"]) for call in calls]


def test_some_clocks_are_wrong_and_some_rows_late(calls):
    skewed = sum(abs(instant(call["sentAt"]) - instant(call["receivedAt"])) > timedelta(minutes=5) for call in calls)
    late = sum(instant(call["receivedAt"]) - instant(call["timestamp"]) > timedelta(hours=1) for call in calls)

    assert skewed > 0
    assert 0.005 < late / len(calls) < 0.02


def test_repeated_messages_say_the_same(calls):
    said = defaultdict(set)
    for call in calls:
        content = {key: value for key, value in call.items() if key not in ("sentAt", "receivedAt")}
        said[call["messageId"]].add(json.dumps(content, sort_keys=True))

    assert len(calls) > len(said)
    assert {len(contents) for contents in said.values()} == {1}


def test_some_rows_carry_a_user_id_that_names_nobody(calls):
    assert {call.get("userId") for call in calls} >= {"null", "undefined", None}


def test_nothing_lies_outside_the_period(calls):
    assert min(call["timestamp"] for call in calls) >= "2026-01-01"
    assert max(call["receivedAt"] for call in calls) < "2026-02-26"


# ---------------------------------------------------------------- the landing folder


def test_a_landing_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "orders.csv").write_text("mine")

    with pytest.raises(DataError, match="not made by"):
        generate(tmp_path, **ARGUMENTS)

    assert [path.name for path in tmp_path.rglob("*")] == ["landing", "orders.csv"]


def test_another_sample_replaces_the_files_of_the_one_before(workspace, tmp_path):
    small = {**ARGUMENTS, "events": 1_000, "days": 80}
    generate(tmp_path, **small)
    (tmp_path / "landing" / "web" / "note.txt").write_text("stays")

    generate(tmp_path, **ARGUMENTS)

    assert (tmp_path / "landing" / "web" / "note.txt").read_text() == "stays"
    (tmp_path / "landing" / "web" / "note.txt").unlink()
    assert fingerprint(tmp_path) == fingerprint(workspace)


def test_sizes_below_one_are_refused(tmp_path):
    with pytest.raises(ValueError, match="days must be at least 1"):
        generate(tmp_path, events=10, seed=1, days=0, stories=False)


def test_a_single_day_with_a_handful_of_rows_is_a_sample_too(tmp_path):
    made = generate(tmp_path, events=50, seed=1, days=1, stories=True)

    assert made.web_rows > 0


# ---------------------------------------------------------------- the truth


def test_the_books_count_the_lines(workspace, lines):
    books = json.loads((workspace / "truth" / "books.json").read_text())
    counted = {book["file"]: book["rows"] for book in books["files"]}

    for name, text in lines.items():
        assert counted[name] == len(text)
    for path in (workspace / "landing" / "crm").iterdir():
        assert counted[f"crm/{path.name}"] == pl.read_csv(path, infer_schema=False).height


def test_the_books_count_duplicates_robots_and_broken_lines(workspace, lines):
    books = {book["file"]: book for book in json.loads((workspace / "truth" / "books.json").read_text())["files"]}
    seen = set()

    for name, text in lines.items():
        found = Counter()
        for call in map(read, text):
            if call is None:
                found["cut"] += 1
            elif "timestamp" not in call:
                found["without_time"] += 1
            else:
                found["duplicates"] += call["messageId"] in seen
                found["robots"] += is_robot(call)
                seen.add(call["messageId"])
        assert {key: books[name][key] for key in ("cut", "without_time", "duplicates", "robots")} == {
            key: found[key] for key in ("cut", "without_time", "duplicates", "robots")
        }


def test_every_identifier_in_the_files_has_its_person(workspace, calls, identifiers):
    known = defaultdict(set)
    for namespace, value, _ in identifiers.rows():
        known[namespace].add(value)
    contacts = [
        pl.read_csv(path, infer_schema=False) for path in (workspace / "landing" / "crm").glob("contacts_*.csv")
    ]

    assert {call["userId"] for call in calls if "userId" in call} - {"null", "undefined"} <= known["user_id"]
    assert {call["anonymousId"] for call in calls if not is_robot(call)} == known["anonymous_id"]
    assert {call["traits"]["email"].lower() for call in calls if "traits" in call} <= known["email"]
    for frame in contacts:
        assert set(frame["contact_id"]) <= known["crm_contact_id"]
        assert set(frame["customer_number"].drop_nulls()) <= known["user_id"]
        assert set(frame["email"].str.to_lowercase()) <= known["email"]
        assert set(frame["phone"].drop_nulls().str.replace_all(" ", "")) <= known["phone"]


def test_a_user_id_and_its_device_belong_to_one_person(calls, identifiers):
    owners = identifiers.group_by("namespace", "value").agg("person")
    people = {(namespace, value): set(persons) for namespace, value, persons in owners.rows()}

    for call in calls:
        user = people.get(("user_id", call.get("userId")))
        assert user is None or user <= people["anonymous_id", call["anonymousId"]]


def test_only_devices_are_shared(identifiers):
    twice = identifiers.filter(pl.len().over("namespace", "value") > 1)

    assert twice["namespace"].unique().to_list() == ["anonymous_id"]


def test_the_true_sessions_are_those_of_the_files(workspace, calls, identifiers):
    truth = pl.read_parquet(workspace / "truth" / "sessions.parquet")

    counted = [
        (person, session[0][0], session[-1][0], len(session))
        for person, timeline in timelines(workspace, calls, identifiers).items()
        for session in sessions_of(timeline)
    ]

    assert sorted(truth.rows()) == sorted(counted)


def test_the_true_funnel_is_that_of_the_files(workspace, calls, identifiers):
    truth = json.loads((workspace / "truth" / "funnels.json").read_text())["reached"]
    by_person = timelines(workspace, calls, identifiers).values()

    assert truth["person"] == reached(by_person)
    assert truth["session"] == reached(session for timeline in by_person for session in sessions_of(timeline))


def test_the_business_is_believable(tmp_path):
    generate(tmp_path, events=60_000, seed=5, days=180, stories=False)
    person = json.loads((tmp_path / "truth" / "funnels.json").read_text())["reached"]["person"]
    days = pl.read_parquet(tmp_path / "truth" / "checkouts_by_day.parquet")
    visitors = pl.read_parquet(tmp_path / "truth" / "identifiers.parquet").filter(namespace="anonymous_id").height

    assert 0.02 < person[3] / visitors < 0.05
    assert 0.55 < days["orders"].sum() / days["checkouts"].sum() < 0.72


# ---------------------------------------------------------------- stories


def on_phones_in_the_bug(folder):
    """Orders per checkout on phones, in the two weeks of the bug."""
    bug = planned(Period(date(2026, 1, 1), 56))[0]
    day = pl.col("day").cast(pl.Int64) - (date(2026, 1, 1) - date(1970, 1, 1)).days
    inside = (pl.col("device") == "mobile") & (day >= bug.begins // DAY) & (day < bug.ends // DAY)
    rows = pl.read_parquet(folder / "truth" / "checkouts_by_day.parquet").filter(inside)
    return rows["orders"].sum() / rows["checkouts"].sum()


def test_the_bug_shows_on_phones_only_in_its_weeks(tmp_path):
    generate(tmp_path, events=20_000, seed=2, days=56, stories=True)
    bug, *_ = json.loads((tmp_path / "truth" / "stories.json").read_text())

    assert on_phones_in_the_bug(tmp_path) < 0.4
    assert bug["segment"] == {"device": "mobile"}
    assert bug["on_its_days"]["orders"] / bug["on_its_days"]["checkouts"] < 0.4
    assert bug["on_other_days"]["orders"] / bug["on_other_days"]["checkouts"] > 0.5


def test_without_stories_there_is_no_dip(tmp_path):
    generate(tmp_path, events=20_000, seed=2, days=56, stories=False)

    assert on_phones_in_the_bug(tmp_path) > 0.5
    assert json.loads((tmp_path / "truth" / "stories.json").read_text()) == []


def test_the_bug_lasts_two_whole_weeks_inside_the_period():
    period = Period(date(2026, 1, 1), 180)
    bug = planned(period)[0]

    assert period.instant(bug.begins).weekday() == 0
    assert bug.ends - bug.begins == 14 * DAY
    assert bug.ends < period.end


# ---------------------------------------------------------------- the arithmetic of the truth


def test_a_session_ends_after_more_than_thirty_minutes_or_a_day():
    half_hours = np.arange(0, 25 * HOUR, 30 * MINUTE)
    at = np.concatenate([half_hours, [0, 30 * MINUTE, 60 * MINUTE + 1]])
    person = np.concatenate([np.zeros(len(half_hours), dtype=int), [1, 1, 1]])

    numbers = session_numbers(person, at)

    assert Counter(numbers.tolist()) == {0: 49, 1: 1, 2: 2, 3: 1}


@pytest.mark.parametrize(
    ("days", "kinds", "counts"),
    [
        ((0, 3, 5, 9), (Kind.PRODUCT_VIEWED, Kind.PRODUCT_VIEWED, Kind.ADDED, Kind.CHECKOUT), [1, 1, 1, 0]),
        ((0, 6, 8), (Kind.PRODUCT_VIEWED, Kind.ADDED, Kind.CHECKOUT), [1, 1, 0, 0]),
        ((0, 7), (Kind.PRODUCT_VIEWED, Kind.ADDED), [1, 1, 0, 0]),
        ((0, 1), (Kind.ADDED, Kind.PRODUCT_VIEWED), [1, 0, 0, 0]),
        ((), (), [0, 0, 0, 0]),
    ],
)
def test_the_window_runs_from_the_latest_start(days, kinds, counts):
    at, kind = np.array(days, dtype=np.int64) * DAY, np.array(kinds, dtype=np.int64)

    assert funnel_counts(np.zeros(len(at), dtype=np.int64), at, kind).tolist() == counts


# ---------------------------------------------------------------- journey.yaml


def sources():
    return TypeAdapter(dict[str, Source]).validate_python(yaml.safe_load(configuration_text())["sources"])


def test_every_file_has_one_source_that_finds_its_columns(workspace):
    for path in (workspace / "landing" / "crm").iterdir():
        mine = [source for source in sources().values() if any(path.match(glob) for _, glob in source.patterns)]

        assert len(mine) == 1, path.name
        assert lacking(pl.read_csv(path, n_rows=0).columns, mine[0]) == []


def test_the_file_names_the_days_of_the_default_stories():
    days = [story.begins // DAY for story in planned(Period(date(2026, 1, 1), 180))]
    changes = yaml.safe_load(SAMPLE_JOURNEY.read_text())["changes"]

    assert sorted(change["date"] for change in changes) == sorted(
        date(2026, 1, 1) + timedelta(days=day) for day in days
    )


def test_another_period_moves_the_dates():
    moved = yaml.safe_load(configuration_text(days=90, start=date(2025, 3, 1)))

    assert {change["date"].year for change in moved["changes"]} == {2025}
    assert moved["sources"]["deals"]["complete_to"] == datetime(2025, 5, 30, tzinfo=UTC)
    assert "complete_to" not in moved["sources"]["web"]

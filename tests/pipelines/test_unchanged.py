"""Nothing new: a night that finds everything as it was leaves it so; whatever differs is made again."""

import json
import shutil

import pytest

from pipelines import answers, unchanged
from pipelines.journal import JOURNAL, append
from pipelines.night import Night
from pipelines.retractions import RETRACTIONS, Retraction
from pipelines.run import run_in_process
from pipelines.settings import Workspace

JOURNEY = """
landing: {quiet: 0s}
sources:
  web:
    format: ndjson
    files: "*.ndjson"
    fields: {event_id: id, event: event, occurred_at: at, anonymous_id: cookie}
"""


def page_views(*numbers):
    rows = [
        {"id": f"e{number}", "event": "page_view", "at": f"2026-01-0{number}T10:00:00Z", "cookie": "c"}
        for number in numbers
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def run(place):
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        assert run_in_process(place, say=said.append) == []
    return said


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    (folder / ".env").write_text("JOURNEYS_HMAC_KEY=key\n")
    (folder / "journey.yaml").write_text(JOURNEY)
    (folder / "landing").mkdir()
    (folder / "landing" / "a.ndjson").write_text(page_views(1, 2))
    run(Workspace(folder))
    return folder


@pytest.fixture
def place(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "place", copy_function=shutil.copy2)
    return Workspace(tmp_path / "place")


def alter_page(place):
    page = place.reports / "latest" / "stages.html"
    page.write_text(page.read_text() + " ")


def publish_another(place):
    with Night(place).warehouse.writing() as connection:
        connection.execute("UPDATE ops.runs SET run_id = run_id || '1'")


def take_apart(place):
    told = Retraction(
        "p1", "anonymous_id", "a", "user_id", "u", "login", "e1", "a wrong one", "2026-01-05T00:00:00+00:00"
    )
    append(place.landing / JOURNAL / RETRACTIONS, [told])


def test_what_is_as_the_last_night_left_it_is_unchanged(place):
    assert Night(place).is_unchanged


@pytest.mark.parametrize(
    "change",
    [
        lambda place: (place.reports / "latest" / "index.html").unlink(),
        alter_page,
        lambda place: place.published.unlink(),
        publish_another,
        take_apart,
        lambda place: place.journey_file.write_text(JOURNEY + "name: Another\n"),
        lambda place: place.build_file.unlink(),
    ],
    ids=["a page is gone", "a page was altered", "the warehouse is gone", "another run was published",
         "identifiers were taken apart", "another configuration", "the build file is gone"],
)  # fmt: skip
def test_whatever_differs_is_made_again(place, change):
    change(place)

    assert not Night(Workspace(place.root)).is_unchanged


def test_another_version_of_the_product_makes_everything_again(place, monkeypatch):
    monkeypatch.setattr(unchanged, "product_code", lambda: "another")

    assert not Night(place).is_unchanged


def test_a_change_that_was_begun_and_taken_back_is_a_change(place):
    place.journey_file.write_text(JOURNEY + "name: Another\n")
    begun = Night(Workspace(place.root)).is_unchanged
    place.journey_file.write_text(JOURNEY)

    assert (begun, Night(Workspace(place.root)).is_unchanged) == (False, False)


def test_an_unchanged_night_is_published_as_a_run_and_leaves_the_rest(place):
    before = answers.sql(place, "SELECT data_version FROM ops.runs")[1]

    said = run(place)

    runs = answers.sql(place, "SELECT data_version FROM ops.runs")[1]
    assert runs == before * 2
    assert [line for line in said if line.startswith(("core.", "mart.")) and not line.endswith("unchanged")] == []
    assert answers.sql(place, "SELECT count(*) FROM core.events")[1] == [(2,)]
    assert Night(place).is_unchanged


def test_a_night_with_new_rows_makes_everything_again(place):
    (place.landing / "b.ndjson").write_text(page_views(3))

    run(place)

    assert answers.sql(place, "SELECT count(*) FROM core.events")[1] == [(3,)]
    assert Night(place).is_unchanged

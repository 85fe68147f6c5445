"""Settings: a mistake in journey.yaml is told with file, line, what is wrong and what is allowed."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.errors import ConfigurationError, DataError
from pipelines.settings import Document, Workspace, read_configuration, read_specification
from transforms.channel_rules import RULES


def written(folder: Path, text: str, name: str = "journey.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def problem(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_configuration(path)
    return str(caught.value)


def test_an_unknown_key_is_told_with_its_line_and_the_nearest_key(tmp_path: Path) -> None:
    message = problem(written(tmp_path, "name: Shop\nsessions:\n  timeot: 30m\n"))

    assert f"{tmp_path / 'journey.yaml'}, line 3: sessions: unknown key 'timeot' (did you mean 'timeout'?)" in message


def test_a_wrong_value_is_told_with_its_line_and_what_would_be_right(tmp_path: Path) -> None:
    message = problem(written(tmp_path, "sessions:\n  timeout: soon\n"))

    assert "line 2: sessions.timeout: expected a duration such as 30m" in message


def test_a_funnel_that_uses_an_unknown_stage_names_the_stages(tmp_path: Path) -> None:
    text = "stages: [{name: visit}, {name: buy}]\nfunnels: [{name: f, steps: [{stage: visit}, {stage: pay}]}]\n"

    message = problem(written(tmp_path, text))

    assert "funnel 'f' uses the stage 'pay', but the journey only has: visit, buy" in message


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    assert "line 2: the key 'name' is given twice" in problem(written(tmp_path, "name: a\nname: b\n"))


def test_a_yaml_tag_runs_nothing(tmp_path: Path) -> None:
    assert "not valid YAML" in problem(written(tmp_path, "name: !!python/object/apply:os.system [exit]\n"))


def test_a_file_that_is_a_list_is_refused(tmp_path: Path) -> None:
    assert "expected keys such as `stages:`" in problem(written(tmp_path, "- a\n"))


def test_a_key_of_the_file_replaces_the_presets(tmp_path: Path) -> None:
    configuration = read_configuration(written(tmp_path, "preset: ecommerce\nname: Shoes\nfunnels: []\n"))

    assert configuration.journey.name == "Shoes"
    assert configuration.journey.funnels == ()
    assert configuration.journey.stage_names[0] == "awareness"


def test_an_unknown_preset_names_the_presets(tmp_path: Path) -> None:
    assert "there are: b2b, ecommerce, saas, support" in problem(written(tmp_path, "preset: shop\n"))


def test_the_version_changes_with_a_rule_and_not_with_the_engine(tmp_path: Path) -> None:
    plain = read_configuration(written(tmp_path, "name: a\n")).version

    assert read_configuration(written(tmp_path, "name: a\nengine: {memory: 1GB}\n")).version == plain
    assert read_configuration(written(tmp_path, "name: a\nsessions: {timeout: 10m}\n")).version != plain


def test_the_version_changes_with_the_channel_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = read_configuration(written(tmp_path, "name: a\n"))
    before = configuration.version

    monkeypatch.setattr("pipelines.settings.RULES", replace(RULES, version="another"))

    assert configuration.version != before


@pytest.mark.parametrize("key", ["own_hosts", "internal_hosts", "ignored_referrers"])
@pytest.mark.parametrize("said", ["https://shop.example", "shop.example/cart", "shop.example:8080"])
def test_more_than_a_host_is_refused_with_the_host(tmp_path: Path, key: str, said: str) -> None:
    message = problem(written(tmp_path, f"name: a\n{key}: [other.example, '{said}']\n"))

    assert f"line 2: {key}: '{said}' is more than a host; write shop.example" in message


def test_a_specification_may_be_one_funnel_or_a_list(tmp_path: Path) -> None:
    one = written(tmp_path, "name: f\nsteps: [{event: a}]\n", "one.yaml")
    many = written(tmp_path, "- {name: f, steps: [{event: a}]}\n", "many.yaml")

    assert read_specification(one)[1] is True
    assert read_specification(many)[1] is False


SOURCE = "sources:\n  web:\n    format: csv\n    files: 'web/*.csv'\n    fields: {{event: {{value: x}}, occurred_at: at, {}}}\n"


@pytest.mark.parametrize(
    ("said", "place", "word"),
    [
        ("event_id: no", "sources.web.fields.event_id: ", "no"),
        ("event_id: {from: off}", "sources.web.fields.event_id.from: ", "off"),
        ("value: {first: [a, yes]}", "sources.web.fields.value.first.1: ", "yes"),
        ("state: {from: answer, map: {yes: given}}", "", "yes"),
        ("on: at", "", "on"),
    ],
)
def test_a_word_that_yaml_reads_as_true_or_false_is_to_be_quoted(
    tmp_path: Path, said: str, place: str, word: str
) -> None:
    message = problem(written(tmp_path, SOURCE.format(said)))

    assert f"line 5: {place}YAML reads {word} as true or false; to mean the word, quote it: '{word}'" in message


def test_true_and_false_stay_what_they_are(tmp_path: Path) -> None:
    said = SOURCE.format("user_id: u, is_bot: {from: robot, map: {true: true, false: false}}")

    assert read_configuration(written(tmp_path, said)).sources["web"].fields["is_bot"].map == {
        "true": True,
        "false": False,
    }


def test_a_column_that_is_a_number_is_to_be_quoted(tmp_path: Path) -> None:
    message = problem(written(tmp_path, SOURCE.format("event_id: 5")))

    assert "a column is named by text, found the number 5; quote it: '5'" in message


SEGMENTS = """name: a
segments:
  - {name: buyers, customer: {purchase_count: {gte: 1}}}
  - {name: leads, customer: {is_lead: true}}
"""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("  - {name: x, in: [byers]}\n", "line 2: segment 'x' asks for the segment 'byers' (did you mean 'buyers'?)"),
        ("  - {name: x, in: [y]}\n  - {name: y, not_in: [x]}\n", "line 2: segment 'x' asks for itself: x → y → x"),
        ("  - {name: x, not_in: [x]}\n", "segment 'x' asks for itself: x → x"),
        (
            "  - {name: x, customer: {purchase_cnt: 1}}\n",
            "line 5: segments.2: segment 'x' asks for the property 'purchase_cnt'",
        ),
        ("  - {name: x, customer: {purchase_cnt: 1}}\n", "(did you mean 'purchase_count'?)"),
        ("  - {name: x, as_of: entry, customer: {is_lead: true}}\n", "'x' is as of entry, but asks for is_lead"),
        ("  - {name: x, as_of: entry, in: [leads]}\n", "'x' is as of entry, but asks (through 'leads') for is_lead"),
        ("  - {name: x, did: [{event: a, at_lest: 2}]}\n", "unknown key 'at_lest' (did you mean 'at_least'?)"),
        (
            "funnels: [{name: f, steps: [{event: a}, {event: b}], breakdowns: [segment.buyer]}]\n",
            "line 5: funnel 'f' has a breakdown by the segment 'buyer' (did you mean 'buyers'?)",
        ),
        (
            "funnels: [{name: f, steps: [{event: a}, {event: b}], breakdowns: [segment.buyers]}]\n",
            "which is as of the horizon: it would sort entrants by what they did later; give the segment `as_of: entry`",
        ),
        (
            "funnels: [{name: f, steps: [{event: a}, {event: b}], breakdowns: [{by: [segment.x], as_of: first_touch}]}]\n",
            "write {by: [segment.x], as_of: entry}",
        ),
        (
            "funnels: [{name: f, steps: [{event: a, where: {segment.buyers: true}}]}]\n",
            "'segment.buyers' is no property of an event; a segment goes under `breakdowns`",
        ),
    ],
)
def test_a_segment_that_cannot_be_told_is_refused_with_what_would_be_right(
    tmp_path: Path, more: str, said: str
) -> None:
    assert said in problem(written(tmp_path, SEGMENTS + more))


def test_a_missing_key_for_personal_values_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNEYS_HMAC_KEY", raising=False)

    with pytest.raises(DataError, match="openssl rand -hex 32"):
        _ = Workspace(tmp_path).hmac_key


def test_lines_are_known_for_nested_places(tmp_path: Path) -> None:
    document = Document.read(written(tmp_path, "a:\n  - b: 1\n    c: 2\n"))

    assert document.lines[("a", 0, "c")] == 3


FUTURE = "name: a\nstages: [{{name: consideration, touchpoints: [{{name: call, when: {{event: call_made}}}}]}}]\nfuture: [{}]\n"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("{stage: considered, adds: [chat]}", "future uses the stage 'considered', but the journey only has: consideration"),
        ("{stage: consideration, removes: [calls]}", "removes 'calls', which the stage does not have: call"),
        ("{stage: consideration, adds: [chat], removes: [chat]}", "both adds and removes chat"),
        ("{stage: consideration}", "says nothing; give it a description, adds or removes"),
        ("{stage: consideration, adds: [a]}, {stage: interest, adds: [b]}", "future has the stage 'consideration' twice"),
    ],
)  # fmt: skip
def test_a_future_that_cannot_be_held_against_the_plan_is_refused(tmp_path: Path, said: str, told: str) -> None:
    assert told in problem(written(tmp_path, FUTURE.format(said)))


def test_a_future_speaks_of_a_stage_by_its_own_name_or_an_alias(tmp_path: Path) -> None:
    journey = read_configuration(written(tmp_path, FUTURE.format("{stage: interest, removes: [call]}"))).journey

    future = journey.future_of("consideration")
    assert future is not None
    assert future.removes == ("call",)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("stages", "[{name: visit}, {name: visit}]"),
        ("funnels", "[{name: f, steps: [{stage: pay}]}]"),
        ("kpis", "[{stage: pay, metric: stage_reach}]"),
        ("changes", "[{date: 2026-01-01, name: c, stage: pay}]"),
        ("future", "[{stage: pay, adds: [chat]}]"),
    ],
)
def test_a_name_that_does_not_fit_the_whole_is_told_with_the_line_of_its_key(
    tmp_path: Path, key: str, said: str
) -> None:
    stages = "" if key == "stages" else "stages: [{name: visit}]\n"

    message = problem(written(tmp_path, f"name: a\n{stages}currency: EUR\n{key}: {said}\n"))

    assert f"line {3 if key == 'stages' else 4}: " in message

"""The cases of ../shared/cases: small inputs with known answers, through the file of a funnel and its answer.

A case's switches have defaults of their own (its README): the range cuts every event, exclusions drop the person, breakdowns
are by first touch, and there is no window.
"""

import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from pipelines import retention_answers
from pipelines.funnel_answers import Asked
from pipelines.funnel_file import answer_from_file
from transforms.attribution import markov_credit
from transforms.funnels import funnel_entrants
from transforms.journey import Funnel
from transforms.retention import retention
from transforms.sessions import session_numbers, sessions_by_marks
from transforms.statistics import kaplan_meier, wilson

CASES = Path(__file__).resolve().parents[1] / ".." / "shared" / "cases"


def load(*patterns: str) -> list[Any]:
    files = [path for pattern in patterns for path in sorted(CASES.glob(pattern))]
    found = [case for path in files for case in json.loads(path.read_text(encoding="utf-8"))]
    if not found:
        return [pytest.param({}, id="absent", marks=pytest.mark.skip("shared/cases is not here"))]
    return [pytest.param(case, id=case["id"]) for case in found]


# ---------------------------------------------------------------- a case as a specification and a file of events


def specification(case: dict[str, Any], **changes: Any) -> dict[str, Any]:
    query = {**case["query"], **changes}
    window, chained = query["window_seconds"], query.get("window_from") == "previous_step"
    duration = "none" if window is None else f"{window}s"
    steps = [step_of(step, query) for step in query["steps"]]
    if chained:
        steps = [steps[0], *({**step, "within": duration} for step in steps[1:])]
    return {
        "name": case["id"],
        "steps": steps,
        "order": query["order"],
        "unit": {"person": "customer", "group": "account"}.get(query.get("count_by", "person"), "session"),
        "window": "none" if chained else duration,
        "ties": query.get("ties", "any"),
        "range": "entry" if query.get("range_applies_to") == "entry" else "all",
        "attempt": query.get("attempt", "best"),
        "exclusions": [exclusion_of(item) for item in query.get("exclusions", [])],
        "exclusion": "kill" if query.get("exclusion_policy") == "kill_attempt" else "drop",
        "breakdowns": [breakdown_of(query)] if "breakdown" in query else [],
        "event_reuse": query.get("event_reuse", False),
        "from": query.get("date_from"),
        "to": query.get("date_to"),
        "time_zone": query.get("timezone", "UTC"),
    }


def step_of(step: dict[str, Any], query: dict[str, Any]) -> dict[str, Any]:
    where = {**where_of(query.get("where", {})), **where_of(step.get("where", {}))}
    found: dict[str, Any] = {"event": step["event"]} if "event" in step else {"any": True}
    kept = {key: step[key] for key in ("optional", "first_time") if key in step}
    return {**found, **kept, "where": where}


def where_of(where: dict[str, Any]) -> dict[str, Any]:
    """A list of conditions means all of them; a condition is a value or {op, value}."""
    return {
        name: {
            operator: operand
            for item in (said if isinstance(said, list) else [said])
            for operator, operand in [(item["op"], item.get("value", True)) if isinstance(item, dict) else ("eq", item)]
        }
        for name, said in where.items()
    }


def exclusion_of(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "event": item["event"], "where": where_of(item.get("where", {})),
        "from": item["from_step"] + 1, "to": item["to_step"] + 1,
    }  # fmt: skip


def breakdown_of(query: dict[str, Any]) -> dict[str, Any]:
    attribution = query.get("attribution", "first_touch")
    as_of = {"step": query["attribution_step"] + 1} if attribution == "step" else attribution
    return {"by": query["breakdown"]["props"], "as_of": as_of}


def event_lines(case: dict[str, Any]) -> Iterator[str]:
    identity, profiles = case.get("identity", {}), case.get("person_props", {})
    for unit, event, instant, properties in case["events"]:
        person = identity.get(unit, unit)
        yield json.dumps(
            {
                "occurred_at": instant, "event": event, "customer_id": person,
                "session_id": properties.get("session_id"), "account_id": properties.get("group"),
                "properties": {**profiles.get(person, {}), **properties},
            }
        )  # fmt: skip


def answered(case: dict[str, Any], folder: Path, *, compat: str | None = None, **changes: Any) -> dict[str, Any]:
    spec, events = folder / "funnel.yaml", folder / "events.ndjson"
    said = compatible(case, compat) if compat else specification(case, **changes)
    spec.write_text(json.dumps(said), encoding="utf-8")
    events.write_text("\n".join(event_lines(case)), encoding="utf-8")
    answer = answer_from_file(spec, events, Asked(attempts=True))
    assert isinstance(answer, dict)
    return answer


# ---------------------------------------------------------------- what a case expects


def counts(steps: list[dict[str, Any]]) -> list[int]:
    return [step["count"] for step in steps]


def check_steps(steps: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    assert counts(steps) == expected["counts"]
    for key, name in (("avg_seconds", "mean"), ("median_seconds", "median")):
        for step, seconds in zip(steps, expected.get(key, []), strict=False):
            if seconds is not None:
                assert step[f"{name}_seconds_of_converters"] == pytest.approx(seconds)


def check_persons(attempts: list[dict[str, Any]], expected: dict[str, list[str]]) -> None:
    for number, persons in expected.items():
        reached = {item["unit_id"] for item in attempts if item["is_best"] and item["depth"] >= int(number)}
        assert reached == set(persons), f"step {number}"


def conversion(answer: dict[str, Any], first: int, last: int) -> dict[str, Any]:
    """Average time between two steps, and its histogram in as many bins as the cube root of the count."""
    durations = sorted(
        (moment(times[last]) - moment(times[first])).total_seconds()
        for item in answer["attempts"]
        if item["is_best"] and item["depth"] > last
        for times in [sorted(filter(None, item["steps"])) if answer["order"] == "any" else item["steps"]]
    )
    bins = math.ceil(len(durations) ** (1 / 3))
    width = math.ceil((durations[-1] - durations[0]) / bins)
    places = [int((seconds - durations[0]) // width) for seconds in durations]
    return {
        "average_seconds": sum(durations) / len(durations),
        "bins": [[durations[0] + number * width, places.count(number)] for number in range(bins + 1)],
    }


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def timeline(case: dict[str, Any]) -> pl.LazyFrame:
    rows = [(unit, name, moment(at), f"e{place}") for place, (unit, name, at, _) in enumerate(case["events"])]
    schema = {
        "customer_id": pl.String,
        "event": pl.String,
        "occurred_at": pl.Datetime("us", "UTC"),
        "event_id": pl.String,
    }
    return pl.LazyFrame(rows, schema=schema, orient="row")


# ---------------------------------------------------------------- the tests


@pytest.mark.parametrize("case", load("funnel_*.json"))
def test_a_funnel_says_what_its_case_expects(case: dict[str, Any], tmp_path: Path):
    expected = case["expected"]

    answer = answered(case, tmp_path)

    if "counts" in expected:
        check_steps(answer["steps"], expected)
    if "by_breakdown" in expected:
        groups = {"|".join(group["values"]).replace("(not known)", ""): group["steps"] for group in answer["groups"]}
        assert set(groups) == set(expected["by_breakdown"])
        for value, of_value in expected["by_breakdown"].items():
            check_steps(groups[value], of_value)
    if "conversion" in expected:
        between = case["query"]["time_to_convert"]
        assert conversion(answer, between["from_step"], between["to_step"]) == expected["conversion"]
    if "buckets" in expected:
        assert daily_buckets(case) == expected["buckets"]
    check_persons(answer["attempts"], expected.get("persons_by_step", {}))


# Where a case leaves a switch to the engine it comes from, `compat` must say the same.
LEFT_TO_THE_ENGINE = {
    "range_applies_to": "range", "exclusion_policy": "exclusion", "attempt": "attempt", "ties": "ties", "event_reuse": "event_reuse",
}  # fmt: skip


def of_engine(*patterns: str, source: str) -> list[Any]:
    return [case for case in load(*patterns) if str(case.values[0].get("source", source)).startswith(source)]


def compatible(case: dict[str, Any], compat: str) -> dict[str, Any]:
    said = {**specification(case), "compat": compat}
    for asked, switch in LEFT_TO_THE_ENGINE.items():
        if asked not in case["query"]:
            del said[switch]
    if "attribution" not in case["query"]:
        for breakdown in said["breakdowns"]:
            del breakdown["as_of"]
    return said


@pytest.mark.parametrize("case", of_engine("funnel_*.json", source="PostHog"))
def test_compat_with_posthog_counts_as_its_own_tests_do(case: dict[str, Any], tmp_path: Path):

    answer = answered(case, tmp_path, compat="posthog")

    if "counts" in case["expected"]:
        check_steps(answer["steps"], case["expected"])
    for value, of_value in case["expected"].get("by_breakdown", {}).items():
        groups = {"|".join(group["values"]).replace("(not known)", ""): group["steps"] for group in answer["groups"]}
        check_steps(groups[value], of_value)
    check_persons(answer["attempts"], case["expected"].get("persons_by_step", {}))
    assert answer["compat"]["overridden"].keys() <= {"window", *LEFT_TO_THE_ENGINE.values()}


@pytest.mark.parametrize("case", of_engine("funnel_ordered.json", source="ClickHouse"))
def test_compat_with_clickhouse_counts_as_its_own_tests_do(case: dict[str, Any], tmp_path: Path):
    if "strict" in case["source"] or "event_reuse" in case["query"]:
        pytest.skip("about another of its modes")

    answer = answered(case, tmp_path, compat="clickhouse")

    assert counts(answer["steps"]) == case["expected"]["counts"]


@pytest.mark.parametrize("case", [case for case in load("funnel_exclusions.json") if "kill" in str(case.values)])
def test_an_exclusion_kills_the_attempt_by_default(case: dict[str, Any], tmp_path: Path):
    answer = answered(case, tmp_path, exclusion_policy="kill_attempt")

    expected = next(alternative for name, alternative in case["expected_alt"].items() if name.startswith("kill"))
    assert counts(answer["steps"]) == expected["counts"]


def daily_buckets(case: dict[str, Any]) -> list[list[Any]]:
    """Per day: units whose best attempt of the day entered and converted, and the rate in percent."""
    funnel = Funnel.model_validate(specification(case, range_applies_to="entry"))
    horizon = max(moment(at) for _, _, at, _ in case["events"])
    daily = funnel_entrants(timeline(case), funnel, horizon=horizon).filter("is_best_of_day").collect()
    assert isinstance(funnel.from_, date)
    assert isinstance(funnel.to, date)
    buckets = []
    for day in pl.date_range(funnel.from_, funnel.to, eager=True):
        here = daily.filter(pl.col("entry_day") == day)
        converted = here.filter(pl.col("status") == "converted").height
        buckets.append([str(day), here.height, converted, 100.0 * converted / here.height if here.height else 0.0])
    return buckets


@pytest.mark.parametrize("case", load("sessionize.json"))
def test_sessions_are_cut_as_the_case_expects(case: dict[str, Any]):
    identity = case.get("identity", {})
    rows = [
        (identity.get(unit, unit), None if at is None else moment(at), event) for unit, event, at, _ in case["events"]
    ]
    schema = {"customer_id": pl.String, "occurred_at": pl.Datetime("us", "UTC"), "event": pl.String}
    events, query = pl.LazyFrame(rows, schema=schema, orient="row"), case["query"]

    if "gap_seconds" in query:
        numbered = session_numbers(events, by="customer_id", timeout=timedelta(seconds=query["gap_seconds"])).collect()
    else:
        marks = query.get("bounds") or [query["separator"]]
        by_marks = sessions_by_marks(events, by="customer_id", opening=marks[:1], closing=marks[1:])
        numbered = by_marks.filter(~pl.col("event").is_in(marks)).collect()

    assert numbered["session_number"].to_list() == case["expected"]["session_index"]
    sessions = dict(numbered.group_by("customer_id").agg(pl.col("session_number").max()).rows())
    assert case["expected"].get("sessions", sessions) == sessions


@pytest.mark.parametrize("case", load("retention.json"))
def test_retention_says_what_its_case_expects(case: dict[str, Any], tmp_path: Path):
    expected = case["expected"]
    if case["query"].get("style") == "flags":
        assert flag_totals(case) == expected_totals(expected)
    else:
        assert triangle(case, tmp_path) == expected["matrix"]


def triangle(case: dict[str, Any], folder: Path) -> list[list[int]]:
    """A case as `journeys retention` answers it: a row per cohort, the cohort's own period first."""
    query, person = case["query"], case.get("identity", {})
    zone, count = query.get("timezone", "UTC"), query["intervals"]
    first = datetime.fromisoformat(query["date_from"])
    edges = [following(first, query["period"], number) for number in range(count + 1)]
    rows = [
        {"customer_id": person.get(unit, unit), "event": event, "occurred_at": at}
        for unit, event, at, _ in case["events"]
    ]
    file = folder / "events.ndjson"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    asked = retention_answers.Asked(
        every="sunday_week" if query["period"] == "week" else query["period"],
        starts_with=query["target"].get("event"), returns_with=query["returning"].get("event"),
        first_time=query.get("type") == "first_time", on_or_after=query.get("cumulative", False),
        minimum=query.get("minimum_occurrences", 1), periods=count, from_day=first.date().isoformat(),
    )  # fmt: skip
    answer = retention_answers.of_file(
        file, asked, time_zone=zone, horizon=edges[-1].replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    )
    by_start = {cohort["start"]: cohort["returned"] for cohort in answer["cohorts"]}
    none = [0] * count
    return [
        [returned or 0 for returned in by_start.get(start.isoformat(), none)[: count - place]]
        for place, start in enumerate(edges[:-1])
    ]


def following(first: datetime, period: str, number: int) -> datetime:
    if period == "month":
        return first.replace(month=first.month + number)
    return first + number * timedelta(**{f"{period}s": 1})


def flag_totals(case: dict[str, Any]) -> list[int | None]:
    """Retention anchored on the first of several conditions: each condition becomes a day."""
    conditions = [condition["where"] for condition in case["query"]["steps"]]
    held = [
        (unit, datetime(2026, 1, 5 + number, tzinfo=UTC))
        for unit, _, _, properties in case["events"]
        for number, where in enumerate(conditions)
        if all(str(properties.get(name)) == str(value) for name, value in where.items())
    ]
    moments = pl.LazyFrame(held, schema={"unit_id": pl.String, "occurred_at": pl.Datetime("us", "UTC")}, orient="row")
    begun = moments.filter(pl.col("occurred_at") == datetime(2026, 1, 5, tzinfo=UTC))
    horizon = datetime(2026, 1, 5 + len(conditions), tzinfo=UTC)
    found = retention(begun, moments, period="day", time_zone="UTC", horizon=horizon, kind="first_time")
    return found.collect()["returned"].drop_nulls().to_list()


def expected_totals(expected: dict[str, Any]) -> list[int]:
    return expected.get("totals") or [sum(flags) for flags in zip(*expected["flags"].values(), strict=True)]


@pytest.mark.parametrize("case", load("trap_other.json"))
def test_a_known_trap_is_avoided(case: dict[str, Any], tmp_path: Path):
    expected = case["expected"]
    if case["id"] == "trap_T8_right_censoring":
        check_right_censoring(case, expected)
    elif case["id"] == "trap_T20_sampling":
        check_sampling(expected, tmp_path)
    elif "wilson_95" in expected:
        check_intervals(expected["wilson_95"])
    elif "removal_effect" in expected:
        check_removal(case, expected)
    elif "entries" in expected:
        answer = answered(as_query(case, expected["steps"]), tmp_path, attempt="all")
        assert counts(answer["steps"])[:: len(expected["steps"]) - 1] == [expected["entries"], expected["conversions"]]
    elif "snapshot_1" in expected:
        early = {**case, "events": case["events"][:1]}
        assert counts(answered(as_query(early, expected["steps"]), tmp_path)["steps"]) == expected["snapshot_1"]
        assert counts(answered(as_query(case, expected["steps"]), tmp_path)["steps"]) == expected["snapshot_2"]
    else:
        check_levels(expected)


def as_query(case: dict[str, Any], steps: list[str], window_seconds: int | None = None) -> dict[str, Any]:
    query = {"steps": [{"event": name} for name in steps], "order": "ordered", "window_seconds": window_seconds}
    return {**case, "query": query}


def check_right_censoring(case: dict[str, Any], expected: dict[str, Any]) -> None:
    """So far and matured, over first attempts, as of the case's own horizon."""
    funnel = Funnel.model_validate(specification(as_query(case, ["A", "B"], expected["window_days"] * 86_400)))
    horizon = moment(expected["as_of"]).astimezone(UTC)
    first = funnel_entrants(timeline(case), funnel, horizon=horizon).filter("is_first").collect()
    matured = first.filter(pl.col("closes_at") <= horizon)

    assert (first["status"] == "converted").mean() == expected["naive_rate"]
    assert (matured["status"] == "converted").mean() == expected["mature_only_rate"]
    assert projection(first, horizon) == pytest.approx(
        (expected["kaplan_meier_rate"], expected["kaplan_meier_se"]), abs=1e-4
    )


def projection(first: pl.DataFrame, horizon: datetime) -> tuple[float, float]:
    """The share expected at the end of the window, and its error."""
    converted_at = pl.col("step_times").list.last()
    until = pl.min_horizontal("closes_at", pl.lit(horizon))
    waited = (pl.coalesce(converted_at, until) - pl.col("entered_at")).dt.total_seconds()
    times = first.lazy().select("funnel", waited=waited, is_event=converted_at.is_not_null())
    return (
        kaplan_meier(times, by=["funnel"], at=14 * 86_400).select("projected_rate", "projected_error").collect().row(0)
    )


def check_sampling(expected: dict[str, Any], folder: Path) -> None:
    """A tenth of the persons keeps the rate of a funnel that everybody completes; a tenth of the rows does not."""
    funnel = {"name": "sampled", "steps": [{"event": name} for name in "ABC"], "window": "1d"}

    def sampled(kept: Callable[[str, int], bool]) -> float:
        rows = [
            {"customer_id": person, "event": name, "occurred_at": f"2024-01-01T00:0{place}:00Z"}
            for person in (f"{number:03d}" for number in range(1000))
            for place, name in enumerate("ABC")
            if kept(person, place)
        ]
        (folder / "events.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "funnel.yaml").write_text(json.dumps(funnel))
        answer = answer_from_file(folder / "funnel.yaml", folder / "events.ndjson")
        assert isinstance(answer, dict)
        share = answer["steps"][-1]["total_rate"]
        return float(share["n"] / share["d"])

    assert sampled(lambda person, _place: person[0] == "0") == expected["rate_person_sampling"]
    assert sampled(lambda person, place: person[place] == "0") == expected["rate_row_sampling"]


def check_intervals(expected: dict[str, list[float]]) -> None:
    counts = pl.DataFrame(
        [[int(part) for part in name.split("/")] for name in expected], schema=["n", "d"], orient="row"
    )
    low, high = wilson("n", "d")
    found = counts.select((100 * low).round(1), (100 * high).round(1).alias("high")).rows()
    assert found == [tuple(ends) for ends in expected.values()]


def check_removal(case: dict[str, Any], expected: dict[str, Any]) -> None:
    """The events before each purchase are the paths."""
    paths: dict[str, list[str]] = {}
    for person, event, _, _ in case["events"]:
        paths.setdefault(person, []).append(event)
    bought = [path[-1] == "buy" for path in paths.values()]
    touched = [[event for event in path if event != "buy"] for path in paths.values()]
    counted = {"path": touched, "conversions": map(int, bought), "nulls": [int(not each) for each in bought]}
    found = markov_credit(pl.DataFrame({name: list(values) for name, values in counted.items()}))
    rounded = found.select("channel", pl.col("removal_effect").round(3), pl.col("credit").round(3))
    assert sum(bought) / len(bought) == expected["conversion"]
    assert {row[0]: row[1] for row in rounded.iter_rows()} == expected["removal_effect"]
    assert {row[0]: row[2] for row in rounded.iter_rows()} == expected["credit"]


def check_levels(expected: dict[str, Any]) -> None:
    """Units by deepest step are the steps of a funnel, summed from the bottom."""
    levels = enumerate(expected["users_at_level"], start=1)
    units = pl.concat(
        [pl.DataFrame({"level": [level], "unit": [pl.arange(0, users, eager=True)]}) for level, users in levels]
    )
    events = (
        units.lazy()
        .explode("unit")
        .with_columns(place=pl.int_ranges(1, pl.col("level") + 1))
        .explode("place")
        .select(
            customer_id=pl.format("{}-{}", "level", "unit"),
            event=pl.format("s{}", "place"),
            occurred_at=pl.lit(datetime(2024, 1, 1, tzinfo=UTC)) + pl.duration(minutes="place"),
            event_id=pl.format("{}-{}-{}", "level", "unit", "place"),
        )
    )
    steps = [{"event": f"s{number}"} for number in range(1, len(expected["steps"]) + 1)]
    funnel = Funnel.model_validate({"name": "levels", "steps": steps})

    best = funnel_entrants(events, funnel, horizon=None).filter("is_best").collect()

    assert [(best["depth"] >= number).sum() for number in range(1, len(steps) + 1)] == expected["steps"]

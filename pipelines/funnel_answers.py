"""Funnel answers: what `journeys funnel NAME` says, computed from the events of the published warehouse."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import polars as pl
from pydantic import ValidationError
from rich.console import Console

from pipelines.errors import ConfigurationError
from pipelines.settings import Workspace
from pipelines.warehouse import Connection, open_published, scalar, sql_text
from transforms.contracts import CORE_EVENTS
from transforms.funnel_answer import funnel_answer
from transforms.funnel_comparison import (
    Every,
    compare_periods,
    compare_segments,
    funnel_trend,
    judge_experiment,
    units_of_several,
)
from transforms.funnel_drop_offs import drop_offs
from transforms.funnel_stream import NOT_KNOWN, columns_needed, owned_property
from transforms.funnels import funnel_entrant_groups, funnel_entrants
from transforms.journey import SEGMENT, Breakdown, Funnel, Journey, Segment, check_breakdown
from transforms.nearest import did_you_mean
from transforms.segments import columns_told, segments_at_entry
from transforms.stages import matches

CONTROL = "control"
NEXT_SHOWN = 10
FILES = (".csv", ".parquet")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked about a funnel beside its name."""

    from_day: str | None = None
    to_day: str | None = None
    compare_to: str | None = None
    breakdowns: Sequence[str] = ()
    segments: Sequence[str] = ()
    trend: str | None = None
    drop_offs: str | None = None
    file: Path | None = None
    experiment: str | None = None
    shares: str | None = None
    attempts: bool = False


@dataclass(frozen=True)
class Stored:
    """What the published warehouse has for a funnel.

    `events` are what the funnel reads; `timeline` has what segments as of entry read besides, of the same events.
    """

    events: pl.LazyFrame
    members: pl.DataFrame
    horizon: datetime | None
    session_timeout: timedelta
    timeline: pl.LazyFrame = field(default_factory=pl.LazyFrame)
    segments: Sequence[Segment] = ()
    stages: Sequence[str] = ()

    def entrants(self, asked: Funnel) -> pl.DataFrame:
        """MART_FUNNEL_ENTRANTS of a funnel, over its own range."""
        found = funnel_entrants(self.events, asked, horizon=self.horizon, session_timeout=self.session_timeout)
        return found.collect()

    def groups(self, entrants: pl.DataFrame, asked: Funnel) -> pl.DataFrame:
        """MART_FUNNEL_ENTRANT_GROUPS of these entrants."""
        found = funnel_entrant_groups(
            self.events,
            entrants.lazy(),
            asked,
            horizon=self.horizon,
            session_timeout=self.session_timeout,
            in_segments=self.at_entry(entrants, asked.segments).lazy() if asked.segments else None,
        )
        return found.collect()

    def at_entry(self, entrants: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
        """Which of these segments the customer of each attempt was in at its first step."""
        found = segments_at_entry(
            entrants.lazy(), self.timeline, names=names, segments=self.segments, stages=self.stages, matches=matches
        )
        return found.collect()


def funnel(place: Workspace, name: str, asked: Asked) -> dict[str, Any]:
    """The answer of one funnel of journey.yaml: its steps, and each comparison or list that was asked for.

    Raises ConfigurationError, with the nearest name, for an unknown funnel, step, property or segment, and for impossible
    ranges, shares and files; nothing has been written then.
    """
    journey = place.configuration.journey
    wanted = ranged(named(journey, name), asked.from_day, asked.to_day, asked.breakdowns)
    known = checked(wanted, asked, segments=journey.segments)
    with open_published(place.published) as connection:
        refuse_unknown_properties(connection, asked_properties(asked))
        stored = stored_for(connection, [wanted, *filter(None, [known.by_variant])], journey, at_entry=known.at_entry)
    return answered(stored, wanted, known, asked)


def answered(stored: Stored, wanted: Funnel, known: "Known", asked: Asked) -> dict[str, Any]:
    """The answer of a funnel over stored events, with all that was asked beside it."""
    entrants = stored.entrants(wanted)
    groups = stored.groups(entrants, wanted)
    answer = funnel_answer(entrants, groups, wanted, horizon=stored.horizon, with_attempts=asked.attempts)
    if known.other is not None:
        answer["comparison"] = compare_periods(
            stored.entrants(known.other), entrants, before_funnel=known.other, funnel=wanted, horizon=stored.horizon
        )
    if known.segments:
        in_segments = stored.at_entry(entrants, [each.name for each in known.segments if each.as_of == "entry"])
        answer["segments"] = compare_segments(
            entrants, stored.members, known.segments, wanted, in_segments=in_segments, horizon=stored.horizon
        )
    if known.every is not None:
        answer["trend"] = funnel_trend(entrants, wanted, every=known.every, horizon=stored.horizon)
    if known.by_variant is not None:
        answer["experiment"] = told_experiment(stored, entrants, known.by_variant, known.shares)
    if known.step is not None:
        listed = drop_offs(stored.events, entrants, wanted, step=known.step, horizon=stored.horizon)
        answer["drop_offs"] = told_drop_offs(listed, answer["steps"][known.step - 1], known.step, asked.file)
    return answer


def stored_for(
    connection: Connection, funnels: Sequence[Funnel], journey: Journey, *, at_entry: Sequence[str] = ()
) -> Stored:
    """The events that some readings of a funnel need, with its horizon and the members of all segments.

    `at_entry` names the segments that are told as of entry.
    """
    told = columns_told(at_entry, journey.segments, matches=matches) if at_entry else set()
    columns = sorted(told.union(*(columns_needed(item) for item in funnels)))
    events = connection.sql("FROM core.events").select(*columns).pl().lazy()
    return Stored(
        events=events,
        timeline=events,
        segments=journey.segments,
        stages=journey.stage_names,
        members=connection.sql("FROM core.customer_segments").pl(),
        horizon=scalar(connection, sql_text("core/funnel_horizon.sql"), {"funnel": funnels[0].name}),
        session_timeout=journey.sessions.timeout,
    )


# ---------------------------------------------------------------- what is asked, checked


@dataclass(frozen=True, kw_only=True)
class Known:
    """What was asked, as values that are possible."""

    other: Funnel | None
    every: Every | None
    step: int | None
    by_variant: Funnel | None
    shares: dict[str, float]
    segments: Sequence[Segment]
    at_entry: Sequence[str]


def checked(wanted: Funnel, asked: Asked, *, segments: Sequence[Segment], where: str = "journey.yaml has") -> Known:
    """What was asked beside the range and the breakdowns, where there are these segments; raises ConfigurationError."""
    names = {segment.name: segment for segment in segments}
    for segment in asked.segments:
        if segment not in names:
            raise unknown("segment", segment, names, where)
    if asked.experiment and asked.experiment.startswith(SEGMENT):
        raise ConfigurationError(f"--experiment takes a property of events; '{asked.experiment}' is a segment")
    for segment in wanted.segments:
        try:
            check_breakdown(segment, segments, f"funnel '{wanted.name}'")
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
    if asked.trend is not None and asked.trend not in get_args(Every):
        raise ConfigurationError(f"--trend takes {', '.join(get_args(Every))}; found '{asked.trend}'")
    if asked.shares is not None and asked.experiment is None:
        raise ConfigurationError("--shares goes with --experiment PROPERTY")
    refuse_impossible_file(asked)
    variants = (Breakdown(by=(asked.experiment,)),) if asked.experiment else ()
    return Known(
        other=None if asked.compare_to is None else other_period(wanted, asked.compare_to),
        every=asked.trend,  # type: ignore[arg-type]
        step=None if asked.drop_offs is None else step_number(wanted, asked.drop_offs),
        by_variant=wanted.model_copy(update={"breakdowns": variants}) if variants else None,
        shares=parsed_shares(asked.shares),
        segments=[names[segment] for segment in asked.segments],
        at_entry=[*wanted.segments, *(each for each in asked.segments if names[each].as_of == "entry")],
    )


def refuse_impossible_file(asked: Asked) -> None:
    """Raise ConfigurationError for a file without a list, or of a kind that is not written."""
    if asked.file is not None and asked.drop_offs is None:
        raise ConfigurationError("--out goes with --drop-offs STEP")
    if asked.file is not None and asked.file.suffix not in FILES:
        raise ConfigurationError(f"--out writes {' or '.join(FILES)}; found '{asked.file.name}'")


def other_period(wanted: Funnel, text: str) -> Funnel:
    """The funnel over the period FROM..TO."""
    first, dots, last = text.partition("..")
    if not (dots and first.strip() and last.strip()):
        raise ConfigurationError(f"--compare-to takes FROM..TO, such as 2026-01-01..2026-01-31; found '{text}'")
    if wanted.from_ is None or wanted.to is None:
        raise ConfigurationError("--compare-to goes with --from and --to: two periods are compared")
    return ranged(wanted, first.strip(), last.strip(), options=("--compare-to FROM", "TO"))


def step_number(asked: Funnel, text: str) -> int:
    """The number of a step, given by name or number."""
    labels = [step.label for step in asked.steps]
    if text in labels:
        return labels.index(text) + 1
    if text.isdecimal() and 1 <= int(text) <= len(labels):
        return int(text)
    raise unknown("step", text, labels, f"funnel '{asked.name}' has")


def parsed_shares(text: str | None) -> dict[str, float]:
    """How variants share the units: control=50,new=50; the first is the control unless one is called so."""
    shares: dict[str, float] = {}
    for part in text.split(",") if text else ():
        name, sign, number = part.strip().rpartition("=")
        try:
            share = float(number)
        except ValueError:
            share = 0.0
        if not sign or not name or not 0 < share < float("inf") or name in shares:
            raise ConfigurationError(
                f"--shares names each variant once with a number above 0, such as control=50,new=50; found '{part.strip()}'"
            )
        shares[name] = share
    if len(shares) == 1:
        raise ConfigurationError("--shares names all variants, two at the least, such as control=50,new=50")
    return shares


def unknown(what: str, name: str, names: Iterable[str], where: str) -> ConfigurationError:
    """The error for a name that is not there, with the nearest that is."""
    names = list(names)
    hint = did_you_mean(name, names)
    return ConfigurationError(f"unknown {what} '{name}'{hint}; {where}: {', '.join(names) or 'none'}")


def asked_properties(asked: Asked) -> list[str]:
    """The properties that breakdowns and the experiment name; segments are none."""
    named = [name for item in asked.breakdowns for name in properties_of(item) if not name.startswith(SEGMENT)]
    return [*named, asked.experiment] if asked.experiment else named


def properties_of(breakdown: str) -> list[str]:
    """`a,b` is a breakdown by both at once."""
    return [name.strip() for name in breakdown.split(",") if name.strip()]


def refuse_unknown_properties(connection: Connection, names: Sequence[str]) -> None:
    """Raise ConfigurationError, with the nearest name, for a property that no event carries.

    `customer.NAME` and `account.NAME` ask for NAME as it was last set.
    """
    if not {owned_property(name)[1] for name in names} <= set(CORE_EVENTS.schema):
        carried = [row[0] for row in connection.sql(sql_text("core/property_names.sql")).fetchall()]
        refuse_properties(names, known={*CORE_EVENTS.schema, *carried})


def refuse_properties(names: Sequence[str], *, known: Iterable[str]) -> None:
    """Raise ConfigurationError, with the nearest name, for a property that is not known."""
    for name in names:
        if owned_property(name)[1] not in known:
            raise unknown("property", owned_property(name)[1], sorted(known), "events have")


def named(journey: Journey, name: str) -> Funnel:
    """The funnel of that name, in the journey's time zone; raises ConfigurationError with the nearest name."""
    known = {item.name: item for item in journey.funnels}
    if name not in known:
        raise unknown("funnel", name, known, "there are")
    return known[name].model_copy(update={"time_zone": journey.time_zone})


def ranged(
    wanted: Funnel,
    from_day: str | None,
    to_day: str | None,
    breakdowns: Sequence[str] = (),
    *,
    options: tuple[str, str] = ("--from", "--to"),
) -> Funnel:
    """A funnel over a range, with breakdowns instead of its own if any are given.

    Raises ConfigurationError for an impossible range.
    """
    if not (from_day or to_day or breakdowns):
        return wanted
    said = wanted.model_dump(by_alias=True)
    if from_day:
        said["from"] = from_day
    if to_day:
        said["to"] = to_day
    if breakdowns:
        by = [properties_of(item) for item in breakdowns]
        said["breakdowns"] = [names[0] if len(names) == 1 else {"by": names} for names in by]
    try:
        asked = Funnel.model_validate(said)
    except ValidationError as error:
        problems = [item["msg"].removeprefix("Value error, ") for item in error.errors()]
        raise ConfigurationError("; ".join(problems)) from error
    if isinstance(asked.from_, date) and isinstance(asked.to, date) and str(asked.from_) > str(asked.to):
        raise ConfigurationError(f"{options[0]} {asked.from_} lies after {options[1]} {asked.to}")
    return asked


# ---------------------------------------------------------------- parts of an answer


def told_experiment(
    stored: Stored, entrants: pl.DataFrame, by_variant: Funnel, shares: dict[str, float]
) -> dict[str, Any]:
    """What an experiment says; without shares its variants should have equally many units."""
    experiment = by_variant.breakdowns[0].label
    groups = stored.groups(entrants, by_variant)
    found = sorted(set(groups.filter("is_counted")["value"]) - {NOT_KNOWN})
    left_out = [name for name in found if name not in shares]
    if shares and left_out:
        raise ConfigurationError(
            f"--shares leaves out '{left_out[0]}', but units have it as '{experiment}': {', '.join(found)}"
        )
    shares = shares or dict.fromkeys(found, 1.0)
    control = CONTROL if CONTROL in shares else next(iter(shares), "")
    told = judge_experiment(groups, entrants, by_variant, shares=shares, control=control, horizon=stored.horizon)
    several = units_of_several(stored.events, entrants, by_variant, horizon=stored.horizon)
    return {"property": experiment, **told, "of_several_variants": several}


def told_drop_offs(listed: pl.DataFrame, step: dict[str, Any], number: int, file: Path | None) -> dict[str, Any]:
    """Who stopped at a step: how many, what came next most often, and the rows, or the file that has them."""
    following = listed["first_after"].drop_nulls().value_counts().sort("count", "first_after", descending=[True, False])
    told: dict[str, Any] = {
        "step": step["name"],
        "step_number": number,
        "units": listed.height,
        "reached": step["count"],
        "nothing_after": listed["first_after"].null_count(),
        "next_events": [{"event": name, "units": units} for name, units in following.head(NEXT_SHOWN).rows()],
    }
    if file is None:
        return {**told, "rows": listed.to_dicts()}
    from reports.downloads import as_csv, as_parquet  # here, for it brings the whole of drawing along

    content = as_csv(listed) if file.suffix == ".csv" else as_parquet(listed)
    try:
        file.write_bytes(content)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}") from error
    return {**told, "file": str(file)}


# ---------------------------------------------------------------- printed

LISTED = 20


def print_funnel(answer: dict[str, Any], out: Console) -> None:
    """Print a funnel's steps, and those of its groups, as a table with counts beside every rate; then what else was asked."""
    for line in funnel_lines(answer):
        out.print(line.rstrip(), markup=False)


def funnel_lines(answer: dict[str, Any]) -> list[str]:
    """An answer as lines of text."""
    lines = [
        f"{answer['name']}: {answer['unit']}s, {answer['order']}, entries {answer['from'] or 'from the start'} to "
        f"{answer['to'] or 'the end'}, complete to {answer['horizon']}",
        *compat_lines(answer.get("compat")),
        *step_lines(answer["steps"]),
    ]
    for group in answer["groups"]:
        lines += [group_title(group), *step_lines(group["steps"])]
    parts: dict[str, Callable[[Any], list[str]]] = {
        "comparison": comparison_lines,
        "segments": segment_lines,
        "trend": trend_lines,
        "experiment": experiment_lines,
        "drop_offs": drop_off_lines,
    }
    return lines + [line for name, told in parts.items() if name in answer for line in told(answer[name])]


def step_lines(steps: list[dict[str, Any]]) -> list[str]:
    """A line for each step."""
    return [
        f"  {step['name']:<28} {step['count']:>10,}   {_share(step['step_rate']):<24} of entrants {_share(step['total_rate'])}"
        for step in steps
    ]


def compat_lines(compat: dict[str, Any] | None) -> list[str]:
    """What a funnel that counts as another product does was set to."""
    if compat is None:
        return []
    lines = [f"  as {compat['product']} ({compat['verified']}): {_switches(compat['sets'])}"]
    if compat["overridden"]:
        lines.append(f"  but by its own keys: {_switches(compat['overridden'])}")
    return [*lines, *(f"  differs still: {difference}" for difference in compat["differs"])]


def comparison_lines(comparison: dict[str, Any]) -> list[str]:
    """Two periods side by side, with what each step contributed to the change."""
    before, after = comparison["before"], comparison["after"]
    lines = [f"Against {before['from']} to {before['to']}{_unfinished(before)}{_unfinished(after, ' (this period)')}"]
    for step in comparison["steps"]:
        counts = f"{step['before']['count']:,} -> {step['after']['count']:,}"
        change, part = step["total_rate_change"], step["part"]
        told = "" if change["difference"] is None else f"of entrants {_change(change)}"
        told += "" if part is None or not told else f", its part {_points(part)}"
        lines.append(f"  {step['name']:<28} {counts:>20}   {told}")
    return lines


def segment_lines(segments: list[dict[str, Any]]) -> list[str]:
    """Each segment against who is not in it."""
    lines = []
    for segment in segments:
        as_of = " (as of entry)" if segment["as_of"] == "entry" else ""
        lines += [f"Segment {segment['segment']}{as_of}", *step_lines(segment["steps"])]
        lines.append(
            f"  converted {_share(segment['total_rate'])}, others {_share(segment['rest_rate'])}: {_verdict(segment)}"
        )
    return lines


def trend_lines(periods: list[dict[str, Any]]) -> list[str]:
    """A line for each entry period; those whose windows still run are marked."""
    return [
        "By period of entry (units count once in each period, so periods do not add up)",
        *(
            f"  {period['from']} to {period['to']} {period['entrants']:>10,}   {_share(period['conversion_rate']):<24}"
            + ("" if period["is_mature"] else f" incomplete, {period['open']:,} open")
            for period in periods
        ),
    ]


def experiment_lines(experiment: dict[str, Any]) -> list[str]:
    """The variants, whether they have the units they should, and how each does against the control."""
    ratio = experiment["sample_ratio"]
    units = ", ".join(
        f"{name} {count:,} (expected {ratio['expected'][name]:,.0f})" for name, count in ratio["units"].items()
    )
    lines = [f"Experiment by {experiment['property']}: {units or 'no entrant has it'}"]
    if ratio["p_value"] is not None:
        verdict = "mismatch: the differences below are not to be trusted" if ratio["is_mismatch"] else "as meant"
        lines.append(f"  sample ratio {verdict} (chi-square {ratio['chi_square']:.2f}, p {ratio['p_value']:.4f})")
    for variant in experiment["variants"]:
        lines += [f"Variant {variant['variant']}{' (control)' if variant['is_control'] else ''}"]
        lines += step_lines(variant["steps"])
        if not variant["is_control"]:
            lines.append(f"  against {experiment['control']}: {_verdict(variant)}")
    without, several = experiment["without_variant"], experiment["of_several_variants"]
    return [*lines, f"  {without:,} entrants have no variant; {several:,} were seen with more than one"]


def drop_off_lines(dropped: dict[str, Any]) -> list[str]:
    """Who stopped at a step, what came next, and the first of the list, or where it lies."""
    lines = [f"Stopped at {dropped['step']}: {dropped['units']:,} of {dropped['reached']:,} who reached it"]
    lines += [f"  next {item['event']:<26} {item['units']:>10,}" for item in dropped["next_events"]]
    lines.append(f"  nothing more in the window {dropped['nothing_after']:>10,}")
    if "file" in dropped:
        return [*lines, f"  the list: {dropped['file']}"]
    for row in dropped["rows"][:LISTED]:
        when = f"{row['dropped_at']:%Y-%m-%d %H:%M:%S}"
        lines.append(f"  {row['unit_id']}  {when}  then {row['did_instead'] or 'nothing'}; last {row['last_event']}")
    left = dropped["units"] - LISTED
    return [*lines, f"  and {left:,} more: --json or --out FILE.csv lists all"] if left > 0 else lines


def group_title(group: dict[str, Any]) -> str:
    """The values of a group."""
    return ", ".join(f"{name} = {value}" for name, value in zip(group["by"], group["values"], strict=True))


def _switches(switches: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in switches.items())


def _unfinished(period: dict[str, Any], which: str = "") -> str:
    return "" if period["is_final"] else f"; windows still run{which}, so counts may grow"


def _points(value: float) -> str:
    return f"{100 * value:+.1f} points"


def _change(change: dict[str, Any]) -> str:
    if change["difference"] is None:
        return "-"
    return f"{_points(change['difference'])} ({100 * change['low']:+.1f} to {100 * change['high']:+.1f})"


def _verdict(test: dict[str, Any]) -> str:
    """A difference with its interval, and whether it stands out."""
    names = {"difference": "difference", "low": "difference_low", "high": "difference_high"}
    change = _change({name: test[column] for name, column in names.items()})
    if test["p_value"] is None:
        return f"{change}, too few to say"
    return f"{change}, {'stands out' if test['stands_out'] else 'does not stand out'} (q {test['q_value']:.4f})"


def _share(rate: dict[str, Any]) -> str:
    if not rate["d"]:
        return "-"
    if rate["d"] < 20:
        return f"{rate['n']:,}/{rate['d']:,} too few to say"
    return f"{100 * rate['rate']:.1f} % ({rate['n']:,}/{rate['d']:,})"

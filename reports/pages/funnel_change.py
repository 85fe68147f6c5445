"""Funnel change: why a funnel's rate is not what it was, by step, by group and by week; a part of each funnel's page."""

import polars as pl

from reports.charts.dots import rate_dots
from reports.charts.parts import signed_parts
from reports.funnel_counts import FunnelCounts
from reports.incidents import Incident
from reports.page import Cell, Figure, Query, Section
from reports.rates import Difference, Rate
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import View
from reports.words import TOO_FEW, name, percent, plural, points, quoted, sentence, share, short_day
from transforms.statistics import FEW

MOST_GROUPS = 10
LEAD = (
    "The two newest periods of four weeks whose windows are all over, each unit counted by its first attempt in the period. The parts add up to the "
    "change of the total rate; they say where it lies, not what caused it."
)


def change_sections(view: View, counts: FunnelCounts) -> list[Section]:
    """Why the rate changed; nothing while there are no two such periods. Reads mart.funnel_change_steps, mart.funnel_change_groups."""
    steps = view.table("mart.funnel_change_steps").filter(pl.col("funnel") == counts.name).sort("step_number")
    if steps.is_empty():
        return []
    groups = view.table("mart.funnel_change_groups").filter(pl.col("funnel") == counts.name)
    breakdowns = groups["breakdown"].unique().sort().to_list()
    figures = [
        group_figure(groups.filter(pl.col("breakdown") == breakdown), breakdown, counts, number)
        for number, breakdown in enumerate(breakdowns, start=1)
    ]
    return [Section("Why the rate changed", (step_figure(steps, counts), *figures), LEAD)]


def incident_sections(view: View, counts: FunnelCounts) -> list[Section]:
    """Days in which a group or everybody stood out; nothing where none did. Reads the answer group_days."""
    found = [incident for incident in view.incidents if incident.funnel == counts.name]
    figures = tuple(incident_figure(incident, counts, number) for number, incident in enumerate(found, start=1))
    return [Section("When something happened", figures, INCIDENTS)] if figures else []


def incident_figure(found: Incident, counts: FunnelCounts, number: int) -> Figure:
    """One group, or everybody, in some days, beside itself at other times; of a group, the others in both."""
    when = (
        f"{short_day(found.first)} to {short_day(found.last)}" if found.first < found.last else short_day(found.first)
    )
    who = name(found.group) if found.breakdown else "Everybody"
    rates = [(f"{who}, {when}", found.difference.here), (f"{who}, at other times", found.difference.there)]
    if found.others:
        rates += [(f"All others, {when}", found.others.here), ("All others, at other times", found.others.there)]
    way = "less" if found.difference.value < 0 else "more"
    return Figure(
        f"incident-{number}",
        f"{quoted(found.group) if found.breakdown else 'Everybody'} went on from {quoted(found.step)} to {quoted(found.next_step)} {way} often, "
        f"{when}: {percent(found.difference.here.value)} "
        f"instead of {percent(found.difference.there.value)}",
        f"{sentence(found.difference.evidence)}. About {plural(found.customers, counts.unit)} "
        f"{'fewer' if way == 'less' else 'more'} than at other times.",
        rate_dots(rates),
        table(
            (*texts("Who and when"), *rate_columns("Went on", "Came to the step")),
            [cells(name(label), *rate_cells(rate)) for label, rate in rates],
        ),
        Query("group_days"),
    )


INCIDENTS = (
    "Every group of every breakdown, at every step, in every one to four whole weeks, against the same group at all other times, where the "
    "other groups did not do as well; and everybody, in every one to six days and one to four weeks, by more than the rate moves anyway. "
    "Shown is what would come by chance in one of a hundred reports at most."
)


def periods(row: dict[str, object]) -> str:
    """The two periods in words."""
    dates = [short_day(row[column]) for column in ("after_from", "after_to", "before_from", "before_to")]  # type: ignore[arg-type]
    return f"{dates[0]} to {dates[1]} against {dates[2]} to {dates[3]}"


def step_figure(steps: pl.DataFrame, counts: FunnelCounts) -> Figure:
    """What each step contributed."""
    last = steps.row(-1, named=True)
    before, after = (
        Rate.of(last["reached_before"], last["entered_before"]),
        Rate.of(last["reached_after"], last["entered_after"]),
    )
    difference = Difference.of(after, before)
    enough = before.says_enough and after.says_enough
    rows = list(steps.filter(pl.col("step_number") > 1).iter_rows(named=True))
    known = enough and all(row["part"] is not None for row in rows)
    return Figure(
        "change-steps",
        step_sentence(difference, rows)
        if enough and difference
        else f"Too few {counts.units} in one of the two periods to say why",
        f"{sentence(periods(last))}. What each step added to the total rate or took from it. "
        f"{difference.evidence if enough and difference else ''}".strip(),
        signed_parts(
            [row["step_name"] for row in rows],
            [("part of the change", [row["part"] for row in rows])],
            notes=[
                f"{points(row['part'])} · {row['reached_before']:,} of {row['entered_before']:,}, then "
                f"{row['reached_after']:,} of {row['entered_after']:,}"
                for row in rows
            ],
        )
        if known and rows
        else None,
        table(
            (*texts("Step"), *numbers("Reached before", "Reached after", "Part of the change")),
            [
                cells(
                    name(row["step_name"]),
                    *period_cells(row),
                    points(row["part"]) if known and row["part"] is not None else TOO_FEW,
                )
                for row in steps.iter_rows(named=True)
            ],
        ),
        Query("funnel_change_steps", (("funnel", counts.name),)),
    )


def step_sentence(difference: Difference, rows: list[dict[str, float]]) -> str:
    """How the rate moved, whether by more than chance, and through which step most."""
    before, after = percent(difference.there.value), percent(difference.here.value)
    if before == after:
        return f"The total rate stayed at {after}"
    moved = f"The total rate {'rose' if difference.value > 0 else 'fell'} from {before} to {after}"
    clear = "" if difference.low > 0 or difference.high < 0 else ", which may be chance"
    same = [row for row in rows if row["part"] is not None and row["part"] * difference.value > 0]
    if not same:
        return f"{moved}{clear}"
    most = max(same, key=lambda row: (abs(row["part"]), -row["step_number"]))
    return f"{moved}{clear}; most of it at {quoted(most['step_name'])} ({points(most['part'])})"


def period_cells(row: dict[str, int]) -> tuple[Cell, Cell]:
    """The rate of either period with its counts."""
    return tuple(  # type: ignore[return-value]
        Cell(
            share(row[f"reached_{side}"], row[f"entered_{side}"]),
            f"{row[f'reached_{side}']:,} of {row[f'entered_{side}']:,}"
            + (
                f", {Rate.of(row[f'reached_{side}'], row[f'entered_{side}']).interval}"
                if row[f"entered_{side}"]
                else ""
            ),
        )
        for side in ("before", "after")
    )


def group_figure(groups: pl.DataFrame, breakdown: str, counts: FunnelCounts, number: int) -> Figure:
    """Whether other groups entered, or groups convert otherwise."""
    size = (pl.col("mix_part").abs() + pl.col("rate_part").abs()).fill_null(0)
    rows = list(groups.sort(size, "value", descending=[True, False]).iter_rows(named=True))
    entered = [sum(row[f"entered_{side}"] for row in rows) for side in ("before", "after")]
    known = min(entered) >= FEW and all(row["mix_part"] is not None for row in rows)
    drawn = rows[:MOST_GROUPS]
    return Figure(
        f"change-by-{number}",
        group_sentence(rows, breakdown)
        if known
        else f"Too few {counts.units} in one of the two periods to compare groups by {quoted(breakdown)}",
        "Each group twice: that more or fewer of it entered (mix), and that it converts more or less often than before "
        "(rate). Small groups move by chance.",
        signed_parts(
            [row["value"] for row in drawn],
            [("mix", [row["mix_part"] for row in drawn]), ("rate", [row["rate_part"] for row in drawn])],
            notes=[
                f"{row['reached_before']:,} of {row['entered_before']:,}, then {row['reached_after']:,} of "
                f"{row['entered_after']:,}"
                for row in drawn
            ],
        )
        if known
        else None,
        table(
            (*texts(sentence(name(breakdown))), *numbers("Completed before", "Completed after", "Mix", "Rate")),
            [
                cells(
                    name(row["value"]),
                    *period_cells(row),
                    *(points(row[part]) if known else TOO_FEW for part in ("mix_part", "rate_part")),
                )
                for row in rows
            ],
        ),
        Query("funnel_change_groups", (("funnel", counts.name), ("breakdown", breakdown))),
    )


def group_sentence(rows: list[dict[str, float]], breakdown: str) -> str:
    """How much is mix and how much is rate, and the group behind most of it."""
    mix, rate = (sum(row[part] for row in rows) for part in ("mix_part", "rate_part"))
    most = rows[0]
    kind = "rate" if abs(most["rate_part"]) >= abs(most["mix_part"]) else "mix"
    return (
        f"By {quoted(breakdown)}: {points(mix)} because others came, {points(rate)} because groups convert otherwise; "
        f"most by {quoted(most['value'], limit=40)} ({points(most[f'{kind}_part'])}, {kind})"
    )

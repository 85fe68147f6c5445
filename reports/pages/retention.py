"""Retention: who comes back after the first purchase, who is new, returns or falls silent, and what customers are worth."""

from datetime import date

import polars as pl

from reports.charts.dots import rate_dots
from reports.charts.stacks import Part, stacked_bars
from reports.charts.steps import Line, step_lines
from reports.frames import single
from reports.page import Cell, Figure, Page, Query, Section
from reports.rates import Rate
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import View
from reports.words import count, money, name, plural, quoted, sentence, share, short_day
from transforms.statistics import FEW

MOST_WEEKS, MOST_COHORTS = 12, 26
HEAT_STEPS = 10


def build(view: View) -> list[Page]:
    """The page of retention; none before anybody did anything.

    Reads the answers retention, lifecycle, churn, churn_points, purchase_frequency and customer_value.
    """
    cohorts, weeks = view.answer("retention"), view.answer("lifecycle")
    if cohorts.is_empty() and weeks.is_empty():
        return []
    parts = (
        Section("Coming back", (curve_figure(cohorts), cohort_figure(cohorts))),
        Section("New, returning, silent", (lifecycle_figure(weeks),)),
        Section("Going quiet", (churn_figure(view.answer("churn")), churn_point_figure(view.answer("churn_points")))),
        Section(
            "Buying", (frequency_figure(view.answer("purchase_frequency")), value_figure(view.answer("customer_value")))
        ),
    )
    return [Page("retention.html", "Retention", "After the first purchase", heading(cohorts), LEAD, parts)]


LEAD = (
    "Purchasers are put together by the week of their first purchase, and looked for in each later week. A week that is not over yet stays empty, "
    "so that young cohorts are compared with old ones at the same age."
)


def pooled(cohorts: pl.DataFrame) -> pl.DataFrame:
    """All cohorts together by their age: who was active, of those whose week of that age is over."""
    seen = cohorts.filter(pl.col("returned").is_not_null())
    return (
        seen.group_by("week_number")
        .agg(pl.col("returned", "cohort_size").sum(), cohorts=pl.len().cast(pl.Int64))
        .sort("week_number")
        .filter(pl.col("week_number") > 0)
    )


def heading(cohorts: pl.DataFrame) -> str:
    """How many are back in the fourth week."""
    by_age = pooled(cohorts).filter(pl.col("week_number") <= 4, pl.col("cohort_size") >= FEW)
    if by_age.is_empty():
        return "Too few purchasers to say how many come back"
    row = by_age.row(-1, named=True)
    rate = Rate.of(row["returned"], row["cohort_size"])
    return f"{rate.text} of purchasers are active {plural(row['week_number'], 'week')} after their first purchase"


def curve_figure(cohorts: pl.DataFrame) -> Figure:
    """The share active by weeks since the first purchase, over all cohorts."""
    rows = pooled(cohorts)
    rates = Rate.each(rows["returned"].to_list(), rows["cohort_size"].to_list())
    drawn = [(week, rate) for week, rate in zip(rows["week_number"], rates, strict=True) if rate.says_enough]
    line = Line(
        "active",
        [week for week, _ in drawn],
        [rate.value for _, rate in drawn],
        [f"week {week}: {rate.text} ({rate.evidence})" for week, rate in drawn],
        [rate.low for _, rate in drawn],
        [rate.high for _, rate in drawn],
    )
    finding = "Too few purchasers for a share yet"
    if drawn:
        (first, early), (last, late) = drawn[0], drawn[-1]
        finding = f"Active in week {first}: {early.text} of purchasers ({early.counts}); in week {last}: {late.text} ({late.counts})"
    return Figure(
        "retention-curve",
        finding,
        "Purchasers who were active or bought again so many weeks after their first purchase, of all whose week of "
        "that number is over; with the 95% band.",
        step_lines([line], axis="weeks since the first purchase", is_stepped=False) if drawn else None,
        table(
            (*texts("Week"), *rate_columns("Active", "Purchasers"), *numbers("Cohorts")),
            [
                cells(str(week), *rate_cells(rate), count(number))
                for week, number, rate in zip(rows["week_number"], rows["cohorts"], rates, strict=True)
            ],
        ),
        Query("retention"),
    )


def cohort_figure(cohorts: pl.DataFrame) -> Figure:
    """Each weekly cohort by age, as a grid; a week that is not over is empty."""
    weeks = [
        week
        for week in range(1, MOST_WEEKS + 1)
        if not cohorts.filter(pl.col("week_number") == week)["returned"].drop_nulls().is_empty()
    ]
    newest = cohorts.select("cohort_week", "cohort_size").unique().sort("cohort_week", descending=True)
    found = {(row["cohort_week"], row["week_number"]): row["returned"] for row in cohorts.iter_rows(named=True)}
    lines = [
        (
            Cell(f"{monday:%Y-%m-%d}"),
            Cell(count(size)),
            *(cohort_cell(found.get((monday, week)), size) for week in weeks),
        )
        for monday, size in newest.head(MOST_COHORTS).rows()
    ]
    return Figure(
        "cohorts",
        cohort_sentence(newest),
        f"Rows: the week of the first purchase, the newest on top; columns: weeks since. The darker, the larger the "
        f"share that was active; a share is "
        f"shown for cohorts of {FEW} and more. Empty: that week is not over.",
        None,
        table(
            (*texts("First purchase in the week of"), *numbers("Purchasers", *(f"Week {week}" for week in weeks))),
            lines,
            note="The download has every cohort and every week.",
        ),
        Query("retention"),
        is_open=True,
    )


def cohort_sentence(newest: pl.DataFrame) -> str:
    """The largest cohort."""
    if newest.is_empty():
        return "Nobody has bought yet"
    monday, size = newest.sort("cohort_size", "cohort_week", descending=[True, False]).row(0)
    every = int(single(newest, pl.col("cohort_size").sum()))
    return f"{plural(every, 'purchaser')} in {plural(newest.height, 'cohort')}; most, {count(size)}, first bought in the week of {short_day(monday)}"


def cohort_cell(returned: int | None, size: int) -> Cell:
    """One week of one cohort."""
    if returned is None:
        return Cell("")
    if size < FEW:
        return Cell(f"{count(returned)} of {count(size)}")
    return Cell(share(returned, size), f"{count(returned)}", min(HEAT_STEPS - 1, int(returned / size * HEAT_STEPS)))


PARTS = (
    ("returning_customers", "also active the week before", False),
    ("new_customers", "new", False),
    ("resurrected_customers", "back after a break", False),
    ("dormant_customers", "gone silent", True),
)


def lifecycle_figure(weeks: pl.DataFrame) -> Figure:
    """Who is active each week, and who no longer is."""
    days: list[date] = weeks["week"].to_list()
    finding = "No week is over yet"
    if weeks.height:
        last = weeks.row(-1, named=True)
        gained = last["new_customers"] + last["resurrected_customers"]
        finding = (
            f"In the week of {short_day(last['week'])}, {count(last['active_customers'])} were active: {count(gained)} came or came back, "
            f"{count(last['dormant_customers'])} of the week before did not"
        )
    return Figure(
        "lifecycle",
        finding,
        "Customers who did something of their own in each week, by when they were active before; below the line, those "
        "of the week before who did nothing.",
        stacked_bars(
            days,
            [Part(label, weeks[column].to_list(), is_loss=lost) for column, label, lost in PARTS],
            unit="customers",
        )
        if days
        else None,
        table(
            (*texts("Week of"), *numbers("Active", *(sentence(label) for _, label, _ in PARTS))),
            [
                cells(
                    f"{row['week']:%Y-%m-%d}",
                    *(count(row[column]) for column in ("active_customers", *(part for part, *_ in PARTS))),
                )
                for row in reversed(weeks.rows(named=True))
            ],
        ),
        Query("lifecycle"),
    )


def churn_figure(months: pl.DataFrame) -> Figure:
    """The share of active purchasers who go quiet, month by month."""
    rates = [(row, Rate.of(row["churned"], row["active_at_start"])) for row in months.iter_rows(named=True)]
    enough = [(row, rate) for row, rate in rates if rate.says_enough]
    quiet = f"{months['quiet_days'][0]:.0f} days" if months.height else "the time that journey.yaml allows"
    return Figure(
        "churn",
        f"{sentence(enough[-1][1].text)} of active purchasers went quiet in {enough[-1][0]['month']:%B %Y}: {enough[-1][1].evidence}"
        if enough
        else "Too few purchasers to say how many go quiet",
        f"Purchasers active at the start of a month who are quiet at its end: they have done nothing for {quiet}. The "
        f"first months of the data say little.",
        rate_dots([(f"{row['month']:%B %Y}", rate) for row, rate in rates[-12:]]),
        table(
            (*texts("Month"), *rate_columns("Gone quiet", "Active at its start")),
            [cells(f"{row['month']:%Y-%m}", *rate_cells(rate)) for row, rate in reversed(rates)],
        ),
        Query("churn"),
    )


def churn_point_figure(contacts: pl.DataFrame) -> Figure:
    """What those who went quiet saw last, beside those who stayed."""
    rates = [(row, Rate.of(row["churned_had"], row["had"])) for row in contacts.iter_rows(named=True)]
    quiet = int(single(contacts, pl.col("churned").max()) or 0)
    stayed = int(single(contacts, pl.col("retained").max()) or 0)
    last = (
        contacts.sort("churned_last", "stage", "touchpoint", descending=[True, False, False]).row(0, named=True)
        if quiet
        else None
    )
    return Figure(
        "churn-points",
        f"Most of those who went quiet saw {quoted(last['touchpoint'])} last: {count(last['churned_last'])} of "
        f"{count(quiet)} ({share(last['churned_last'], quiet)}); "
        f"of those who stayed, {count(last['retained_last'])} of {count(stayed)} ({share(last['retained_last'], stayed)})"
        if last
        else "No purchaser has gone quiet yet",
        "Each dot: of purchasers who ever had the contact, the share who went quiet. It need not be the contact that drove them away: look at the "
        "ones that stand out.",
        rate_dots([(row["touchpoint"], rate) for row, rate in rates if rate.whole >= FEW][:12]) if quiet else None,
        table(
            (
                *texts("Contact"),
                *rate_columns("Went quiet", "Ever had it"),
                *numbers("Saw it last and went quiet", "Saw it last and stayed"),
            ),
            [
                cells(
                    Cell(name(row["touchpoint"]), name(row["stage"])),
                    *rate_cells(rate),
                    Cell(
                        share(row["churned_last"], row["churned"]),
                        f"{count(row['churned_last'])} of {count(row['churned'])}",
                    ),
                    Cell(
                        share(row["retained_last"], row["retained"]),
                        f"{count(row['retained_last'])} of {count(row['retained'])}",
                    ),
                )
                for row, rate in rates
            ],
        ),
        Query("churn_points"),
    )


def frequency_figure(rows: pl.DataFrame) -> Figure:
    """How often purchasers bought."""
    labels = [
        f"{orders}{' or more' if orders == 10 else ''} {'time' if orders == 1 else 'times'}"
        for orders in rows["orders"]
    ]
    rates = Rate.each(rows["purchasers"].to_list(), rows["all_purchasers"].to_list())
    every, orders = (int(single(rows, pl.col(column).max()) or 0) for column in ("all_purchasers", "all_orders"))
    once = Rate.of(int(single(rows.filter(pl.col("orders") > 1), pl.col("purchasers").sum())), every)
    return Figure(
        "frequency",
        f"{sentence(once.text)} of purchasers have bought more than once: {once.evidence}"
        if once.says_enough
        else f"{plural(every, 'purchaser')}: too few to say how often they buy",
        f"{plural(every, 'purchaser')} made {plural(orders, 'purchase')} so "
        f"far{f', {orders / every:.2f} each' if every >= FEW else ''}. Young purchasers had less time to buy again.",
        rate_dots(list(zip((f"Bought {label}" for label in labels), rates, strict=True))),
        table(
            (*texts("Bought"), *rate_columns("Purchasers", "All purchasers")),
            [cells(label, *rate_cells(rate)) for label, rate in zip(labels, rates, strict=True)],
        ),
        Query("purchase_frequency"),
    )


def value_figure(rows: pl.DataFrame) -> Figure:
    """What a purchaser was worth so far, by segment."""
    everybody = rows.filter(pl.col("segment") == "(all)", pl.col("purchasers") >= FEW)
    best = everybody.row(0, named=True) if everybody.height else None
    return Figure(
        "value",
        f"A purchaser was worth {money(round(best['value_per_purchaser_minor']), best['currency'])} so far: "
        f"{money(best['revenue_minor'], best['currency'])} from {count(best['purchasers'])}"
        if best
        else "Too few purchasers to say what one is worth",
        "Revenue less returns by segment of journey.yaml; segments may overlap. What was, not a forecast; money of "
        "different currencies is never added.",
        None,
        table(
            (
                *texts("Segment"),
                *numbers("Purchasers", "Purchases", "Purchases each", "Revenue", "Per purchaser", "Per purchase"),
            ),
            [
                cells(
                    "Everybody" if row["segment"] == "(all)" else name(row["segment"]),
                    *(count(row[column]) for column in ("purchasers", "orders")),
                    *(
                        (
                            f"{row['orders_per_purchaser']:.2f}",
                            money(row["revenue_minor"], row["currency"]),
                            money(whole(row["value_per_purchaser_minor"]), row["currency"]),
                            money(whole(row["value_per_order_minor"]), row["currency"]),
                        )
                        if row["purchasers"] >= FEW
                        else (
                            "too few to say",
                            money(row["revenue_minor"], row["currency"]),
                            "too few to say",
                            "too few to say",
                        )
                    ),
                )
                for row in rows.iter_rows(named=True)
            ],
        ),
        Query("customer_value"),
        is_open=True,
    )


def whole(minor: float | None) -> int | None:
    """An average amount to the nearest minor unit."""
    return None if minor is None else round(minor)

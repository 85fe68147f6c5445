"""Overview: what happened, in ten seconds: headline figures, findings, the stages, the trend, the channels."""

from datetime import date
from math import sqrt

import polars as pl

from reports.charts.rate_bars import rate_bars
from reports.charts.trend import Panel, trend
from reports.findings import channel_changes, covers, findings, largest_loss, limit, metric_words
from reports.frames import single, widest
from reports.page import Block, Cell, Figure, Findings, Notice, Page, Prose, Query, Section, Tile, Tiles
from reports.pages.kpi_trend import trend_figures
from reports.rates import Rate, with_interval
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import PERIOD_DAYS, Period, View
from reports.words import (
    amount,
    change,
    count,
    day,
    money,
    name,
    percent,
    plural,
    quoted,
    sentence,
    share,
    short_day,
)
from transforms.statistics import FEW, Z95

DAYS_SHOWN_SINGLY = 98
NOT_KNOWN = "(not known)"
COUNTED = ("new_customers", "sessions", "converted_sessions")


def build(view: View) -> list[Page]:
    """The first page of the site.

    Reads mart.sessions_daily, mart.stage_reach, mart.stage_conversion, mart.kpis, and what the funnel pages count.
    """
    parts = [
        Section("In short", (*notices(view), headline_tiles(view))),
        Section(
            "What to look at",
            (finding_list(view),),
            "The weightiest finding of each kind first; every sentence leads to its page.",
        ),
        Section("The journey", (stage_figure(view),)),
        Section("Over time", (trend_figure(view),)),
        Section("Channels", (channel_figure(view),)),
    ]
    if view.funnels:
        parts.append(Section("Funnels", (funnel_figure(view),)))
    if not view.table("mart.kpis").is_empty():
        parts.append(Section("Targets", (target_figure(view), *trend_figures(view))))
    return [Page("index.html", "Overview", eyebrow(view), heading(view), lead(view), tuple(parts))]


# ---------------------------------------------------------------- the top of the page


def eyebrow(view: View) -> str:
    """The days that the page is about."""
    return f"{PERIOD_DAYS} days to {day(view.period.last)}" if view.period else "No events yet"


def totals(view: View, period: Period) -> dict[str, int]:
    """Sessions and conversions of a period."""
    inside = view.table("mart.sessions_daily").filter(period.holds(pl.col("day")))
    return {column: int(inside[column].cast(pl.Int64).sum()) for column in COUNTED}


def period_before(view: View) -> Period | None:
    """The period to compare with; None while the data do not reach back so far."""
    if view.period and covers(view.table("mart.sessions_daily"), view.period.before):
        return view.period.before
    return None


def heading(view: View) -> str:
    """What happened to conversions, in one short sentence; they rise or fall only by more than counts vary by chance."""
    if view.period is None or view.table("mart.sessions_daily").is_empty():
        return "Nothing has come in yet"
    now = totals(view, view.period)["converted_sessions"]
    before = period_before(view)
    number = plural(now, "session") + " with a conversion"
    if before is None:
        return number
    then = totals(view, before)["converted_sessions"]
    if then < FEW or abs(now - then) <= Z95 * sqrt(now + then):
        return f"{number}, {count(then)} in the {PERIOD_DAYS} days before"
    return f"Conversions {'rose' if now > then else 'fell'} {change(now, then)[1:]} to {count(now)}"


def lead(view: View) -> str:
    """Sessions, conversions and the largest loss of the first funnel, in sentences."""
    if view.period is None:
        return "As soon as files lie in the landing folder and a run has read them, this page says what happened."
    now = totals(view, view.period)
    parts = [
        f"Between {short_day(view.period.first)} and {day(view.period.last)} there were {plural(now['sessions'], 'session')}; "
        f"{count(now['converted_sessions'])} held a conversion ({share(now['converted_sessions'], now['sessions'])})."
    ]
    for counts in view.funnels[:1]:
        loss = largest_loss(counts)
        if loss:
            stand = "stop" if loss.is_over else "stand so far"
            parts.append(
                f"Over all time, in {quoted(counts.name)} most {stand} between {quoted(loss.before)} and {quoted(loss.after)}: "
                f"{loss.rate.counts}{loss.others}."
            )
    return " ".join(parts)


def notices(view: View) -> list[Notice]:
    """What limits the numbers: a source that ends before the others, and files that could not be read."""
    failed = len(view.facts.failed_files)
    ends_early = [Notice(view.held_back)] if view.held_back else []
    if not failed:
        return ends_early
    return [
        *ends_early,
        Notice(
            f"{plural(failed, 'file')} could not be read; nothing of {'them' if failed != 1 else 'it'} is in these numbers.",
            "data-quality.html#failed",
        ),
    ]


def headline_tiles(view: View) -> Tiles:
    """Customers seen first, sessions, conversions, revenue; without events, all of them 0."""
    period, before = view.period, period_before(view)
    now = totals(view, period) if period else dict.fromkeys(COUNTED, 0)
    then = totals(view, before) if before else None
    tiles = [
        counted_tile("Customers seen first", "new_customers", now, then, "first sessions; "),
        counted_tile("Sessions", "sessions", now, then),
        counted_tile("Conversions", "converted_sessions", now, then, "sessions that held one; "),
    ]
    return Tiles((*tiles, *(revenue_tiles(view, period, before) if period else ())))


def counted_tile(label: str, column: str, now: dict[str, int], then: dict[str, int] | None, basis: str = "") -> Tile:
    """A count of the period against the one before."""
    if then is None:
        return Tile(label, count(now[column]), "", f"{basis}the {PERIOD_DAYS} days before are not all in the data")
    return Tile(
        label,
        count(now[column]),
        against(now[column], then[column]),
        f"{basis}{count(then[column])} in the {PERIOD_DAYS} days before",
    )


def against(now: int, then: int) -> str:
    """A change in words, with an arrow that is not needed to read it."""
    arrow = "↑ " if now > then else "↓ " if now < then else ""
    return arrow + change(now, then)


def revenue_tiles(view: View, period: Period, before: Period | None) -> list[Tile]:
    """Revenue of the period, the journey's own currency first; currencies are never added."""
    sessions = view.table("mart.sessions_daily").filter(
        pl.col("revenue_minor").is_not_null() & (pl.col("currency") != "mixed")
    )
    revenue = pl.col("revenue_minor").cast(pl.Int64)
    earlier = revenue.filter(before.holds(pl.col("day"))).sum() if before else pl.lit(None, dtype=pl.Int64)
    rows = (
        sessions.group_by("currency")
        .agg(now=revenue.filter(period.holds(pl.col("day"))).sum(), then=earlier)
        .filter((pl.col("now") != 0) | (pl.col("then").fill_null(0) != 0))
        .sort((pl.col("currency") != view.journey.currency), "currency")
    )
    if rows.is_empty():
        return [revenue_tile(view.journey.currency, 0, "", "no conversion carried a value in these days")]
    currency, now, then = rows.row(0)
    others = [money(minor, code) for code, minor, _ in rows.rows()[1:]]
    compared = against(now, then) if then is not None and then >= FEW and now >= 0 else ""
    basis = f"{money(then, currency)} in the {PERIOD_DAYS} days before" if then is not None else ""
    plus = f"besides {', '.join(others)}" if others else ""
    return [revenue_tile(currency, now, compared, "; ".join(part for part in (basis, plus) if part))]


def revenue_tile(currency: str, minor: int, comparison: str, basis: str) -> Tile:
    """Revenue in one currency."""
    return Tile("Revenue", amount(minor, currency), comparison, basis, unit=name(currency, limit=12))


def finding_list(view: View) -> Block:
    """The findings, or a sentence that there are none."""
    found = findings(view)
    if not found:
        return Prose(("Nothing stands out: there are too few events to say anything that is more than chance.",))
    return Findings(found)


# ---------------------------------------------------------------- figures


def stage_figure(view: View) -> Figure:
    """How many customers ever entered each stage."""
    reach = with_interval(view.table("mart.stage_reach").sort("stage_number"), "customers", "of_customers")
    rows = reach.select(
        label="stage",
        reached=pl.col("customers").cast(pl.Int64),
        whole=pl.col("of_customers").cast(pl.Int64),
        low="low",
        high="high",
        lost=pl.lit(None, dtype=pl.Int64),
    )
    lines = [
        cells(
            Cell(name(row["stage"]), link=view.stage_files.get(row["stage"], "")),
            *rate_cells(Rate(row["customers"], row["of_customers"], row["low"], row["high"])),
            Cell(share(row["leads"], row["of_leads"]), f"{count(row['leads'])} of {count(row['of_leads'])}"),
            Cell(
                share(row["visitors"], row["of_visitors"]), f"{count(row['visitors'])} of {count(row['of_visitors'])}"
            ),
        )
        for row in reach.iter_rows(named=True)
    ]
    return Figure(
        "stage-reach",
        reach_sentence(reach),
        "Customers who ever entered each stage, wherever they began: people may skip stages, come back, or arrive late. "
        "The thin line is the 95% interval.",
        rate_bars(rows) if rows.height else None,
        table(
            (
                *texts("Stage"),
                *rate_columns("Customers", "Of all customers"),
                *numbers("Of all leads", "Of all visitors"),
            ),
            lines,
        ),
        Query("stage_reach"),
    )


def reach_sentence(reach: pl.DataFrame) -> str:
    """The stage with the deepest fall since the one before it, as a sentence."""
    if reach.is_empty() or not int(single(reach, pl.col("of_customers").max()) or 0):
        return "No customer has entered a stage yet"
    falls = reach.with_columns(
        fall=pl.col("customers").cast(pl.Int64).shift() - pl.col("customers").cast(pl.Int64),
        before=pl.col("stage").shift(),
    )
    worst = falls.filter(pl.col("fall") > 0)
    if worst.is_empty():
        return f"{count(single(reach, pl.col('customers').max()))} customers reached the widest stage"
    row = widest(worst, "fall")
    return f"The widest gap lies between {quoted(row['before'])} and {quoted(row['stage'])}: {plural(row['fall'], 'customer')} fewer"


def trend_figure(view: View) -> Figure:
    """Sessions and conversions over time."""
    daily = view.table("mart.sessions_daily")
    by_day = (
        daily.group_by("day")
        .agg(
            sessions=pl.col("sessions").cast(pl.Int64).sum(),
            converted=pl.col("converted_sessions").cast(pl.Int64).sum(),
        )
        .sort("day")
    )
    by_week = by_day.height > DAYS_SHOWN_SINGLY
    rows = every_day(by_day, view.last_whole_day)
    if by_week:
        rows = (
            rows.group_by(day=pl.col("day").dt.truncate("1w"))
            .agg(pl.col("sessions", "converted").sum(), pl.col("is_whole").all() & (pl.len() == 7))
            .sort("day")
        )
    unit = "week" if by_week else "day"
    days = rows["day"].to_list()
    shown = view.changes_between(days)
    when = [f"week of {day(one)}" if by_week else day(one) for one in days]
    state = ["" if whole else " (not complete)" for whole in rows["is_whole"]]
    panels = [
        Panel(
            label,
            "bars",
            rows[column].to_list(),
            [
                f"{moment}{note}<br>{count(value)} {label.lower()}"
                for moment, note, value in zip(when, state, rows[column], strict=True)
            ],
        )
        for label, column in (("Sessions", "sessions"), ("Sessions with a conversion", "converted"))
    ]
    legend = "".join(f" {letter}: {short_day(item.date)}, {name(item.name)}." for letter, item in shown)
    return Figure(
        "trend",
        trend_sentence(rows.filter("is_whole"), unit),
        f"Sessions by the {unit} they began, in {view.journey.time_zone}. Hollow bars are not complete yet.{legend}",
        trend(days, panels, complete=rows["is_whole"].to_list(), events=[(letter, item.date) for letter, item in shown])
        if days
        else None,
        table(
            (*texts(unit.capitalize()), *numbers("Sessions", "With a conversion", "Share")),
            [
                cells(Cell(moment, note.strip(" ()")), count(sessions), count(converted), share(converted, sessions))
                for moment, note, (sessions, converted) in reversed(
                    list(zip(when, state, rows.select("sessions", "converted").rows(), strict=True))
                )
            ],
            note="One customer may have several sessions, and they depend on each other: no interval is given for the share.",
            most=DAYS_SHOWN_SINGLY,
        ),
        Query("sessions_trend"),
    )


def every_day(by_day: pl.DataFrame, last_whole: date | None) -> pl.DataFrame:
    """The days without gaps, those without sessions as 0; `is_whole` where everything of the day has come in."""
    if by_day.is_empty():
        return by_day.with_columns(is_whole=pl.lit(True))
    calendar = pl.DataFrame(
        {"day": pl.date_range(single(by_day, pl.col("day").min()), single(by_day, pl.col("day").max()), eager=True)}
    )
    return (
        calendar.join(by_day, on="day", how="left")
        .sort("day")
        .with_columns(
            pl.col("sessions", "converted").fill_null(0), is_whole=pl.col("day") <= pl.lit(last_whole, dtype=pl.Date)
        )
    )


def trend_sentence(whole: pl.DataFrame, unit: str) -> str:
    """The newest whole day or week beside the one before."""
    if whole.height < 2:
        return f"Too little time has passed to compare one {unit} with another"
    before, now = whole.tail(2).select("sessions", "converted").rows()
    return (
        f"The newest whole {unit} had {plural(now[0], 'session')} and {plural(now[1], 'conversion')}; "
        f"the {unit} before had {count(before[0])} and {count(before[1])}"
    )


def channel_figure(view: View) -> Figure:
    """Each channel's sessions and conversions in the newest period, with its change."""
    period = view.period
    sessions = view.table("mart.sessions_daily")
    inside = sessions.filter(period.holds(pl.col("day"))) if period else sessions.clear()
    rows = (
        inside.group_by(pl.col("channel").fill_null(NOT_KNOWN))
        .agg(pl.col("sessions", "converted_sessions", "bounces").cast(pl.Int64).sum())
        .sort("sessions", "channel", descending=[True, False])
    )
    before = {channel: earlier for channel, _, earlier in channel_changes(view)}
    whole = int(single(rows, pl.col("sessions").sum()))
    lines = [
        cells(
            name(channel),
            count(number),
            percent(number / whole),
            against(number, before[channel]) if channel in before else "–",
            count(converted),
            share(converted, number),
            share(bounces, number),
        )
        for channel, number, converted, bounces in rows.rows()
    ]
    return Figure(
        "channels",
        channel_sentence(rows),
        f"How the sessions of the newest {PERIOD_DAYS} days came, and how many of them held a conversion.",
        None,
        table(
            (
                *texts("Channel"),
                *numbers(
                    "Sessions",
                    "Of all",
                    f"Against {PERIOD_DAYS} days before",
                    "With a conversion",
                    "Share",
                    "Left at once",
                ),
            ),
            lines,
            note="“Left at once”: sessions of a single event.",
        ),
        Query("channels", (("first_day", str(period.first)), ("last_day", str(period.last))) if period else ()),
        is_open=True,
    )


def channel_sentence(rows: pl.DataFrame) -> str:
    """The channel that brings most sessions, and the one that brings most conversions."""
    if rows.is_empty():
        return "No sessions in these days"
    most = rows.row(0, named=True)
    seller = rows.sort("converted_sessions", "channel", descending=[True, False]).row(0, named=True)
    words = f"Most sessions come by {quoted(most['channel'])}: {count(most['sessions'])}"
    if not seller["converted_sessions"]:
        return words
    if seller["channel"] == most["channel"]:
        return f"{words}, and most conversions too: {count(seller['converted_sessions'])}"
    return f"{words}; most conversions by {quoted(seller['channel'])}: {count(seller['converted_sessions'])}"


# ---------------------------------------------------------------- plain tables


def funnel_figure(view: View) -> Figure:
    """All funnels, with a link to the page of each."""
    lines = []
    for counts in view.funnels:
        loss = largest_loss(counts)
        where = f"{name(loss.before, limit=40)} → {name(loss.after, limit=40)}" if loss else "–"
        lines.append(
            cells(
                Cell(name(counts.name), link=counts.file),
                *rate_cells(counts.completed),
                Cell(where, f"{loss.rate.counts}{loss.others}" if loss else ""),
            )
        )
    enough = [counts for counts in view.funnels if counts.completed.says_enough]
    fewest = min(enough, key=lambda counts: counts.completed.value or 0, default=None)
    return Figure(
        "funnels",
        f"Fewest complete {quoted(fewest.name)}: {fewest.completed.counts} ({fewest.completed.text})"
        if fewest
        else "Too few have entered a funnel to compare them",
        "Those who entered each funnel and those who completed it, over all time. Each has a page of its own.",
        None,
        table((*texts("Funnel"), *rate_columns("Completed", "Entered"), *texts("Where most stop")), lines),
        Query("funnels"),
        is_open=True,
    )


def target_figure(view: View) -> Figure:
    """The key figures with their targets."""
    lines = []
    kpis = view.table("mart.kpis")
    for row in kpis.iter_rows(named=True):
        is_count = row["denominator"] is None
        rate = None if is_count else Rate.of(row["numerator"], row["denominator"])
        aim = count(round(row["target"] or 0)) if is_count else percent(row["target"])
        target = "–" if row["target"] is None else f"{limit(row['metric'])} {aim}"
        lines.append(
            cells(
                Cell(sentence(metric_words(row["metric"])), name(row["stage"])),
                rate.text if rate else count(row["numerator"]),
                rate.counts if rate else "a count",
                rate.interval if rate and row["metric"] != "bounce_rate" else "–",
                target,
                row["status"] or "no target",
                name(row["owner"]) if row["owner"] else "–",
            )
        )
    met = kpis.filter(pl.col("status") == "met").height
    aimed = kpis.filter(pl.col("target").is_not_null()).height
    return Figure(
        "targets",
        f"{count(met)} of {plural(aimed, 'target')} met" if aimed else "No targets are set",
        "The key figures of journey.yaml.",
        None,
        table(
            (*texts("Figure"), *numbers("Value", "Counts", "95% interval", "Target"), *texts("Status", "Owner")), lines
        ),
        Query("kpis"),
        is_open=True,
    )

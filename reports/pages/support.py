"""Support: how many ask for help, how fast they are answered, and what is solved at once."""

import polars as pl

from reports.charts.dots import rate_dots
from reports.charts.stacks import Part, stacked_bars
from reports.frames import single
from reports.page import Cell, Figure, Page, Query, Section
from reports.rates import Rate
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import View
from reports.words import count, name, plural, quoted, sentence, short_day

LEAD = (
    "Tickets and live chats count in the week in which they were opened. A rate is of those that are old enough to be judged; one customer may ask "
    "several times, so that intervals are a little too narrow."
)


def build(view: View) -> list[Page]:
    """The page of support; none where nobody asked. Reads the answers support, support_weeks and ticket_reasons."""
    channels, weeks = view.answer("support"), view.answer("support_weeks")
    if channels.is_empty():
        return []
    parts = (
        Section("How much", (week_figure(weeks),)),
        Section("How fast, and how well", (speed_figure(channels), solved_figure(channels))),
        Section("What about", (reason_figure(view.answer("ticket_reasons")),)),
    )
    return [Page("support.html", "Support", "Tickets and chats", heading(channels), LEAD, parts)]


def total(rows: pl.DataFrame, part: str, whole: str) -> Rate:
    """The rate of two columns over all rows."""
    return Rate.of(int(single(rows, pl.col(part).sum())), int(single(rows, pl.col(whole).sum())))


def heading(channels: pl.DataFrame) -> str:
    """How many were answered within a day."""
    rate = total(channels, "replied_in_24_hours", "reply_due")
    asked = int(single(channels, pl.col("contacts").sum()))
    return (
        f"{rate.text} were answered within a day: {rate.counts}"
        if rate.says_enough
        else f"{plural(asked, 'request')} so far: too few to say how fast they are answered"
    )


def week_figure(weeks: pl.DataFrame) -> Figure:
    """Tickets and chats week by week."""
    most = weeks.sort("contacts", "week", descending=[True, False]).row(0, named=True)
    chats = (weeks["contacts"] - weeks["tickets"]).to_list()
    rates = Rate.each(weeks["replied_in_24_hours"].to_list(), weeks["reply_due"].to_list())
    return Figure(
        "support-weeks",
        f"Most were opened in the week of {short_day(most['week'])}: {count(most['contacts'])}",
        "Tickets and live chats by the week in which they were opened; weeks without any are left out, and the newest may not be over.",
        stacked_bars(
            weeks["week"].to_list(),
            [Part("tickets", weeks["tickets"].to_list()), Part("live chats", chats)],
            unit="opened",
        ),
        table(
            (*texts("Week of"), *numbers("Tickets", "Live chats"), *rate_columns("Answered in a day", "Old enough")),
            [
                cells(f"{week:%Y-%m-%d}", count(tickets), count(chat), *rate_cells(rate))
                for week, tickets, chat, rate in reversed(
                    list(zip(weeks["week"], weeks["tickets"], chats, rates, strict=True))
                )
            ],
        ),
        Query("support_weeks"),
    )


def speed_figure(channels: pl.DataFrame) -> Figure:
    """How many are answered within a day, by channel."""
    rates = [(row, Rate.of(row["replied_in_24_hours"], row["reply_due"])) for row in channels.iter_rows(named=True)]
    slowest = min(
        (pair for pair in rates if pair[1].says_enough),
        key=lambda pair: (pair[1].value or 0, pair[0]["channel"] or ""),
        default=None,
    )
    lost = total(channels, "abandoned", "abandonment_due")
    chats = f" Of {plural(lost.whole, 'chat')}, {count(lost.part)} got no answer within a day." if lost.whole else ""
    return Figure(
        "support-speed",
        f"Slowest is {quoted(channel_name(slowest[0]))}: {slowest[1].text} answered within a day ({slowest[1].counts})"
        if slowest
        else "Too few requests to compare channels",
        f"Requests that a person answered within 24 hours, of those opened a day or more ago.{chats}",
        rate_dots([(channel_name(row), rate) for row, rate in rates]),
        table(
            (
                *texts("Channel"),
                *rate_columns("Answered in a day", "Old enough"),
                *numbers("Opened", "Still open", "Handed on", "Chats answered after 5 min"),
            ),
            [
                cells(
                    channel_name(row),
                    *rate_cells(rate),
                    *(count(row[column]) for column in ("contacts", "still_open", "hand_offs")),
                    f"{count(row['helped_after_5_minutes'])} of {count(row['helped_chats'])}"
                    if row["helped_chats"]
                    else "–",
                )
                for row, rate in rates
            ],
        ),
        Query("support"),
    )


def channel_name(row: dict[str, str | None]) -> str:
    """The channel by which somebody asked."""
    return name(row["channel"] or "(not given)")


def solved_figure(channels: pl.DataFrame) -> Figure:
    """How many tickets are solved at the first contact, by channel."""
    rates = [
        (row, Rate.of(row["solved_first_time"], row["first_contact_due"])) for row in channels.iter_rows(named=True)
    ]
    every = total(channels, "solved_first_time", "first_contact_due")
    return Figure(
        "support-solved",
        f"{sentence(every.text)} of tickets are solved at once: {every.evidence}"
        if every.says_enough
        else "Too few closed tickets to say how many are solved at once",
        "Solved at once: one message of the customer, not reopened, and no new ticket within a week; of tickets closed a week or more ago.",
        rate_dots([(channel_name(row), rate) for row, rate in rates]),
        table(
            (*texts("Channel"), *rate_columns("Solved at once", "Closed a week ago"), *numbers("Reopened")),
            [cells(channel_name(row), *rate_cells(rate), count(row["reopened"])) for row, rate in rates],
        ),
        Query("support"),
    )


def reason_figure(reasons: pl.DataFrame) -> Figure:
    """What requests are about."""
    every = int(single(reasons, pl.col("contacts").sum()))
    rates = [(row, Rate.of(row["contacts"], every)) for row in reasons.iter_rows(named=True)]
    first = rates[0] if rates else None
    return Figure(
        "support-reasons",
        f"Most are about {quoted(first[0]['category'])}: {first[1].counts}{f' ({first[1].text})' if first[1].says_enough else ''}"
        if first
        else "Nothing is known of what they are about",
        "As the help desk files them.",
        rate_dots([(row["category"], rate) for row, rate in rates[:10]]),
        table(
            (
                *texts("About"),
                *rate_columns("Requests", "All requests"),
                *numbers("Customers", "Solved at once", "Reopened"),
            ),
            [
                cells(
                    name(row["category"]),
                    *rate_cells(rate),
                    count(row["customers"]),
                    Cell(f"{count(row['solved_first_time'])} of {count(row['first_contact_due'])}"),
                    count(row["reopened"]),
                )
                for row, rate in rates
            ],
        ),
        Query("ticket_reasons"),
    )

"""Adoption: how soon purchasers reach each contact after buying, what they use, and whom they bring along."""

from typing import Any

import polars as pl

from reports.charts.dots import rate_dots
from reports.charts.spans import until
from reports.frames import single
from reports.page import Cell, Figure, Page, Query, Section
from reports.rates import Rate
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import View
from reports.words import change, count, interval, name, percent, plural, quoted, sentence, short_day
from transforms.statistics import FEW, Z95

LEAD = (
    "The clock of each purchaser starts with the first conversion. Shares are of those whose 90 days have passed; the "
    "projection counts the others for "
    "as long as they have been watched."
)


def build(view: View) -> list[Page]:
    """The page of adoption; none before anybody has bought. Reads the answers adoption, feature_use and referrals."""
    contacts, features, referrals = (view.answer(file) for file in ("adoption", "feature_use", "referrals"))
    if contacts.is_empty() and features.is_empty() and referrals.is_empty():
        return []
    parts = [Section("The first 90 days", (milestone_figure(contacts),))]
    if features.height:
        parts.append(Section("What is used", (feature_figure(features),)))
    if referrals.height:
        parts.append(Section("Whom they bring along", (referral_figure(referrals),)))
    return [Page("adoption.html", "Adoption", "Onboarding and use", heading(contacts), LEAD, tuple(parts))]


def milestones(contacts: pl.DataFrame) -> list[tuple[dict[str, Any], Rate]]:
    """Each contact with its matured share, the commonest first."""
    rows = contacts.sort(
        "matured_reached", "reached", "touchpoint", "step", descending=[True, True, False, False], nulls_last=True
    )
    return [(row, Rate.of(row["matured_reached"], row["matured_purchasers"])) for row in rows.iter_rows(named=True)]


def heading(contacts: pl.DataFrame) -> str:
    """The contact that most purchasers reach, of those that not all of them have by buying."""
    rates = [(row, rate) for row, rate in milestones(contacts) if rate.says_enough and rate.part < rate.whole]
    if not rates:
        return "Too few purchasers to say what they go on to do"
    row, rate = rates[0]
    return f"{rate.text} of purchasers reach {quoted(row['touchpoint'], limit=40)} within 90 days"


def milestone_figure(contacts: pl.DataFrame) -> Figure:
    """Each contact after the first conversion: how many reach it, and how soon."""
    rates = milestones(contacts)
    enough = [pair for pair in rates if pair[1].says_enough]
    rarest = min(enough, key=lambda pair: (pair[1].value or 0, str(pair[0]["touchpoint"])), default=None)
    return Figure(
        "milestones",
        f"Fewest reach {quoted(rarest[0]['touchpoint'])}: {rarest[1].text} ({rarest[1].evidence})"
        if rarest
        else "Too few purchasers whose 90 days have passed",
        "Purchasers who had each contact within 90 days after their first conversion, of those whose 90 days have passed; the commonest twelve.",
        rate_dots([(label(row), rate) for row, rate in enough[:12]]),
        table(
            (
                *texts("Contact"),
                *rate_columns("Reached", "90 days passed"),
                *numbers("So far, of all", "Projected", "A quarter within", "Half within"),
            ),
            [
                cells(
                    Cell(label(row), name(row["stage"])),
                    *rate_cells(rate),
                    f"{count(row['reached'])} of {count(row['purchasers'])}",
                    projected(row),
                    *(
                        "–"
                        if row[column] is None
                        else until(row[column])
                        if row["purchasers"] >= FEW
                        else "too few to say"
                        for column in ("quartile_1_days", "median_days")
                    ),
                )
                for row, rate in rates
            ],
        ),
        Query("adoption"),
    )


def label(row: dict[str, str | None]) -> str:
    """The contact, with the step of it where there is one."""
    return (
        name(row["touchpoint"])
        if row["step"] is None
        else f"{name(row['touchpoint'], limit=40)}: {name(row['step'], limit=40)}"
    )


def projected(row: dict[str, float | None]) -> Cell:
    """The projected share with its interval."""
    rate, error = row["projected_share"], row["projected_error"]
    if rate is None or error is None:
        return Cell("–")
    if (row["purchasers"] or 0) < FEW:
        return Cell("too few to say")
    return Cell(percent(rate), interval(max(rate - Z95 * error, 0.0), min(rate + Z95 * error, 1.0)))


def feature_figure(features: pl.DataFrame) -> Figure:
    """Features by how often they were used in the newest week."""
    first = features.row(0, named=True)
    return Figure(
        "features",
        f"Most used in the week of {short_day(first['week'])} is {quoted(first['feature'])}: "
        f"{plural(first['uses'], 'time')}, {count(first['uses_before'])} the week before",
        "Uses of features and logins in the newest week with any, which may not be over, and in the week before.",
        None,
        table(
            (*texts("Feature"), *numbers("Uses", "Week before", "Change", "Accounts", "Uses ever")),
            [
                cells(
                    name(row["feature"]),
                    count(row["uses"]),
                    count(row["uses_before"]),
                    change(row["uses"], row["uses_before"]),
                    count(row["accounts"]),
                    count(row["uses_ever"]),
                )
                for row in features.iter_rows(named=True)
            ],
            note="People without an account count as one.",
        ),
        Query("feature_use"),
        is_open=True,
    )


def referral_figure(referrals: pl.DataFrame) -> Figure:
    """Referrals by how they were made."""
    every, accepted, answered = (
        int(single(referrals, pl.col(column).sum())) for column in ("referrals", "accepted", "answered")
    )
    rate = Rate.of(accepted, answered)
    return Figure(
        "referrals",
        sentence(f"{rate.text} of referrals were accepted: {rate.evidence}")
        if rate.says_enough
        else f"{plural(every, 'referral')}: too few to say how many are accepted",
        "Customers who referred others, and what became of those; a referred customer is known only where the source says who it is.",
        rate_dots([(row["way"], Rate.of(row["accepted"], row["answered"])) for row in referrals.iter_rows(named=True)])
        if rate.says_enough
        else None,
        table(
            (
                *texts("Way"),
                *rate_columns("Accepted", "Told whether"),
                *numbers("Referrals", "By customers", "Referred seen", "Bought"),
            ),
            [
                cells(
                    name(row["way"]),
                    *rate_cells(Rate.of(row["accepted"], row["answered"])),
                    *(count(row[column]) for column in ("referrals", "referrers", "seen", "purchased")),
                )
                for row in referrals.iter_rows(named=True)
            ],
        ),
        Query("referrals"),
        is_open=True,
    )

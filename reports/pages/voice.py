"""Voice: what customers say when they are asked, and unasked."""

from typing import Any

import polars as pl

from reports.charts.dots import rate_dots
from reports.frames import single
from reports.page import Cell, Figure, Page, Query, Section
from reports.rates import Rate
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import View
from reports.words import count, name, net, plural, quoted, sentence, share, slug
from transforms.statistics import FEW

TITLES = {
    "nps": ("Would you recommend us? (NPS)", "promoters", "gave 9 or 10"),
    "csat": ("Are you satisfied? (CSAT)", "satisfied", "gave 4 or 5"),
}
LEAD = (
    "Of each customer, the last answer to a survey in a month counts. Only those who answer are heard: happy and "
    "angry people answer more often than others."
)


def build(view: View) -> list[Page]:
    """The page of what customers say; none where nobody said anything.

    Reads the answers surveys, surveys_by_contact, reviews and promoters_who_left.
    """
    surveys, reviews = view.answer("surveys"), view.answer("reviews")
    if surveys.is_empty() and reviews.is_empty():
        return []
    asked = surveys["survey"].unique().sort().to_list()
    by_contact = view.answer("surveys_by_contact")
    parts = []
    stems: list[str] = []
    for survey in asked:
        stems.append(slug(f"survey-{survey}", stems))
        figures = (month_figure(surveys, survey, stems[-1]), contact_figure(by_contact, survey, stems[-1]))
        parts.append(Section(survey_title(survey), figures))
    parts.append(Section("Unasked", (review_figure(reviews),)))
    parts.append(Section("Promoters who left", (promoter_figure(view.answer("promoters_who_left")),)))
    return [Page("voice.html", "Voice of the customer", "What customers say", heading(surveys), LEAD, tuple(parts))]


def survey_title(survey: str) -> str:
    """What a survey asks."""
    return (
        TITLES[survey][0]
        if survey in TITLES
        else name(survey, limit=40).upper()
        if survey == "ces"
        else name(survey, limit=40)
    )


def summed(rows: pl.DataFrame, column: str) -> int:
    """The sum of a column of counts, nulls left out."""
    return int(single(rows, pl.col(column).sum()) or 0)


def heading(surveys: pl.DataFrame) -> str:
    """The survey with most answers, and what they say."""
    if surveys.is_empty():
        return "Nobody has answered a survey yet"
    most = (
        surveys.group_by("survey")
        .agg(pl.col("answers").sum())
        .sort("answers", "survey", descending=[True, False])
        .row(0)
    )
    rows = surveys.filter(pl.col("survey") == most[0])
    return f"{plural(most[1], 'answer')} to {quoted(most[0], limit=40)}: {verdict(rows, most[0])}"


def verdict(rows: pl.DataFrame, survey: str) -> str:
    """What all answers to a survey come to."""
    answers = summed(rows, "answers")
    if answers < FEW:
        return "too few to say what customers think"
    if survey == "nps":
        promoters, detractors = summed(rows, "promoters"), summed(rows, "detractors")
        score = net((promoters - detractors) / answers * 100)
        return f"{score} (promoters {count(promoters)}, detractors {count(detractors)})"
    if survey == "csat":
        return f"{share(summed(rows, 'satisfied'), answers)} satisfied"
    mean = float(single(rows, (pl.col("mean_score") * pl.col("answers")).sum())) / answers
    return f"{mean:.1f} on average"


def month_figure(surveys: pl.DataFrame, survey: str, stem: str) -> Figure:
    """The answers to one survey, month by month."""
    rows = surveys.filter(pl.col("survey") == survey).sort("month")
    part = TITLES[survey][1] if survey in TITLES else None
    rates = [(row, Rate.of(row[part] if part else 0, row["answers"])) for row in rows.iter_rows(named=True)]
    lines = [
        cells(
            f"{row['month']:%B %Y}",
            *(rate_cells(rate) if part else (count(row["answers"]),)),
            *score_cells(row, survey),
        )
        for row, rate in rates
    ]
    columns = (
        rate_columns(*({"nps": ("Promoters", "Answers"), "csat": ("Satisfied", "Answers")}[survey]))
        if part
        else numbers("Answers")
    )
    caption = (
        f"Customers who {TITLES[survey][2]}, of those who answered; the newest twelve months."
        if part
        else "Mean of all answers, of whatever scale the survey has."
    )
    return Figure(
        stem,
        sentence(f"{plural(summed(rows, 'answers'), 'answer')} to {quoted(survey)}: {verdict(rows, survey)}"),
        caption,
        rate_dots([(f"{row['month']:%B %Y}", rate) for row, rate in rates[-12:]]) if part else None,
        table(
            (
                *texts("Month"),
                *columns,
                *(numbers("Passives", "Detractors", "NPS") if survey == "nps" else numbers("Mean score")),
            ),
            lines,
        ),
        Query("surveys"),
        is_open=not part,
    )


def score_cells(row: dict[str, Any], survey: str) -> tuple[str, ...]:
    """The last cells of a month's row."""
    few = row["answers"] < FEW
    if survey == "nps":
        return (
            count(row["passives"]),
            count(row["detractors"]),
            "too few to say" if few else net(row["nps"]),
        )
    return ("too few to say" if few else f"{row['mean_score']:.2f}",)


def contact_figure(by_contact: pl.DataFrame, survey: str, stem: str) -> Figure:
    """The answers to one survey by the contact right before."""
    rows = by_contact.filter(pl.col("survey") == survey).sort("answers", "touchpoint_before", descending=[True, False])
    part = {"nps": "detractors", "csat": "satisfied"}.get(survey)
    rates = [(row, Rate.of(row[part], row["answers"])) for row in rows.iter_rows(named=True)] if part else []
    enough = [pair for pair in rates if pair[1].says_enough]
    worst = (max if part == "detractors" else min)(
        enough, key=lambda pair: (pair[1].value or 0, pair[0]["touchpoint_before"]), default=None
    )
    return Figure(
        f"{stem}-before",
        f"Least pleased are those whose last contact was {quoted(worst[0]['touchpoint_before'])}: {worst[1].text} {part} ({worst[1].counts})"
        if worst
        else "Too few answers after any single contact to compare them",
        "By the last contact before the answer, over all months. A customer who answers in several months counts in each.",
        rate_dots([(row["touchpoint_before"], rate) for row, rate in enough[:12]]),
        table(
            (
                *texts("Contact before"),
                *(rate_columns(sentence(part), "Answers") if part else numbers("Answers")),
                *numbers("Mean score"),
            ),
            [
                cells(
                    name(row["touchpoint_before"]),
                    *(rate_cells(Rate.of(row[part], row["answers"])) if part else (count(row["answers"]),)),
                    f"{row['mean_score']:.2f}" if row["answers"] >= FEW else "too few to say",
                )
                for row in rows.iter_rows(named=True)
            ],
        ),
        Query("surveys_by_contact"),
    )


def review_figure(reviews: pl.DataFrame) -> Figure:
    """Reviews and conversations with what they rate and sound like."""
    negative = [(row, Rate.of(row["negative"], row["with_sentiment"])) for row in reviews.iter_rows(named=True)]
    enough = [pair for pair in negative if pair[1].says_enough]
    worst = max(enough, key=lambda pair: (pair[1].value or 0, pair[0]["event"]), default=None)
    posts = summed(reviews, "posts")
    return Figure(
        "reviews",
        f"Most negative are {quoted(words(worst[0]['event']))}: {worst[1].text} ({worst[1].counts})"
        if worst
        else f"{plural(posts, 'review or conversation', 'reviews and conversations')}, of which too few have a sentiment to say more",
        "Reviews, and conversations whose text was rated or given a sentiment; ratings are of five.",
        rate_dots([(f"{words(row['event'])}: negative", rate) for row, rate in enough]),
        table(
            (
                *texts("What"),
                *numbers("Number", "Rated", "Mean rating", "Two and less", "Positive", "Neutral"),
                *rate_columns("Negative", "With a sentiment"),
            ),
            [
                cells(
                    words(row["event"]),
                    count(row["posts"]),
                    count(row["rated"]),
                    "–"
                    if row["mean_rating"] is None
                    else f"{row['mean_rating']:.1f}"
                    if row["rated"] >= FEW
                    else "too few to say",
                    *(count(row[column]) for column in ("low_ratings", "positive", "neutral")),
                    *rate_cells(rate),
                )
                for row, rate in negative
            ],
        ),
        Query("reviews"),
    )


def words(event: str) -> str:
    """An event's name in words."""
    return name(event).replace("_", " ")


def promoter_figure(left: pl.DataFrame) -> Figure:
    """Promoters whose subscription ended."""
    every = summed(left, "customers")
    return Figure(
        "promoters-who-left",
        f"{plural(every, 'customer')} gave 9 or 10 and then did not renew"
        if every
        else "Nobody who gave 9 or 10 has left since",
        "Customers whose last answer made them promoters, and whose subscription was cancelled or ran out after it. "
        "The warehouse names them in mart.promoters_who_left.",
        None,
        table(
            (*texts("Plan", "What happened", "Reason given"), *numbers("Customers")),
            [
                cells(
                    Cell(name(row["plan"] or "(not known)")),
                    words(row["event"]),
                    name(row["cancel_reason"] or "(not given)"),
                    count(row["customers"]),
                )
                for row in left.iter_rows(named=True)
            ],
        ),
        Query("promoters_who_left"),
        is_open=every > 0,
    )

"""Attribution: which channels deserve the credit by each way of sharing it, the ways customers take, what they cost."""

import polars as pl

from reports.charts.dots import rate_dots
from reports.charts.marks import model_marks
from reports.frames import single, widest
from reports.page import Block, Cell, Figure, Notice, Page, Query, Section
from reports.rates import Rate
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import View
from reports.words import count, listed, money, name, percent, quoted, share
from transforms.statistics import FEW

MODELS = {
    "first": "First contact",
    "last": "Last contact",
    "last_non_direct": "Last contact that was not direct",
    "linear": "Shared equally",
    "time_decay": "More to recent contacts (7-day half-life)",
    "position": "Most to the first and the last contact",
}
MARKOV = "Markov chain (what would be lost without it)"
NOT_KNOWN = "(not known)"
MILLION = 1_000_000
MOST_CHANNELS = 12


def build(view: View) -> list[Page]:
    """The page of attribution; none where nobody was ever touched.

    Reads mart.attribution, and the answers attribution_markov, journey_paths, acquisition and ad_spend.
    """
    credit, paths, sources, spend = (
        view.table("mart.attribution"),
        *(view.answer(file) for file in ("journey_paths", "acquisition", "ad_spend")),
    )
    if credit.is_empty() and sources.is_empty():
        return []
    shares = channel_shares(credit, view.answer("attribution_markov"))
    parts = (
        Section("Who deserves the credit", (credit_figure(shares), markov_figure(view.answer("attribution_markov")))),
        Section("The ways they take", (path_figure(paths, "channel"), path_figure(paths, "stage"))),
        Section(
            "Where customers come from", (*money_notice(spend), acquisition_figure(sources), *spend_figures(spend))
        ),
    )
    return [Page("attribution.html", "Attribution", "Channels and conversions", heading(shares), LEAD, parts)]


LEAD = (
    "Every conversion since the first event is shared among the contacts of the 30 days before it, in several ways. "
    "None is the true one: a channel that "
    "fares well in all of them is a safe bet, one that shines in a single one is not."
)


def channel_shares(credit: pl.DataFrame, markov: pl.DataFrame) -> pl.DataFrame:
    """Conversions by channel (rows) and by way of sharing (columns, by their words), the most credited channel first."""
    by_channel = credit.group_by(channel=pl.col("channel").fill_null(NOT_KNOWN), model="model").agg(
        conversions=pl.col("conversions_ppm").cast(pl.Int64).sum() / MILLION
    )
    ways = [by_channel] if credit.height else []
    if markov.height:
        ways.append(
            markov.select(pl.col("channel"), pl.lit("markov").alias("model"), pl.col("conversions").fill_null(0.0))
        )
    if not ways:
        return pl.DataFrame(schema={"channel": pl.String})
    every = pl.concat(ways)
    told = [key for key in (*MODELS, "markov") if key in set(every["model"].to_list())]
    words = {**MODELS, "markov": MARKOV}
    rows = every.group_by("channel").agg(
        pl.col("conversions").filter(pl.col("model") == key).sum().alias(words[key]) for key in told
    )
    return rows.sort(*(words[key] for key in told), "channel", descending=[*(True for _ in told), False])


def heading(shares: pl.DataFrame) -> str:
    """Whether every model credits the same channel most."""
    if shares.is_empty():
        return "Nothing has been bought yet that a channel could be credited with"
    models = shares.columns[1:]
    leaders = [widest(shares, model)["channel"] for model in models]
    if len(set(leaders)) == 1:
        return f"Every way of sharing the credit puts {quoted(leaders[0], limit=40)} first"
    ways = sorted((-leaders.count(leader), leader) for leader in set(leaders))
    others = listed([f"{quoted(leader, limit=40)} by {-number}" for number, leader in ways[1:]])
    return f"{quoted(ways[0][1], limit=40)} gets most credit by {-ways[0][0]} of {len(models)} ways of sharing it, {others}"


def credit_figure(shares: pl.DataFrame) -> Figure:
    """How many conversions each way of sharing credits to each channel."""
    models = shares.columns[1:]
    totals = {model: float(single(shares, pl.col(model).sum())) for model in models}
    drawn = shares.head(MOST_CHANNELS)
    enough = bool(models) and max(totals.values()) >= FEW
    return Figure(
        "credit",
        credit_sentence(shares, totals) if enough else "Too few conversions to compare channels",
        "Each mark is the share of all conversions that one way of sharing credits to the channel; the longer the "
        "line, the more it depends on the way.",
        model_marks(
            drawn["channel"].to_list(),
            {model: [value / totals[model] if totals[model] else 0.0 for value in drawn[model]] for model in models},
            notes=[
                f"{min(values):,.1f} to {max(values):,.1f} of {max(totals.values()):,.0f} conversions"
                for _, *values in drawn.rows()
            ],
        )
        if enough
        else None,
        table(
            (*texts("Channel"), *numbers(*models)),
            [
                cells(
                    name(channel),
                    *(
                        Cell(f"{value:,.1f}", share_note(value, totals[model]))
                        for value, model in zip(values, models, strict=True)
                    ),
                )
                for channel, *values in shares.rows()
            ],
            note="Conversions, in parts; each column adds up to all of them.",
        ),
        Query("attribution"),
        is_open=True,
    )


def share_note(value: float, whole: float) -> str:
    """The share of all, for the line under a number; nothing where there are too few."""
    return percent(value / whole) if whole >= FEW else ""


def credit_sentence(shares: pl.DataFrame, totals: dict[str, float]) -> str:
    """The channel whose credit depends most on the way of sharing."""
    models = list(totals)
    spread = [
        (max(parts) - min(parts), channel, parts)
        for channel, *values in shares.rows()
        for parts in [
            [value / totals[model] if totals[model] else 0.0 for value, model in zip(values, models, strict=True)]
        ]
    ]
    _, channel, parts = min(spread, key=lambda found: (-found[0], found[1]))
    return f"The credit of {quoted(channel)} depends most on how it is shared: {percent(min(parts))} to {percent(max(parts))} of all conversions"


def markov_figure(rows: pl.DataFrame) -> Figure:
    """Each channel's share of converted journeys, and what would be lost without it."""
    most = rows.sort("removal_effect", "channel", descending=[True, False], nulls_last=True).head(1)
    enough = most.height and most["all_conversions"].item() >= FEW
    rates = [(row, Rate.of(row["converted_journeys"], row["journeys"])) for row in rows.iter_rows(named=True)]
    return Figure(
        "markov",
        f"Without {quoted(most['channel'].item())}, {percent(most['removal_effect'].item())} of conversions would be lost if nobody came another way"
        if enough
        else "Too few conversions for a chain of channels",
        "Of the journeys that touch a channel, the share that end in a conversion. A journey ends with each conversion, and one that touches several "
        "channels counts for each.",
        rate_dots(
            [
                (row["channel"], rate)
                for row, rate in sorted(rates, key=lambda pair: (-pair[1].whole, pair[0]["channel"]))
            ][:MOST_CHANNELS]
        ),
        table(
            (
                *texts("Channel"),
                *rate_columns("Converted", "Journeys"),
                *numbers("Lost without it", "Credit", "Conversions credited"),
            ),
            [
                cells(
                    name(row["channel"]),
                    *rate_cells(rate),
                    *(
                        (percent(row["removal_effect"]), percent(row["credit"]))
                        if row["all_conversions"] >= FEW
                        else ("too few to say",) * 2
                    ),
                    f"{row['conversions'] or 0:,.1f}",
                )
                for row, rate in rates
            ],
            note="Lost without it: the model's share of conversions lost when every step into the channel ends the "
            "journey; an estimate, without an interval.",
        ),
        Query("attribution_markov"),
    )


def path_figure(paths: pl.DataFrame, kind: str) -> Figure:
    """The commonest ways through channels, or through stages."""
    rows = paths.filter(pl.col("kind") == kind).sort("place")
    every = int(single(rows, pl.col("all_journeys").max()) or 0)
    first = rows.row(0, named=True) if rows.height else None
    assumed = Rate.of(
        int(single(rows.filter(pl.col("is_assumed").fill_null(False)), pl.col("journeys").sum()) or 0), every
    )
    rest = (
        f"; {assumed.text} go the way that journey.yaml assumes, as far as they went"
        if kind == "stage" and assumed.says_enough
        else ""
    )
    lines = [
        cells(
            name(row["path"].replace(" > ", " → "), limit=120),
            *rate_cells(Rate.of(row["journeys"], row["all_journeys"])),
            Cell(
                share(row["converted_journeys"], row["journeys"]),
                f"{count(row['converted_journeys'])} of {count(row['journeys'])}",
            ),
            *(() if kind == "channel" else ("yes" if row["is_assumed"] else "no",)),
        )
        for row in rows.iter_rows(named=True)
    ]
    title = (
        f"The commonest way through {kind}s is {quoted(first['path'].replace(' > ', ' → '))}: "
        f"{count(first['journeys'])} of {count(every)} ({share(first['journeys'], every)}){rest}"
        if first
        else "No way has been gone yet"
    )
    return Figure(
        f"{kind}-paths",
        title,
        "A way is the channels that a customer came by, one after the other; it ends with a conversion."
        if kind == "channel"
        else "One way for each customer: the stages in the order in which they were entered. Of the commonest ways; "
        "others are not counted into the share above.",
        None,
        table(
            (
                *texts("Way"),
                *rate_columns("Went so", "Of all"),
                *numbers("Converted"),
                *(() if kind == "channel" else texts("As assumed")),
            ),
            lines,
            most=25,
        ),
        Query("journey_paths"),
        is_open=kind == "channel",
    )


def money_notice(spend: pl.DataFrame) -> tuple[Block, ...]:
    """That no cost is known, where none is."""
    return (
        ()
        if spend.height
        else (
            Notice(
                "No source tells what advertising costs, so there is no cost per customer. Map an export of your advertising network to see it."
            ),
        )
    )


def acquisition_figure(sources: pl.DataFrame) -> Figure:
    """Where customers first came from, how many of them bought, what they cost."""
    rates = [(row, Rate.of(row["purchasers"], row["customers"])) for row in sources.iter_rows(named=True)]
    paid = [row for row, rate in rates if row["cost_minor"] is not None and row["purchasers"]]
    dearest = max(paid, key=lambda row: (row["cost_per_purchaser_minor"] or 0, row["source"]), default=None)
    best = max(
        (pair for pair in rates if pair[1].says_enough),
        key=lambda pair: (pair[1].low or 0, pair[0]["source"]),
        default=None,
    )
    finding = (
        f"A purchaser from {quoted(origin(dearest))} cost most: {money(round(dearest['cost_per_purchaser_minor']), dearest['currency'])}"
        if dearest
        else f"Of customers who first came by {quoted(origin(best[0]))}, {best[1].text} have bought ({best[1].counts})"
        if best
        else "Too few customers to compare where they come from"
    )
    return Figure(
        "acquisition",
        finding,
        "Customers by the source and medium of their first contact ever, and the share who have bought by now. Cost "
        "per purchaser is what is called customer acquisition cost.",
        rate_dots([(origin(row), rate) for row, rate in rates][:MOST_CHANNELS]),
        table(
            (
                *texts("First contact by"),
                *rate_columns("Bought", "Customers"),
                *numbers("Spent", "Clicks", "Per customer", "Per purchaser"),
            ),
            [
                cells(
                    Cell(origin(row), name(row["channels"] or "–")),
                    *rate_cells(rate),
                    money(row["cost_minor"], row["currency"]),
                    count(row["clicks"]),
                    *(
                        money(None if row[column] is None else round(row[column]), row["currency"])
                        for column in ("cost_per_customer_minor", "cost_per_purchaser_minor")
                    ),
                )
                for row, rate in rates
            ],
            note="Where money was spent in several currencies, the same customers stand in a row for each.",
        ),
        Query("acquisition"),
    )


def origin(row: dict[str, str]) -> str:
    """Source and medium as one name."""
    return f"{name(row['source'], limit=40)} / {name(row['medium'], limit=40)}"


def spend_figures(spend: pl.DataFrame) -> tuple[Figure, ...]:
    """Money spent by channel; nothing where none is known."""
    if spend.is_empty():
        return ()
    first = spend.sort("cost_minor", "channel", "currency", descending=[True, False, False]).row(0, named=True)
    return (
        Figure(
            "spend",
            f"Most was spent on {quoted(first['channel'])}: {money(first['cost_minor'], first['currency'])}",
            "As the advertising networks tell it. Money of different currencies is never added.",
            None,
            table(
                (*texts("Channel"), *numbers("Spent", "Shown", "Clicks", "Per click"), *texts("From", "To")),
                [
                    cells(
                        name(row["channel"]),
                        money(row["cost_minor"], row["currency"]),
                        count(row["impressions"]),
                        count(row["clicks"]),
                        money(
                            None if row["cost_per_click_minor"] is None else round(row["cost_per_click_minor"]),
                            row["currency"],
                        ),
                        f"{row['first_day']:%Y-%m-%d}",
                        f"{row['last_day']:%Y-%m-%d}",
                    )
                    for row in spend.iter_rows(named=True)
                ],
            ),
            Query("ad_spend"),
            is_open=True,
        ),
    )

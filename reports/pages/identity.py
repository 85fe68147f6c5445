"""Identity: who is taken for one customer, what of that a person should look at, and what it does to the headline rates."""

import polars as pl

from reports.charts.dots import rate_dots
from reports.frames import single
from reports.page import Figure, Page, Query, Section, Terms
from reports.rates import Rate
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import View
from reports.words import count, name, percent, plural, points, quoted, sentence

WORDS = (
    ("Several account numbers", "Customers who are known by two values of a namespace that should have one, because a "
    "person or the CRM merged them."),
    ("Hangs on one pair", "A customer of four identifiers or more that would fall in two, each of two or more, were "
    "one pair taken apart. `journeys unmerge` does that."),
    ("Shared", "A browser or device of several people, or of more than one person plausibly has. It joins nobody; each "
    "of its events goes to whoever was recognised nearest to it."),
    ("Not recognised", "Browsers and devices that nothing ties to a person. Some of them are people who are known from another browser."),
    ("Hub", "An address of more people than one plausibly is, such as the address of a shop. It joins nobody."),
    ("Conflict", "Evidence that would make one customer of two who are known to be two. It is kept and not used."),
    ("Retracted", "Somebody said that the two are not one person."),
)  # fmt: skip
FIGURES = {
    "multi_strong": "several account numbers",
    "hanging": "hang on one pair of identifiers",
    "shared": "shared by several people",
    "unrecognised": "not recognised",
    "hub": "of too many people",
    "conflict": "evidence in conflict",
    "capped": "evidence beyond the cap",
    "retracted": "evidence retracted",
}


def build(view: View) -> list[Page]:
    """The page of identity.

    Reads the answers identity_health, identity_sensitivity, identity_bridges, identity_largest, identity_shared, identity_blocked.
    """
    health = view.answer("identity_health")
    parts = (
        Section("What it does to the rates", (sensitivity_figure(view.answer("identity_sensitivity")),)),
        Section(
            "What a person should look at", (health_figure(health), bridge_figure(view.answer("identity_bridges")))
        ),
        Section("Where wrong stitching shows first", (largest_figure(view),)),
        Section(
            "What stitches nobody",
            (shared_figure(view.answer("identity_shared")), blocked_figure(view.answer("identity_blocked"))),
        ),
        Section("What the words mean", (Terms(WORDS),)),
    )
    return [Page("identity.html", "Identity", "Who is who", heading(health), LEAD, parts)]


LEAD = (
    "Two identifiers are one customer where an event or a record shows both, never because they look alike. Wrong "
    "stitching makes one customer of two, "
    "missing stitching two of one; this page says where to look for either."
)


def affected(health: pl.DataFrame, figure: str) -> Rate:
    """How many one figure concerns, over all its subjects."""
    rows = health.filter(pl.col("figure") == figure)
    return Rate.of(int(rows["affected"].sum()), int(rows["total"].sum()))


def heading(health: pl.DataFrame) -> str:
    """How many large customers hang on one pair."""
    if health.is_empty():
        return "Nobody has been seen yet"
    rate, known = affected(health, "hanging"), affected(health, "multi_strong").whole
    said = f" ({rate.text})" if rate.says_enough else ""
    return (
        f"{plural(known, 'customer')} are known by more than a browser; {count(rate.part)} of the "
        f"{count(rate.whole)} large ones hang on one pair{said}"
    )


def sensitivity_figure(rows: pl.DataFrame) -> Figure:
    """The headline rates with and without stitching."""
    pairs = [
        (row, Rate.of(row["reached"], row["entered"]), Rate.of(row["alone_reached"], row["alone_entered"]))
        for row in rows.iter_rows(named=True)
    ]
    enough = [
        (abs((here.value or 0) - (alone.value or 0)), row, here, alone)
        for row, here, alone in pairs
        if here.says_enough and alone.says_enough
    ]
    most = max(enough, key=lambda found: (found[0], found[1]["subject"]), default=None)
    return Figure(
        "sensitivity",
        f"Stitching moves {quoted(most[1]['subject'])} to {quoted(most[1]['target'])} most: {percent(most[2].value)} "
        f"with it, {percent(most[3].value)} without ({points((most[2].value or 0) - (most[3].value or 0))})"
        if most
        else "Too few customers to say what stitching does to the rates",
        "Each rate twice: over customers, and over each browser or device by itself, as if nothing had been put together. Where the two lie close, a "
        "mistake in the stitching changes little.",
        rate_dots(
            [
                (f"{side}{row['subject']} → {row['target']}", rate)
                for row, here, alone in pairs
                for side, rate in (("", here), ("without: ", alone))
            ]
        ),
        table(
            (
                *texts("Rate"),
                *rate_columns("Reached", "Customers"),
                *numbers("Unstitched: reached", "Browsers", "Share", "95% interval", "Difference"),
            ),
            [
                cells(
                    f"{name(row['subject'], limit=40)} → {name(row['target'], limit=40)}",
                    *rate_cells(here),
                    *rate_cells(alone),
                    points((here.value or 0) - (alone.value or 0))
                    if here.says_enough and alone.says_enough
                    else "too few to say",
                )
                for row, here, alone in pairs
            ],
        ),
        Query("identity_sensitivity"),
        is_open=True,
    )


def health_figure(health: pl.DataFrame) -> Figure:
    """Each figure of the state of the stitching."""
    order = {figure: place for place, figure in enumerate(FIGURES)}
    rows = health.sort(pl.col("figure").replace_strict(order, default=len(order), return_dtype=pl.Int64), "subject")
    shared = affected(health, "shared")
    return Figure(
        "health",
        sentence(f"{shared.counts} browsers and devices are shared by several people")
        if shared.whole
        else "No browser has been seen yet",
        "Each line counts what may be wrong, of all there are of the kind. Browsers that nobody recognised are the "
        "most of any site: few people log in.",
        None,
        table(
            (*texts("What"), *rate_columns("Affected", "Of all"), *texts("Of")),
            [
                cells(
                    sentence(FIGURES.get(row["figure"]) or name(row["figure"])),
                    *rate_cells(Rate.of(row["affected"], row["total"])),
                    name(row["subject"]).replace("_", " "),
                )
                for row in rows.iter_rows(named=True)
            ],
        ),
        Query("identity_health"),
        is_open=True,
    )


def bridge_figure(bridges: pl.DataFrame) -> Figure:
    """Pairs of identifiers that hold customers together, by their evidence."""
    every, once = int(bridges["bridges"].sum()), int(bridges["seen_once"].sum())
    return Figure(
        "bridges",
        f"{plural(every, 'pair')} of identifiers hold a customer together; {count(once)} of them were seen together once only"
        if every
        else "No customer hangs on a single pair of identifiers",
        "By the kinds of evidence between the two. A pair seen once is the likeliest mistake; mart.identity_bridges names each.",
        None,
        table(
            (*texts("Evidence"), *numbers("Pairs", "Customers", "Seen once", "Most on the smaller side")),
            [
                cells(
                    name(row["kinds"]).replace("_", " "),
                    *(count(row[column]) for column in ("bridges", "customers", "seen_once", "largest_smaller_side")),
                )
                for row in bridges.iter_rows(named=True)
            ],
        ),
        Query("identity_bridges"),
        is_open=every > 0,
    )


def largest_figure(view: View) -> Figure:
    """The customers of the most identifiers."""
    rows = view.answer("identity_largest")
    first = rows.row(0, named=True) if rows.height else None
    by_size = rows.group_by("identifiers").agg(customers=pl.len().cast(pl.Int64)).sort("identifiers", descending=True)
    return Figure(
        "largest",
        f"The largest customer has {plural(first['identifiers'], 'identifier')} on "
        f"{plural(first['visitors'], 'browser')} and {plural(first['events'], 'event')}"
        if first
        else "No customer yet",
        "The customers of the most identifiers. `journeys why` says what ties any two of them.",
        None,
        table(
            (
                *texts("Customer", "Named by"),
                *numbers("Identifiers", "Browsers and devices", "Pairs it hangs on", "Events"),
                *texts("Several account numbers"),
            ),
            [
                cells(
                    name(row["customer_id"]),
                    name(row["anchor_namespace"]).replace("_", " "),
                    *(count(row[column]) for column in ("identifiers", "visitors", "bridges", "events")),
                    "yes" if row["is_multi_strong"] else "no",
                )
                for row in rows.iter_rows(named=True)
            ],
        ),
        Query("identity_largest"),
        rows=by_size,
    )


def shared_figure(rows: pl.DataFrame) -> Figure:
    """Browsers and devices of several people."""
    every = int(rows["shared"].sum())
    most = int(single(rows, pl.col("customers").max()) or 0)
    return Figure(
        "shared",
        f"{plural(every, 'browser or device', 'browsers and devices')} are shared; the one of most people has {count(most)}"
        if every
        else "No browser or device is shared",
        "By how many customers each is tied to. Their events go one by one to whoever was recognised nearest to them.",
        None,
        table(
            (*texts("Kind"), *numbers("Customers each", "How many"), *texts("First evidence", "Newest")),
            [
                cells(
                    name(row["namespace"]).replace("_", " "),
                    count(row["customers"]),
                    count(row["shared"]),
                    *(
                        f"{row[column]:%Y-%m-%d}" if row[column] else "–"
                        for column in ("first_evidence_at", "newest_edge_at")
                    ),
                )
                for row in rows.iter_rows(named=True)
            ],
        ),
        Query("identity_shared"),
    )


def blocked_figure(rows: pl.DataFrame) -> Figure:
    """Values that name nobody."""
    every = int(rows["rows"].sum())
    return Figure(
        "blocked",
        f"{plural(every, 'row')} gave an identifier that names nobody"
        if every
        else "No row gave an identifier that names nobody",
        "Placeholders, templates, zeros. What does name somebody can be listed under identity.valid of journey.yaml.",
        None,
        table(
            (*texts("Source", "Identifier", "Why it names nobody"), *numbers("Rows", "Files")),
            [
                cells(
                    name(row["source"]),
                    name(row["namespace"]).replace("_", " "),
                    name(row["value_class"]),
                    count(row["rows"]),
                    count(row["files"]),
                )
                for row in rows.iter_rows(named=True)
            ],
        ),
        Query("identity_blocked"),
    )

"""Definitions: what the words and the tables of this site mean."""

from reports.page import Page, Section, Terms
from reports.view import View
from reports.words import duration, listed, name, quoted
from transforms.contracts import TABLES

WORDS = (
    ("Customer", "One person as far as we can tell: everything a person did on several devices and in the CRM, put together. "
     "Somebody who was never recognised is a customer too."),
    ("Session", "One sitting of one customer. It ends when nothing happens for longer than the time-out."),
    ("Conversion", "An event that counts as a success, as listed under “conversions” in journey.yaml. "
     "A session with one or more of them is a session with a conversion."),
    ("Channel", "How a session came: the campaign tags, else the click id, else the page it came from, else direct."),
    ("Touchpoint", "A named kind of contact, such as an ad, a page, a mail or a support ticket. Touchpoints belong to stages."),
    ("Entered, reached, completed", "A customer enters a funnel with its first step, reaches each step done in time, "
     "and completes it with the last one."),
    ("Step rate and share of all", "The step rate is of those at the step before; the share of all is of those who entered."),
    ("Matured", "Those whose time limit is over. They can no longer get there in time."),
    ("So far", "Everybody, also those who still have time. These numbers can still grow."),
    ("Projected", "The share to expect once everybody's time is over, estimated from how quickly others got there (Kaplan–Meier)."),
    ("95% interval", "Where the true share plausibly lies, given how many were counted (Wilson). Narrow means sure, wide means unsure."),
    ("Too few to say", "Fewer than 20 were counted: the counts and the interval are shown, the percentage is not."),
    ("Differs", "A difference from all other groups that is larger than chance would give, "
     "allowing for how many groups were looked at (Benjamini–Hochberg, 5%)."),
    ("Median time", "The time by which half have got there, counting also those who never do."),
    ("Segment, persona", "A named group of customers that journey.yaml describes; a persona is one with a sentence about who "
     "they are. Segments may overlap."),
    ("Stuck", "In a stage for longer than nine in ten of those who left it had been there."),
    ("Friction, pain point", "Trouble at a contact: a session that ends there without a conversion, an error right after it, or a "
     "ticket within a day."),
    ("Quiet, churn", "A purchaser who has done nothing for as long as the time of the stages (90 days without one) is quiet; "
     "the churn rate of a month is of the purchasers who were not quiet at its start, those who are by its end."),
    ("New, returning, resurrected, dormant", "Of a week: active for the first time; active in the week before too; active again after a "
     "week or more without; active the week before and not in this one."),
    ("Attribution", "How the credit for a conversion is shared among the contacts before it: the first, the last, all alike, or by a rule."),
    ("Markov", "Attribution by removal: how many conversions would be missing if all ways through that channel ended there."),
    ("Handed on, reopened, resolved", "A ticket is handed on when it is assigned after the first time or escalated, reopened when it is opened "
     "after a closing, and resolved while its last closing stands."),
    ("NPS", "Net promoter score: of those asked whether they would recommend us, the percentage of 9 and 10 less that of 0 to 6."),
    ("CSAT", "The share of answers with 4 or 5 of 5 to the question how satisfied they were."),
    ("CES", "Customer effort score: the mean answer to the question how much effort it took."),
    ("Known up to", "The newest moment up to which all sources are complete, for a funnel all sources it uses. Nothing later is counted."),
)  # fmt: skip


def build(view: View) -> list[Page]:
    """Words, the stages of the journey, and the tables behind the pages."""
    journey = view.journey
    parts = [
        Section("Words", (Terms(WORDS),)),
        Section(
            "Stages", (Terms(tuple((name(stage.name), stage_words(stage.name, view)) for stage in journey.stages)),)
        )
        if journey.stages
        else None,
        Section(
            "Tables",
            (
                Terms(
                    tuple(
                        (table.name, table.sentence)
                        for table in TABLES.values()
                        if table.name.startswith(("core.", "mart."))
                    )
                ),
            ),
            "What an analyst finds in the published warehouse. The SQL under each figure reads these tables.",
        ),
    ]
    text = (
        f"Sessions end after {duration(journey.sessions.timeout.total_seconds())} without an event. Days and weeks are cut in {journey.time_zone}. "
        "Amounts of different currencies are never added. Visits of robots and of our own staff are left out."
    )
    return [
        Page(
            "definitions.html",
            "Definitions",
            "Words and tables",
            "What the numbers mean",
            text,
            tuple(part for part in parts if part),
        )
    ]


def stage_words(stage_name: str, view: View) -> str:
    """A stage in words: what it is, who answers for it, which contacts belong to it."""
    stage = next(stage for stage in view.journey.stages if stage.name == stage_name)
    phases = (contact for phase in stage.phases for contact in phase.touchpoints)
    contacts = list(dict.fromkeys(contact.name for contact in (*stage.touchpoints, *phases)))
    words = [name(stage.description, limit=400)] if stage.description else []
    if stage.owner:
        words.append(f"Owner: {name(stage.owner)}.")
    if contacts:
        shown = listed([quoted(contact, limit=40) for contact in contacts[:20]])
        words.append(f"Contacts: {shown}{' and more' if len(contacts) > 20 else ''}.")
    return " ".join(words) or "–"

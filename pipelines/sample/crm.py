"""The CRM: contacts, tickets, surveys, memberships, referrals and deals of a batch of persons.

Times are milliseconds since the start; `person` is the person's number. What happens after the end of the period, or
(contacts aside) before its start, is left out.
"""

from dataclasses import dataclass, fields

import numpy as np
import polars as pl

from pipelines.sample.clock import DAY, HOUR, MINUTE, Period
from pipelines.sample.draws import choose, lognormal
from pipelines.sample.people import People

CATEGORIES = ("delivery", "return", "product", "payment", "account")
PAYMENT_TROUBLE = 3
TICKET_CHANNELS = ("email", "chat", "phone")
PLANS = (("basic", 490), ("plus", 990))
MONTH = 30 * DAY
STAGES = ("qualified", "proposal", "negotiation", "closed_won", "closed_lost")
REFERRAL_WAYS = ("link", "email", "messenger")
NPS_WEIGHTS = (1, 1, 1, 2, 2, 4, 5, 12, 18, 26, 28)
CSAT_WEIGHTS = (5, 7, 14, 34, 40)
CES_WEIGHTS = (30, 28, 18, 10, 7, 4, 3)


@dataclass(frozen=True)
class Crm:
    """What the CRM knows; one frame per object."""

    contacts: pl.DataFrame
    tickets: pl.DataFrame
    surveys: pl.DataFrame
    subscriptions: pl.DataFrame
    referrals: pl.DataFrame
    deals: pl.DataFrame
    mails: pl.DataFrame

    def rows_by(self, halfway: int) -> int:
        """Rows over all exports; contacts and tickets are exported halfway, too."""
        once: int = sum(getattr(self, field.name).height for field in fields(self))
        return once + sum(frame.filter(pl.col("at") < halfway).height for frame in (self.contacts, self.tickets))


def keep_records(
    rng: np.random.Generator,
    people: People,
    *,
    contacts: pl.DataFrame,
    visits: pl.DataFrame,
    mails: pl.DataFrame,
    period: Period,
) -> Crm:
    """Everything that follows from the visits of these persons. In: contacts (person, contact_at), visits with logins, mails."""
    known = _contacts(rng, people, contacts, visits)
    orders = visits.filter("order").join(known.select("person", "contact_at"), on="person").sort("person", "at", "slot")
    tickets = _tickets(
        rng, orders, visits.join(known.select("person", "contact_at"), on="person").sort("person", "at", "slot")
    )
    records = Crm(
        contacts=known,
        tickets=tickets,
        surveys=_surveys(rng, orders, tickets),
        subscriptions=_subscriptions(rng, orders.filter("has_account"), period),
        referrals=_referrals(rng, orders.filter("has_account")),
        deals=_deals(rng, known.filter(pl.col("account") >= 0)),
        mails=_mails(mails),
    )
    return Crm(
        **{
            field.name: _within(getattr(records, field.name), people, period, keeps_old=field.name == "contacts")
            for field in fields(records)
        }
    )


def _within(frame: pl.DataFrame, people: People, period: Period, *, keeps_old: bool) -> pl.DataFrame:
    """The rows of the period, with the number of each person in place of the place in the batch."""
    begins = -(period.burn_in + 2) * DAY if keeps_old else 0
    frame = frame.filter((pl.col("at") >= begins) & (pl.col("at") < period.end))
    return frame.with_columns(person=pl.Series(people.number[frame["person"].to_numpy()]))


def _contacts(rng: np.random.Generator, people: People, contacts: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """person, account, at (created), contact_at, registered_at, first_order_at, has_phone."""
    registered = visits.filter("registers_here").select("person", registered_at=pl.col("at") + 15 * MINUTE)
    ordered = visits.filter("order").group_by("person").agg(first_order_at=pl.col("at").min() + 15 * MINUTE)
    everybody = pl.DataFrame(
        {"person": np.arange(people.count), "account": people.account, "has_phone": rng.random(people.count) < 0.5}
    )
    return (
        contacts.join(everybody, on="person")
        .join(registered, on="person", how="left")
        .join(ordered, on="person", how="left")
        .with_columns(at=pl.col("contact_at"))
        .sort("person")
    )


def _tickets(rng: np.random.Generator, orders: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """person, category, channel, priority, messages, reopened, at (opened), replied_at, closed_at (null while open)."""
    troubled = orders.filter(pl.Series(rng.random(orders.height) < 0.09))
    after_order = troubled.select(
        "person",
        category=pl.Series(choose(rng, (0.5, 0.25, 0.2, 0.0, 0.05), troubled.height)),
        at=pl.col("at") + pl.Series(lognormal(rng, 4 * DAY, 0.7, troubled.height)),
    )
    hit = visits.filter(pl.col("is_hit") & (pl.col("contact_at") < pl.col("at")))
    hit = hit.filter(pl.Series(rng.random(hit.height) < 0.4))
    unpaid = hit.select(
        "person",
        category=pl.lit(PAYMENT_TROUBLE, pl.Int64),
        at=pl.col("at") + pl.Series(lognormal(rng, 2 * HOUR, 0.9, hit.height)),
    )
    asking = visits.filter((pl.col("browse") > 0) & (pl.col("contact_at") < pl.col("at")))
    asking = asking.filter(pl.Series(rng.random(asking.height) < 0.012))
    questions = asking.select(
        "person",
        category=pl.Series(choose(rng, (0.2, 0.1, 0.4, 0.05, 0.25), asking.height)),
        at=pl.col("at") + pl.Series(lognormal(rng, 40 * MINUTE, 0.8, asking.height)),
    )
    tickets = pl.concat([after_order, unpaid, questions])
    size = tickets.height
    closes = pl.Series(rng.random(size) < 0.93)
    return (
        tickets.with_columns(
            channel=pl.Series(choose(rng, (0.55, 0.3, 0.15), size)),
            priority=pl.Series(choose(rng, (0.2, 0.65, 0.15), size)),
            messages=pl.Series(rng.geometric(0.58, size)),
            reopened=pl.Series(rng.random(size) < 0.06),
            replied_at=pl.col("at") + pl.Series(lognormal(rng, 5 * HOUR, 1.1, size)),
            resolving=pl.Series(lognormal(rng, 14 * HOUR, 1.0, size)),
        )
        .with_columns(closed_at=pl.when(closes).then(pl.col("replied_at") + pl.col("resolving")))
        .drop("resolving")
    )


def _surveys(rng: np.random.Generator, orders: pl.DataFrame, tickets: pl.DataFrame) -> pl.DataFrame:
    """person, survey (0 nps, 1 csat, 2 ces), score, at."""
    buyers = orders.filter(pl.Series(rng.random(orders.height) < 0.14))
    loyalty = buyers.select(
        "person", survey=pl.lit(0, pl.Int64), score=pl.Series(choose(rng, NPS_WEIGHTS, buyers.height)),
        at=pl.col("at") + 7 * DAY + pl.Series(lognormal(rng, 9 * HOUR, 1.0, buyers.height)),
    )  # fmt: skip
    closed = tickets.filter(pl.col("closed_at").is_not_null())
    answers = [loyalty]
    for survey, weights, share in ((1, CSAT_WEIGHTS, 0.35), (2, CES_WEIGHTS, 0.2)):
        asked = closed.filter(pl.Series(rng.random(closed.height) < share))
        score = 1 + choose(rng, weights, asked.height)
        unhappy = pl.when((pl.col("category") == PAYMENT_TROUBLE) & (survey == 1)).then(
            pl.min_horizontal(pl.lit(2), "score")
        )
        answers.append(
            asked.with_columns(score=pl.Series(score)).select(
                "person", survey=pl.lit(survey, pl.Int64), score=unhappy.otherwise("score").cast(pl.Int64),
                at=pl.col("closed_at") + pl.Series(lognormal(rng, 3 * HOUR, 1.0, asked.height)),
            )
        )  # fmt: skip
    return pl.concat(answers)


def _subscriptions(rng: np.random.Generator, orders: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Memberships that begin with a first order: person, kind (started, renewed, upgraded, cancelled, expired), plan, at."""
    first = orders.group_by("person", maintain_order=True).first()
    members = first.filter(pl.Series(rng.random(first.height) < 0.3)).select("person", began=pl.col("at") + 20 * MINUTE)
    plan = choose(rng, (0.7, 0.3), members.height)
    members = members.with_columns(plan=pl.Series(plan))
    events = [members.select("person", "plan", kind=pl.lit("started"), at="began")]
    months = (period.days + period.burn_in) // 30 + 1
    for month in range(1, months + 1):
        coins = pl.DataFrame({"coin": rng.random(members.height), "early": rng.integers(0, 12 * DAY, members.height)})
        due = members.hstack(coins).with_columns(at=pl.col("began") + month * MONTH)
        leaves = due.filter(pl.col("coin") < 0.075).with_columns(
            at=pl.col("at") - pl.col("early"), kind=pl.lit("cancelled")
        )
        lapses = due.filter(pl.col("coin").is_between(0.075, 0.095, closed="left")).with_columns(kind=pl.lit("expired"))
        stays = due.filter(pl.col("coin") >= 0.095)
        grows = stays.filter((pl.col("coin") > 0.97) & (pl.col("plan") == 0))
        upgrades = grows.with_columns(plan=pl.lit(1, pl.Int64), kind=pl.lit("upgraded"), at=pl.col("at") - HOUR)
        members = stays.with_columns(
            plan=pl.when((pl.col("coin") > 0.97) | (pl.col("plan") == 1)).then(1).otherwise(0).cast(pl.Int64)
        )
        renewals = members.with_columns(kind=pl.lit("renewed"))
        events += [frame.select("person", "plan", "kind", "at") for frame in (leaves, lapses, upgrades, renewals)]
        members = members.select("person", "began", "plan")
    return pl.concat(events)


def _referrals(rng: np.random.Generator, orders: pl.DataFrame) -> pl.DataFrame:
    """person, way, accepted, at."""
    happy = orders.filter(pl.Series(rng.random(orders.height) < 0.055))
    return happy.select(
        "person", way=pl.Series(choose(rng, (0.5, 0.2, 0.3), happy.height)), accepted=pl.Series(rng.random(happy.height) < 0.35),
        at=pl.col("at") + pl.Series(lognormal(rng, 9 * DAY, 0.8, happy.height)),
    )  # fmt: skip


def _deals(rng: np.random.Generator, contacts: pl.DataFrame) -> pl.DataFrame:
    """One deal per company, led by its first contact: person, account, amount (whole euros), stage (number), at (entered)."""
    leads = contacts.sort("account", "contact_at", "person").group_by("account", maintain_order=True).first()
    leads = leads.select(
        "person", "account", amount=pl.Series(rng.integers(8, 240, leads.height) * 100), at="contact_at"
    )
    alive = leads.filter(pl.Series(rng.random(leads.height) < 0.85))
    rows = []
    for stage, moves_on, days in ((0, 0.76, 2), (1, 0.70, 6), (2, 0.62, 8)):
        alive = alive.with_columns(at=pl.col("at") + pl.Series(lognormal(rng, days * DAY, 0.6, alive.height)))
        rows.append(alive.with_columns(stage=pl.lit(stage, pl.Int64)))
        goes = pl.Series(rng.random(alive.height) < moves_on)
        lost = alive.filter(~goes)
        gone = pl.col("at") + pl.Series(lognormal(rng, 9 * DAY, 0.6, lost.height))
        rows.append(lost.with_columns(at=gone, stage=pl.lit(4, pl.Int64)))
        alive = alive.filter(goes)
    won = pl.col("at") + pl.Series(lognormal(rng, 6 * DAY, 0.5, alive.height))
    rows.append(alive.with_columns(at=won, stage=pl.lit(3, pl.Int64)))
    return pl.concat(rows)


def _mails(mails: pl.DataFrame) -> pl.DataFrame:
    """person, is_cart, sent_at, kind (sent, opened, clicked), at."""
    happened = [
        mails.select("person", "is_cart", "sent_at", kind=pl.lit(kind), at=column)
        for kind, column in (("sent", "sent_at"), ("opened", "opened_at"), ("clicked", "clicked_at"))
    ]
    return pl.concat(happened).filter(pl.col("at").is_not_null())

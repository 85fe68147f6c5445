"""Exports: the CRM's objects as the CSV files that its systems would hand out."""

from pathlib import Path

import numpy as np
import polars as pl

from pipelines.sample.catalogue import CURRENCY
from pipelines.sample.clock import Period
from pipelines.sample.crm import CATEGORIES, PLANS, REFERRAL_WAYS, STAGES, TICKET_CHANNELS, Crm
from pipelines.sample.names import (
    account_id_of,
    contact_id_of,
    email_of,
    first_name_of,
    last_name_of,
    phone_of,
    user_id_of,
)

SURVEYS = ("nps", "csat", "ces")
PRIORITIES = ("low", "normal", "high")


def write_exports(crm: Crm, folder: Path, *, period: Period) -> dict[str, int]:
    """Write the files below `folder`; contacts and tickets twice, in the middle of the period and at its end.

    Out: rows per file, by its name.
    """
    folder.mkdir(parents=True)
    rows: dict[str, int] = {}
    contacts = crm.contacts.sort("at", "person")
    tickets = _tickets(crm.tickets, contacts)
    for taken_at in (period.halfway, period.end):
        day = period.instant(taken_at).date().isoformat()
        rows[f"contacts_{day}.csv"] = _write(_contacts_on(contacts, taken_at, period), folder / f"contacts_{day}.csv")
        rows[f"tickets_{day}.csv"] = _write(_tickets_on(tickets, taken_at, period), folder / f"tickets_{day}.csv")
    others = {
        "surveys.csv": _surveys(crm.surveys, period),
        "subscription_events.csv": _subscriptions(crm.subscriptions, period),
        "referrals.csv": _referrals(crm.referrals, period),
        "deal_stages.csv": _deals(crm.deals, period),
    }
    for name, frame in others.items():
        rows[name] = _write(frame, folder / name)
    for month, frame in _mails_by_month(crm.mails, period):
        rows[f"email_events_{month}.csv"] = _write(frame, folder / f"email_events_{month}.csv")
    return rows


def _write(frame: pl.DataFrame, path: Path) -> int:
    frame.write_csv(path)
    return frame.height


def _time(period: Period, at: str | pl.Expr) -> pl.Expr:
    """As 2026-01-31T09:00:00Z; nothing where it did not happen."""
    return period.instants(pl.col(at) if isinstance(at, str) else at).dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def _numbered(frame: pl.DataFrame, prefix: str, *order: str) -> pl.DataFrame:
    """Sorted, with an id per row."""
    frame = frame.sort("at", "person", *order)
    number = pl.Series(np.arange(1, frame.height + 1)).cast(pl.String).str.zfill(7)
    return frame.with_columns(id=pl.concat_str(pl.lit(prefix), number))


def _named(number: str, names: tuple[str, ...]) -> pl.Expr:
    return pl.col(number).replace_strict(range(len(names)), names, return_dtype=pl.String)


def _before(at: str, taken_at: int) -> pl.Expr:
    return pl.when(pl.col(at) < taken_at).then(at)


def _contacts_on(contacts: pl.DataFrame, taken_at: int, period: Period) -> pl.DataFrame:
    """The contacts as they were at that instant: contact_id, customer_number, names, email, phone, company, lifecycle, times."""
    seen = contacts.filter(pl.col("at") < taken_at).with_columns(
        registered_at=_before("registered_at", taken_at), first_order_at=_before("first_order_at", taken_at)
    )
    return seen.select(
        contact_id=contact_id_of("person"),
        customer_number=pl.when(pl.col("registered_at").is_not_null()).then(user_id_of("person")),
        first_name=first_name_of("person"),
        last_name=last_name_of("person"),
        email=pl.when(pl.col("person") % 40 == 0)
        .then(email_of("person").str.to_uppercase())
        .otherwise(email_of("person")),
        phone=pl.when("has_phone").then(phone_of("person").str.replace(r"^(\+49)(151)(\d{4})", "$1 $2 $3 ")),
        company_id=account_id_of("account"),
        lifecycle=pl.when(pl.col("first_order_at").is_not_null()).then(pl.lit("customer")).otherwise(pl.lit("lead")),
        created_at=_time(period, "at"),
        updated_at=_time(period, pl.max_horizontal("at", "registered_at", "first_order_at")),
    )


def _tickets(tickets: pl.DataFrame, contacts: pl.DataFrame) -> pl.DataFrame:
    phones = contacts.select("person", "has_phone")
    return _numbered(tickets, "t-", "category").join(phones, on="person", how="left", maintain_order="left")


def _tickets_on(tickets: pl.DataFrame, taken_at: int, period: Period) -> pl.DataFrame:
    """The tickets as they were at that instant; those opened by phone carry the number instead of the contact."""
    seen = tickets.filter(pl.col("at") < taken_at).with_columns(
        replied_at=_before("replied_at", taken_at), closed_at=_before("closed_at", taken_at)
    )
    by_phone = (pl.col("channel") == TICKET_CHANNELS.index("phone")) & pl.col("has_phone").fill_null(False)
    status = (
        pl.when(pl.col("closed_at").is_not_null()).then(pl.lit("closed"))
        .when(pl.col("replied_at").is_not_null()).then(pl.lit("pending"))
        .otherwise(pl.lit("open"))
    )  # fmt: skip
    return seen.select(
        ticket_id="id",
        contact_id=pl.when(~by_phone).then(contact_id_of("person")),
        phone=pl.when(by_phone).then(phone_of("person")),
        category=_named("category", CATEGORIES),
        origin=_named("channel", TICKET_CHANNELS),
        priority=_named("priority", PRIORITIES),
        status=status,
        customer_messages=pl.when(pl.col("closed_at").is_not_null()).then("messages").otherwise(pl.lit(1)),
        reopened=pl.col("reopened") & pl.col("closed_at").is_not_null(),
        created_at=_time(period, "at"),
        first_reply_at=_time(period, "replied_at"),
        closed_at=_time(period, "closed_at"),
        updated_at=_time(period, pl.max_horizontal("at", "replied_at", "closed_at")),
    )


def _surveys(surveys: pl.DataFrame, period: Period) -> pl.DataFrame:
    return _numbered(surveys, "r-", "survey").select(
        response_id="id",
        survey=_named("survey", SURVEYS),
        email=email_of("person"),
        score="score",
        answered_at=_time(period, "at"),
    )


def _subscriptions(subscriptions: pl.DataFrame, period: Period) -> pl.DataFrame:
    cents = _named("plan", tuple(str(price) for _, price in PLANS)).cast(pl.Int64)
    paid = pl.col("kind").is_in(["started", "renewed", "upgraded"])
    return _numbered(subscriptions, "s-", "kind").select(
        event_id="id",
        subscription_id=pl.concat_str(pl.lit("sub-"), pl.col("person").cast(pl.String)),
        customer_number=user_id_of("person"),
        type="kind",
        plan=_named("plan", tuple(name for name, _ in PLANS)),
        amount=pl.when(paid).then(cents / 100),
        currency=pl.when(paid).then(pl.lit(CURRENCY)),
        occurred_at=_time(period, "at"),
    )


def _referrals(referrals: pl.DataFrame, period: Period) -> pl.DataFrame:
    return _numbered(referrals, "ref-", "way").select(
        referral_id="id",
        customer_number=user_id_of("person"),
        way=_named("way", REFERRAL_WAYS),
        accepted="accepted",
        created_at=_time(period, "at"),
    )


def _deals(deals: pl.DataFrame, period: Period) -> pl.DataFrame:
    return _numbered(deals, "d-", "stage").select(
        transition_id="id",
        deal_id=pl.concat_str(pl.lit("deal-"), (pl.col("account") + 1_000).cast(pl.String)),
        company_id=account_id_of("account"),
        contact_id=contact_id_of("person"),
        stage=_named("stage", STAGES),
        amount="amount",
        currency=pl.lit(CURRENCY),
        entered_at=_time(period, "at"),
    )


def _mails_by_month(mails: pl.DataFrame, period: Period) -> list[tuple[str, pl.DataFrame]]:
    """What happened to mails, a file per month."""
    campaign = pl.when("is_cart").then(pl.lit("abandoned_cart")).otherwise(pl.lit("newsletter"))
    mail = pl.concat_str(
        pl.lit("m-"), pl.col("person").cast(pl.String), pl.lit("-"), (pl.col("sent_at") // 1_000).cast(pl.String)
    )
    rows = mails.sort("at", "person", "kind").select(
        event_id=pl.concat_str(mail, pl.lit("-"), "kind"),
        mail_id=mail,
        campaign=campaign,
        contact_id=contact_id_of("person"),
        email=email_of("person"),
        type="kind",
        occurred_at=_time(period, "at"),
    )
    by_month = rows.with_columns(month=pl.col("occurred_at").str.head(7)).partition_by(
        "month", as_dict=True, maintain_order=True
    )
    return [(str(month), frame.drop("month")) for (month,), frame in by_month.items()]

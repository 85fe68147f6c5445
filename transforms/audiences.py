"""Audiences: who entered a stage or a segment, or stopped at a step of a funnel; each customer is handed over once."""

from typing import Literal

import polars as pl
from pydantic import Field, model_validator

from transforms.hashing import digest_id
from transforms.journey import Entry, Names

YES = ("true", "1", "yes", "y", "granted", "given", "opt_in", "opted_in", "subscribed")


class Audience(Entry):
    """A list that another system acts on."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", description="Also the name of its folder.")
    stage: str | None = Field(None, description="Customers at their first entry into this stage.")
    segment: str | None = Field(None, description="Customers who are in this segment of journey.yaml.")
    funnel: str | None = Field(None, description="With `stopped_at`: customers whose best attempt went no further.")
    stopped_at: str | None = Field(None, description="The step of the funnel, by its name.")
    to: Literal["csv", "parquet", "webhook"] = "csv"
    consent: str | None = Field(
        None,
        description="Property in which consent is recorded: only customers whose latest value says yes are handed over.",
    )
    identifiers: Names = Field(
        ("user_id",), description="Namespaces that are written beside customer_id, as the warehouse holds them."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "Audience":
        if sum(said is not None for said in (self.stage, self.segment, self.funnel)) != 1:
            raise ValueError(f"audience '{self.name}' is of one stage, one segment or one funnel")
        if (self.funnel is None) != (self.stopped_at is None):
            raise ValueError(f"audience '{self.name}': `funnel` and `stopped_at` go together")
        return self


def audience_entries(
    found: pl.LazyFrame, consents: pl.LazyFrame | None, aliases: pl.LazyFrame, handed: pl.LazyFrame, *, audience: str
) -> pl.LazyFrame:
    """Who is in an audience, and who of them is still to be handed over.

    In:  found: customer_id, entered_at, a row per customer; consents: customer_id, said, or None where no consent is asked for;
         aliases: CORE_CUSTOMER_ALIASES; handed: entry_id of those who were handed over or are planned.
    Out: entry_id, customer_id, entered_at, is_handed, may (consent is given, or not asked for); in order of entry_id.

    A customer is handed over once, by whatever identifier they were known then: of customers who were merged since, none is again.
    """
    may = pl.lit(value=True)
    entries = found.with_columns(entry_id=_entry_id(audience, "customer_id"))
    if consents is not None:
        entries = entries.join(consents, on="customer_id", how="left")
        may = pl.col("said").str.strip_chars().str.to_lowercase().is_in(YES).fill_null(value=False)
    names = pl.concat([aliases.select("customer_id", "alias_id"), found.select("customer_id", alias_id="customer_id")])
    known = names.with_columns(entry_id=_entry_id(audience, "alias_id")).join(handed, on="entry_id", how="semi")
    before = known.select("customer_id", was_handed=pl.lit(value=True)).unique()
    return (
        entries.join(before, on="customer_id", how="left")
        .select("entry_id", "customer_id", "entered_at", is_handed=pl.col("was_handed").is_not_null(), may=may)
        .sort("entry_id")
    )


def _entry_id(audience: str, column: str) -> pl.Expr:
    return digest_id(pl.lit(audience), column)

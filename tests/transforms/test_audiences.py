from datetime import UTC, datetime

import polars as pl
import pytest

from transforms.audiences import Audience, audience_entries
from transforms.contracts import CORE_CUSTOMER_ALIASES

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def found(*customers: str) -> pl.LazyFrame:
    rows = [(customer, NOON) for customer in customers]
    return pl.LazyFrame(rows, schema={"customer_id": pl.String, "entered_at": pl.Datetime("us", "UTC")}, orient="row")


def aliases(**customer_of: str) -> pl.LazyFrame:
    return CORE_CUSTOMER_ALIASES.conform(
        pl.LazyFrame({"alias_id": list(customer_of), "customer_id": list(customer_of.values())})
    )


def handed(*entry_ids: str) -> pl.LazyFrame:
    return pl.LazyFrame({"entry_id": list(entry_ids)}, schema={"entry_id": pl.String})


def entries(customers: pl.LazyFrame, before: pl.LazyFrame | None = None, known: pl.LazyFrame | None = None,
            consents: pl.LazyFrame | None = None) -> pl.DataFrame:  # fmt: skip
    names = aliases() if known is None else known
    return audience_entries(customers, consents, names, handed() if before is None else before, audience="a").collect()


def test_whoever_was_handed_over_is_not_again():
    first = entries(found("ann", "bob")).filter(pl.col("customer_id") == "ann")

    second = entries(found("ann", "bob"), handed(*first["entry_id"]))

    assert dict(second.select("customer_id", "is_handed").rows()) == {"ann": True, "bob": False}


def test_of_customers_who_were_merged_since_none_is_handed_over_again():
    before = entries(found("ann"))["entry_id"]

    after = entries(found("bob"), handed(*before), aliases(ann="bob", bob="bob"))

    assert after["is_handed"].to_list() == [True]


def test_the_same_customer_in_another_audience_is_another_entry():
    one = audience_entries(found("ann"), None, aliases(), handed(), audience="a").collect()["entry_id"]
    other = audience_entries(found("ann"), None, aliases(), handed(*one), audience="b").collect()

    assert other["is_handed"].to_list() == [False]


@pytest.mark.parametrize(
    ("said", "may"), [("true", True), (" Granted ", True), ("no", False), ("", False), (None, False)]
)
def test_only_a_yes_is_a_consent(said: str | None, may: bool):
    consents = pl.LazyFrame(
        {"customer_id": ["ann"], "said": [said]}, schema={"customer_id": pl.String, "said": pl.String}
    )

    assert entries(found("ann"), consents=consents)["may"].to_list() == [may]


def test_who_never_said_anything_has_not_consented():
    consents = pl.LazyFrame(schema={"customer_id": pl.String, "said": pl.String})

    assert entries(found("ann"), consents=consents)["may"].to_list() == [False]


def test_nobody_is_an_audience_of_nobody():
    assert entries(found()).columns == ["entry_id", "customer_id", "entered_at", "is_handed", "may"]


@pytest.mark.parametrize(
    "said", [{}, {"stage": "a", "segment": "b"}, {"funnel": "f"}, {"stopped_at": "x", "stage": "a"}]
)
def test_an_audience_is_of_one_thing(said: dict[str, str]):
    with pytest.raises(ValueError, match="audience 'a'"):
        Audience(name="a", **said)

"""Names: the identifiers and addresses of a person, from the person's number."""

import polars as pl

from pipelines.sample.catalogue import FIRST_NAMES, LAST_NAMES, MAIL_HOSTS


def user_id_of(person: str) -> pl.Expr:
    """The account at the shop."""
    return pl.concat_str(pl.lit("u-"), (pl.col(person).cast(pl.Int64) + 100_000).cast(pl.String))


def contact_id_of(person: str) -> pl.Expr:
    """The record in the CRM."""
    return pl.concat_str(pl.lit("c-"), (pl.col(person).cast(pl.Int64) + 5_000_000).cast(pl.String))


def account_id_of(account: str) -> pl.Expr:
    """The company; null for persons without."""
    return pl.when(pl.col(account) >= 0).then(pl.concat_str(pl.lit("acc-"), (pl.col(account) + 1_000).cast(pl.String)))


def person_name(person: str) -> pl.Expr:
    """The person in the files of the truth."""
    return pl.concat_str(pl.lit("p-"), pl.col(person).cast(pl.String))


def first_name_of(person: str) -> pl.Expr:
    """The given name."""
    return _one_of(FIRST_NAMES, pl.col(person) % len(FIRST_NAMES))


def last_name_of(person: str) -> pl.Expr:
    """The family name."""
    return _one_of(LAST_NAMES, pl.col(person) // len(FIRST_NAMES) % len(LAST_NAMES))


def email_of(person: str) -> pl.Expr:
    """The mail address, lower-cased, different for each person."""
    name = pl.concat_str(first_name_of(person), pl.lit("."), last_name_of(person)).str.to_lowercase()
    host = _one_of(MAIL_HOSTS, pl.col(person) % len(MAIL_HOSTS))
    return pl.concat_str(name, pl.col(person).cast(pl.String), pl.lit("@"), host)


def phone_of(person: str) -> pl.Expr:
    """A German mobile number (E.164), different for each person."""
    digits = (pl.col(person).cast(pl.Int64) * 7_919 + 31_337) % 100_000_000
    return pl.concat_str(pl.lit("+49151"), digits.cast(pl.String).str.zfill(8))


def _one_of(values: tuple[str, ...], number: pl.Expr) -> pl.Expr:
    return number.replace_strict(range(len(values)), values, return_dtype=pl.String, default=None)

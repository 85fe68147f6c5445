"""Customers: what is known of each stitched person, from evidence and from what they did."""

import polars as pl

from transforms.contracts import CORE_CUSTOMERS, VISITOR_NAMESPACES
from transforms.journey import Identity

LEAD_NAMESPACES = ("crm_lead_id", "crm_contact_id")


def describe_customers(
    identity_map: pl.LazyFrame, aliases: pl.LazyFrame, activity: pl.LazyFrame, *, identity: Identity
) -> pl.LazyFrame:
    """Put together what identity and activity say of each customer.

    In:  CORE_IDENTITY_MAP, CORE_CUSTOMER_ALIASES, and activity (customer_id, account_id, first_seen_at, last_seen_at,
         event_count, first_purchase_at, purchase_count, current_stage, furthest_stage), one row per customer.
    Out: CORE_CUSTOMERS, in order of customer_id; a customer known by evidence alone has no events, and the customer of
         an event that carries only a CRM record's id has no identifiers.
    """
    namespace = pl.col("namespace")
    strong_values = [(namespace == name).sum() > 1 for name in identity.strong]
    known = (
        identity_map.filter(pl.col("customer_id").is_not_null())
        .group_by("customer_id")
        .agg(
            is_identified=(~namespace.is_in(VISITOR_NAMESPACES)).any(),
            is_multi_strong=pl.any_horizontal(strong_values) if strong_values else pl.lit(False),
            identifier_count=pl.len(),
            visitor_count=namespace.is_in(VISITOR_NAMESPACES).sum(),
            is_lead=namespace.is_in(LEAD_NAMESPACES).any(),
        )
    )
    anchors = aliases.filter(pl.col("alias_id") == pl.col("customer_id")).select(
        "customer_id", anchor_namespace=namespace
    )
    described = (
        activity.join(known, on="customer_id", how="full", coalesce=True)
        .join(anchors, on="customer_id", how="left")
        .with_columns(
            pl.col("anchor_namespace").fill_null("record_id"),
            pl.col("is_identified", "is_multi_strong", "is_lead").fill_null(False),
            pl.col("identifier_count", "visitor_count", "event_count", "purchase_count").fill_null(0),
        )
    )
    return CORE_CUSTOMERS.conform(described).sort("customer_id")

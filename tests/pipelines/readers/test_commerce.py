"""A business's own tables: orders, subscriptions, reviews and survey answers by the usual names of their columns."""

import json
import random

import polars as pl
import pytest

from pipelines import answers, readers
from pipelines.guess import guess
from pipelines.settings import workspace_at
from tests.pipelines.readers.landed import KEY, Landed, landed
from transforms.canonical import keyed
from transforms.mapping import Source, wanted


def table(tmp_path, format, *lines, **said):
    return landed(tmp_path, format, "files/one.csv", *lines, **said)


# ---------------------------------------------------------------- orders

SHOPIFY = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,Taxes,Total,"
    "Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,Lineitem price,Billing Name,"
    "Billing Phone,Shipping Country,Cancelled at,Payment Method,Refunded Amount,Id,Source,Phone",
    "#1001,Ann@Shop.example,paid,2026-01-07 09:51:26 +0200,fulfilled,2026-01-08 14:21:21 +0200,yes,EUR,105.00,5.59,10.00,110.59,"
    "WELCOME,5.00,DHL,2026-01-07 09:50:26 +0200,3,Mask,34.90,Ann Lee,,FR,,Shopify Payments,0.00,7410991464714,web,",
    "#1001,Ann@Shop.example,,,,,,,,,,,,,,2026-01-07 09:50:26 +0200,1,Cream,9.90,,,,,,,,,",
    "#1002,bob@shop.example,partially_refunded,2026-01-09 09:00:00 +0200,,,no,EUR,50,0,0,50.00,,0.00,DHL,2026-01-09 09:00:00 +0200,"
    "1,Cream,50,Bob,030 1234567,DE,,PayPal,20.00,7410991464715,web,",
    "#1003,cid@shop.example,voided,,,,no,EUR,70,0,0,70.00,,0.00,DHL,2026-01-10 09:00:00 +0200,1,Cream,70,Cid,,DE,"
    "2026-01-11 09:00:00 +0200,PayPal,0.00,7410991464716,web,",
)


def test_the_orders_export_of_shopify_is_read_as_it_is(tmp_path):
    orders = table(tmp_path, "orders", *SHOPIFY)

    assert orders.events("event_id", "event", "value_minor", "currency", "record_id") == [
        ("order:#1001:placed:2026-01-07T07:50:26.000000Z", "order_placed", 11059, "EUR", "#1001"),
        ("order:#1002:placed:2026-01-09T07:00:00.000000Z", "order_placed", 5000, "EUR", "#1002"),
        ("order:#1002:returned:2026-01-09T07:00:00.000000Z", "order_returned", -2000, "EUR", "#1002"),
        ("order:#1003:placed:2026-01-10T07:00:00.000000Z", "order_placed", 0, "EUR", "#1003"),
        ("order:#1003:cancelled:2026-01-11T07:00:00.000000Z", "order_cancelled", None, None, "#1003"),
    ]
    assert orders.rows("SELECT email, phone FROM raw.crm_records ORDER BY record_id")[:2] == [
        (keyed("ann@shop.example", KEY), None), (keyed("bob@shop.example", KEY), keyed("+49301234567", KEY)),
    ]  # fmt: skip
    assert orders.properties()[0] == {
        "order_id": "#1001", "order_status": "paid", "coupon": "WELCOME", "discount": "5.00", "shipping": "5.59", "tax": "10.00",
        "payment_method": "Shopify Payments", "order_source": "web",
    }  # fmt: skip
    assert sorted(orders.outcomes()) == ["loaded", "loaded", "loaded", "superseded"]
    assert not [word for word in ("Ann", "Bob", "Cid", "@") if word in str(orders.kept())]


WOOCOMMERCE = (
    "order_id,order_number,order_date,paid_date,status,shipping_total,order_total,order_currency,payment_method,customer_id,"
    "billing_first_name,billing_email,billing_phone,line_item_1",
    "501,501,2026-01-07 09:50:26,2026-01-07 09:51:00,completed,5,60.50,USD,stripe,7,Ann,ann@shop.example,,name:Mask|qty:1",
    "502,502,2026-01-08 09:50:26,,failed,5,60.50,USD,stripe,0,Bob,bob@shop.example,,",
    "503,503,2026-01-09 09:50:26,,refunded,5,60.50,USD,stripe,7,Ann,ann@shop.example,,",
)


def test_an_orders_export_of_woocommerce_is_read_as_it_is(tmp_path):
    orders = table(tmp_path, "orders", *WOOCOMMERCE)

    assert orders.events("record_id", "event", "value_minor", "user_id") == [
        ("501", "order_placed", 6050, "7"), ("503", "order_placed", 6050, "7"), ("503", "order_returned", -6050, "7"),
    ]  # fmt: skip
    assert orders.outcomes() == ["loaded", "loaded", "loaded"]


def test_rows_that_say_what_they_are_are_orders_returns_exchanges_and_cancellations(tmp_path):
    orders = table(
        tmp_path,
        "orders",
        "Order No;Type;Date;Customer No;Amount;Currency",
        "1;Sale;31.01.2026 09:00;c1;1.234,50;EUR",
        "1;Return;02.02.2026 09:00;c1;34,50;EUR",
        "1;Exchange;03.02.2026 09:00;c1;0;EUR",
        "2;Sale;31.01.2026 10:00;c2;10;EUR",
        "2;Cancellation;31.01.2026 11:00;c2;10;EUR",
        "3;Sale;31.01.2026 12:00;c2;-5,00;EUR",
        delimiter=";",
        decimal=",",
    )

    assert orders.events("event", "value_minor", "properties ->> '$.order_id'", "user_id") == [
        ("order_placed", 123450, "1", "c1"), ("order_placed", 1000, "2", "c2"), ("order_cancelled", None, "2", "c2"),
        ("order_returned", -500, "3", "c2"), ("order_returned", -3450, "1", "c1"), ("order_exchanged", None, "1", "c1"),
    ]  # fmt: skip


def test_an_amount_that_is_no_number_is_kept_aside(tmp_path):
    orders = table(tmp_path, "orders", "order_id,created_at,total,email", "1,2026-01-07,ten,a@x.example")

    assert orders.quarantine() == [("type_conflict", "value")]


def test_a_name_without_a_number_is_no_order_number(tmp_path):
    orders = table(tmp_path, "orders", "id,name,created_at,total", "7,Ann Lee,2026-01-07,10")

    assert orders.events("record_id") == [("7",)]


def test_the_newest_state_of_an_order_counts_in_any_order_of_files(tmp_path):
    header = "order_id,created_at,updated_at,status,total,customer_id,refunded_at,refunded_amount"
    states = [
        "1,2026-01-07T09:00:00Z,2026-01-07T09:00:00Z,pending,10,c1,,",
        "1,2026-01-07T09:00:00Z,2026-01-08T09:00:00Z,paid,10,c1,,",
        "1,2026-01-07T09:00:00Z,2026-01-09T09:00:00Z,refunded,10,c1,2026-01-09T09:00:00Z,4",
    ]
    one = table(tmp_path / "one", "orders", header, *states)
    other = Landed(tmp_path / "other", "orders")
    for number, line in enumerate(random.Random(3).sample(states, 3)):
        other.put(f"files/{number}.csv", header, line).load()

    assert one.events("event", "value_minor") == [("order_placed", 1000), ("order_returned", -400)]
    assert one.kept() == other.kept()
    one.put("files/two.csv", header, states[2], "").load()
    assert sorted(one.outcomes()) == ["blank", "duplicate", "loaded", "superseded", "superseded"]
    assert one.is_balanced()


def test_json_keys_in_camel_case_tsv_and_parquet_give_the_same_rows(tmp_path):
    row = {"orderId": "1", "createdAt": "2026-01-07T09:00:00Z", "total": "10.5", "currency": "EUR", "customerId": "c1"}
    ndjson = landed(tmp_path / "ndjson", "orders", "files/one.ndjson", json.dumps(row))
    tsv = landed(
        tmp_path / "tsv", "orders", "files/one.tsv", "\t".join(["Order ID", *list(row)[1:]]), "\t".join(row.values())
    )
    parquet = Landed(tmp_path / "parquet", "orders").put("files/.keep")
    pl.DataFrame([row]).write_parquet(parquet.landing / "files" / "one.parquet")

    assert ndjson.kept() == tsv.kept() == parquet.load().kept()
    assert ndjson.events("event", "value_minor", "user_id") == [("order_placed", 1050, "c1")]


# ---------------------------------------------------------------- subscriptions

STRIPE = (
    "id,Customer ID,Customer Email,Plan,Quantity,Currency,Interval,Amount,Status,Created (UTC),Start (UTC),Current Period Start (UTC),"
    "Current Period End (UTC),Trial Start (UTC),Trial End (UTC),Canceled At (UTC),Ended At (UTC)",
    "sub_1,cus_1,ann@shop.example,pro,1,eur,month,29.00,active,2026-01-01 09:00,2026-01-01 09:00,2026-03-01 09:00,2126-04-01 09:00,,,,",
    "sub_2,cus_2,bob@shop.example,pro,1,eur,month,29.00,canceled,2026-01-05 09:00,2026-01-05 09:00,2026-01-19 09:00,2026-02-19 09:00,"
    "2026-01-05 09:00,2026-01-19 09:00,2026-02-01 09:00,2026-02-19 09:00",
    "sub_3,cus_3,cid@shop.example,pro,1,eur,month,29.00,trialing,2026-01-06 09:00,2026-01-06 09:00,2026-01-06 09:00,2126-01-20 09:00,"
    "2026-01-06 09:00,2126-01-20 09:00,,",
    "sub_4,cus_4,dan@shop.example,pro,1,eur,month,29.00,canceled,2026-01-07 09:00,2026-01-07 09:00,2026-01-07 09:00,2026-01-21 09:00,"
    "2026-01-07 09:00,2026-01-21 09:00,2026-01-09 09:00,2026-01-21 09:00",
)


def test_the_subscriptions_export_of_stripe_is_read_as_it_is(tmp_path):
    subscriptions = table(tmp_path, "subscriptions", *STRIPE)

    assert subscriptions.rows(
        "SELECT record_id, event, strftime(occurred_at, '%m-%d'), value_minor FROM raw.crm_events ORDER BY record_id, occurred_at, event"
    ) == [
        ("sub_1", "subscription_started", "01-01", 2900),
        ("sub_1", "subscription_renewed", "03-01", 2900),
        ("sub_2", "trial_started", "01-05", None),
        ("sub_2", "subscription_started", "01-19", 2900),
        ("sub_2", "subscription_cancelled", "02-01", None),
        ("sub_2", "subscription_expired", "02-19", None),
        ("sub_3", "trial_started", "01-06", None),
        ("sub_4", "trial_started", "01-07", None),
        ("sub_4", "subscription_cancelled", "01-09", None),
        ("sub_4", "subscription_expired", "01-21", None),
    ]
    assert subscriptions.properties()[0] == {
        "subscription_id": "sub_1", "plan": "pro", "quantity": "1", "interval": "month", "subscription_status": "active",
        "expires_at": "2126-04-01 09:00",
    }  # fmt: skip
    assert subscriptions.outcomes() == ["loaded"] * 4


def test_dates_of_a_subscription_that_are_still_to_come_wait(tmp_path):
    subscriptions = table(
        tmp_path,
        "subscriptions",
        "Subscription Id,Customer Id,Plan Id,Status,Started At,Cancelled At,Current Term End,Reminder At",
        "s1,c1,pro,non_renewing,2026-01-01,2126-02-01,2126-02-01,2026-01-25",
        "s2,c2,pro,active,2026-01-01,,2126-02-01,2126-01-25",
    )

    assert subscriptions.outcomes() == ["loaded", "loaded"]
    assert subscriptions.rows("SELECT record_id, event FROM raw.crm_events ORDER BY record_id, occurred_at") == [
        ("s1", "subscription_started"), ("s1", "subscription_expiring"), ("s2", "subscription_started"),
    ]  # fmt: skip


CHANGES = (
    "event_id,subscription_id,customer_id,type,occurred_at,plan,amount,currency",
    *(
        f"e{number},s1,c1,{change},2026-01-{number + 10}T09:00:00Z,pro,10,EUR"
        for number, change in enumerate(
            [
                "trial_started",
                "started",
                "renewed",
                "Upgrade",
                "downgraded",
                "paused",
                "resumed",
                "expiring",
                "cancelled",
                "expired",
            ]
        )
    ),
)


def test_rows_that_are_changes_of_subscriptions_are_events_of_their_own(tmp_path):
    changes = table(tmp_path, "subscriptions", *CHANGES)

    assert changes.events("event") == [
        (event,)
        for event in (
            "trial_started", "subscription_started", "subscription_renewed", "subscription_upgraded", "subscription_downgraded",
            "subscription_paused", "subscription_resumed", "subscription_expiring", "subscription_cancelled", "subscription_expired",
        )
    ]  # fmt: skip
    assert changes.rows("SELECT DISTINCT user_id, properties ->> '$.subscription_id' FROM raw.crm_events") == [
        ("c1", "s1")
    ]


# ---------------------------------------------------------------- reviews and conversations


def test_reviews_and_conversations_have_rating_and_sentiment_but_not_their_text(tmp_path):
    reviews = table(
        tmp_path,
        "reviews",
        "review_id,type,review_date,email,rating,product_id,sentiment,platform,body",
        "r1,review,2026-01-07T09:00:00Z,ann@shop.example,5,p1,0.85,Trustpilot,I am Ann",
        "r2,,2026-01-08T09:00:00Z,bob@shop.example,1,p1,Negative,shop,I am Bob",
        "c3,chat,2026-01-09T09:00:00Z,ann@shop.example,,,-0.2,,I am Ann",
        "c4,phone call,2026-01-10T09:00:00Z,ann@shop.example,,,n/a,hotline,I am Ann",
    )

    assert reviews.events("event_id", "event", "object", "properties ->> '$.sentiment'") == [
        ("r1", "review_posted", "review", "0.85"), ("r2", "review_posted", "review", "-1"),
        ("c3", "chat_started", "conversation", "-0.2"), ("c4", "call_answered", "conversation", None),
    ]  # fmt: skip
    assert reviews.properties("raw.crm_events")[-1] == {
        "rating": "1",
        "product": "p1",
        "review_source": "shop",
        "sentiment": "-1",
    }
    assert "I am" not in str(reviews.kept())


# ---------------------------------------------------------------- surveys


def test_an_answer_is_a_survey_and_a_number(tmp_path):
    surveys = table(
        tmp_path,
        "surveys",
        "response_id,survey_name,question_id,score,answered_at,email,comment",
        "1,Relationship NPS,q1,9/10,2026-01-07T09:00:00Z,ann@shop.example,I am Ann",
        "1,Satisfaction after a call,q2,4.0,2026-01-07T09:00:00Z,ann@shop.example,",
        "2,customer_effort,,very easy,2026-01-08T09:00:00Z,bob@shop.example,",
        "3,Colours,,3,2026-01-09T09:00:00Z,bob@shop.example,",
    )

    assert surveys.events("event_id", "event", "properties ->> '$.survey'", "properties ->> '$.score'") == [
        ("1:q1", "survey_answered", "nps", "9"), ("1:q2", "survey_answered", "csat", "4"),
        ("2", "survey_answered", "ces", None), ("3", "survey_answered", "Colours", "3"),
    ]  # fmt: skip
    assert "I am" not in str(surveys.kept())


def test_the_column_of_the_score_tells_the_survey(tmp_path):
    surveys = table(tmp_path, "surveys", "id,nps_score,responded_at,user_id", "1,10,2026-01-07T09:00:00Z,u1")

    assert surveys.properties("raw.crm_events") == [{"survey": "nps", "score": "10"}]


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("format", ["orders", "subscriptions", "reviews", "surveys", "ad_spend"])
def test_no_two_columns_differ_in_case_alone(format):
    """JSON is read by keys without regard to case."""
    (feed, *_) = readers.feeds("it", Source.model_validate({"format": format, "files": "x"}))

    names = [name.casefold() for name in feed.wanted(wanted(feed.source)).texts]

    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("format", "lines"),
    [
        ("orders", SHOPIFY),
        ("orders", WOOCOMMERCE),
        ("subscriptions", STRIPE),
        ("subscriptions", CHANGES),
        ("reviews", ("review_id,rating,review_date", "1,2,2026-01-01")),
        ("surveys", ("response_id,survey,score,answered_at", "1,nps,3,2026-01-01")),
    ],
)
def test_an_export_is_recognised_by_its_columns(tmp_path, format, lines):
    path = tmp_path / "export.csv"
    path.write_text("\n".join(lines) + "\n")

    assert guess(path).format == format


@pytest.mark.parametrize("preset", ["ecommerce", "saas"])
def test_the_presets_map_what_the_tables_tell(tmp_path, preset):
    tmp_path.joinpath("journey.yaml").write_text(
        f"preset: {preset}\nlanding: {{quiet: 0s}}\ncurrency: EUR\nsources:\n"
        + "".join(
            f'  {format}: {{format: {format}, files: "{format}/*"}}\n'
            for format in ("orders", "subscriptions", "reviews", "surveys")
        )
    )
    shop = Landed(tmp_path, "orders").put("orders/o.csv", *SHOPIFY).put("subscriptions/s.csv", *CHANGES)
    shop.put("reviews/r.csv", "review_id,rating,review_date,email", "1,2,2026-01-20,ann@shop.example")
    shop.put("surveys/s.csv", "response_id,survey,score,answered_at,email", "1,nps,3,2026-01-20,ann@shop.example")

    findings = answers.check(workspace_at(tmp_path))

    assert findings["problems"] == []
    assert sorted(findings["unmapped"]["events"]) == (
        [] if preset == "ecommerce" else ["order_cancelled", "order_placed", "order_returned"]
    )

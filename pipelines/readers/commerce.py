"""Commerce: a business's own tables of orders, subscriptions, reviews and survey answers, by the usual names of their columns."""

from functools import partial
from typing import Any

import polars as pl

from pipelines.readers.columns import TIMES, Computed, aliases, column, said, says, spellings, with_computed
from pipelines.readers.native import Native
from transforms.mapping import Bare

READS: tuple[Bare, ...] = ("csv", "tsv", "ndjson", "parquet")

USER = (
    "customer_id", "customer_no", "customer_number", "user_id", "client_id", "customer_user", "member_id", "buyer_id", "customer.id",
)  # fmt: skip
EMAIL = (
    "email",
    "customer_email",
    "billing_email",
    "e_mail",
    "mail",
    "contact_email",
    "buyer_email",
    "billing.email",
    "customer.email",
)
PHONE = ("phone", "customer_phone", "billing_phone", "phone_number", "telephone", "billing.phone")
CONTACT, ACCOUNT = ("contact_id", "crm_contact_id"), ("account_id", "company_id")
WHO = {
    "user_id": column(*USER), "email": column(*EMAIL), "phone": column(*PHONE), "crm_contact_id": column(*CONTACT),
    "account_id": column(*ACCOUNT),
}  # fmt: skip
PEOPLE = (*USER, *EMAIL, *PHONE, *CONTACT, *ACCOUNT)
UPDATED = (
    "updated_at", "modified_at", "last_modified", "date_modified_gmt", "date_modified", "last_updated", "date_updated", "updated",
)  # fmt: skip
CURRENCY = ("currency", "currency_code", "order_currency")
ABOVE_ZERO = "[1-9]"


def state(event: Any, name: str, at: Any, **more: Any) -> dict[str, Any]:
    """An event that is a dated state of a record; `more`: further fields."""
    named = {"from": event} if isinstance(event, str) and event.startswith("@") else event
    return {"event": named, "fields": {"occurred_at": at, "state": {"value": name}, **more}}


def computed(names: dict[str, tuple[tuple[str, ...], pl.Expr]]) -> Computed:
    """Computed columns with all spellings of the columns that they are made of."""
    return {name: (spellings(*columns), made) for name, (columns, made) in names.items()}


# ---------------------------------------------------------------- orders

ORDER = ("order_id", "order_number", "order_no", "increment_id", "order_name", "order", "transaction_id", "number")
ORDERED = (
    "created_at", "ordered_at", "order_date", "placed_at", "purchased_at", "purchase_date", "date_created_gmt", "date_created",
    "transaction_date", "order_created_at", "processed_at", "occurred_at", "timestamp", "date", "created",
)  # fmt: skip
TOTAL = (
    "total", "order_total", "grand_total", "total_price", "total_amount", "amount", "order_value", "net_sales", "revenue", "value",
)  # fmt: skip
STATUS = ("financial_status", "status", "order_status")
KIND = ("type", "order_type", "transaction_type", "event_type", "event", "kind", "record_type")
REFUND = ("refunded_amount", "amount_refunded", "refund_amount", "total_refunded", "refund_total", "returned_amount")
REFUNDED = ("refunded_at", "returned_at", "refund_date", "return_date", "date_refunded")
CANCELLED = ("cancelled_at", "canceled_at", "cancellation_date", "cancelled_date", "date_cancelled")
EXCHANGED = ("exchanged_at", "exchange_date")
OWN_ID = ("event_id", "return_id", "refund_id", "exchange_id", "cancellation_id")
LINE = ("lineitem_name", "lineitem_quantity", "lineitem_price")
OTHER_DATES = ("paid_at", "date_paid", "fulfilled_at", "date_completed")
DETAILS = {
    "coupon": ("coupon", "coupon_code", "discount_code", "coupons", "coupon_codes", "promotion_code"),
    "discount": ("discount", "discount_amount", "discount_total", "total_discounts"),
    "shipping": ("shipping", "shipping_total", "shipping_amount", "shipping_cost"),
    "tax": ("taxes", "tax", "tax_amount", "total_tax"),
    "payment_method": ("payment_method", "payment_method_title", "payment_type"),
    "items": ("items", "item_count", "items_sold", "total_quantity", "total_items"),
    "order_source": ("source", "source_name", "sales_channel", "channel", "created_via"),
}
COUNTRY = ("shipping_country", "billing_country", "country", "country_code", "shipping.country", "billing.country")
UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")


def order_number() -> pl.Expr:
    """The order's number; a column `name` counts where it holds a number (#1001), for else it may be somebody's name."""
    name = said("name")
    return pl.coalesce(said(*ORDER), pl.when(name.str.contains(r"^\S*[0-9]\S*$")).then(name), said("id"))


def kind_of_row() -> pl.Expr:
    """placed, returned, exchanged or cancelled for a row that says which of these it is; a negative total is a return."""
    told = said(*KIND)
    return (
        pl.when(says(told, "exchang|replace")).then(pl.lit("exchanged"))
        .when(says(told, "cancel|void")).then(pl.lit("cancelled"))
        .when(says(told, "return|refund|credit")).then(pl.lit("returned"))
        .when(says(said(*TOTAL), r"^[^0-9a-z.,]*[-−(][^0-9]*[0-9.,]*[1-9]")).then(pl.lit("returned"))
    )  # fmt: skip


def is_cancelled() -> pl.Expr:
    """True for an order that was called off."""
    return kind_of_row().is_null() & (says(said(*STATUS), "cancel|void") | said(*CANCELLED).is_not_null())


def is_head() -> pl.Expr:
    """False for the further line items of an order, which repeat its number without its total."""
    line = pl.any_horizontal(said(name).is_not_null() for name in LINE)
    return ~(line & said(*TOTAL).is_null() & said("financial_status").is_null())


def order_placed() -> pl.Expr:
    """order_placed for an order; null for a draft, and for one whose payment failed."""
    never = says(
        said(*STATUS), "^(?:wc-)?(?:failed|declined|draft|checkout-draft|auto-draft|abandoned|trash|expired|rejected)$"
    )
    return pl.when(kind_of_row().is_null() & is_head() & ~never).then(pl.lit("order_placed"))


def order_returned() -> pl.Expr:
    """order_returned for a return of its own, and for an order that was not called off and gave money back."""
    gave_back = says(said(*REFUND), ABOVE_ZERO) | says(said(*STATUS), "^(?:wc-)?(?:refunded|returned)$")
    gave_back |= said(*REFUNDED).is_not_null()
    is_return = (kind_of_row() == "returned").fill_null(
        kind_of_row().is_null() & is_head() & ~is_cancelled() & gave_back
    )
    return pl.when(is_return).then(pl.lit("order_returned"))


def order_cancelled() -> pl.Expr:
    """order_cancelled for an order that was called off, and for a row that says so."""
    return pl.when((kind_of_row() == "cancelled").fill_null(is_head() & is_cancelled())).then(pl.lit("order_cancelled"))


def order_exchanged() -> pl.Expr:
    """order_exchanged for an exchange of its own, and for an order of which something was exchanged."""
    exchanged = said(*EXCHANGED).is_not_null() | says(said(*STATUS), "^exchanged$")
    is_exchange = (kind_of_row() == "exchanged").fill_null(kind_of_row().is_null() & is_head() & exchanged)
    return pl.when(is_exchange).then(pl.lit("order_exchanged"))


def order_record() -> pl.Expr:
    """The id of a row: the order's number; of a return, exchange or cancellation its own id, else number, kind and time."""
    own = pl.coalesce(said(*OWN_ID), pl.concat_str(order_number(), kind_of_row(), said(*ORDERED), separator=":"))
    return pl.when(kind_of_row().is_null()).then(order_number()).otherwise(own)


OF_KIND = (*KIND, *TOTAL)
OF_STATE = (*OF_KIND, *STATUS, *CANCELLED, *LINE)
ORDER_COLUMNS = computed({
    "@order": ((*ORDER, "name", "id"), order_number()),
    "@record": ((*ORDER, "name", "id", *OF_KIND, *OWN_ID, *ORDERED), order_record()),
    "@placed": (OF_STATE, order_placed()),
    "@cancelled": (OF_STATE, order_cancelled()),
    "@returned": ((*OF_STATE, *REFUND, *REFUNDED), order_returned()),
    "@exchanged": ((*OF_STATE, *EXCHANGED), order_exchanged()),
    "@total": (OF_STATE, pl.when(is_cancelled()).then(pl.lit("0")).otherwise(said(*TOTAL))),
    "@refund": ((*TOTAL, *REFUND), pl.when(says(said(*REFUND), ABOVE_ZERO)).then(said(*REFUND)).otherwise(said(*TOTAL))),
    "@ordered": ((*OF_STATE, *ORDERED), pl.when(is_head()).then(said(*ORDERED))),
})  # fmt: skip

ORDERS = Native(
    name="orders",
    version=1,
    reads=READS,
    mappings={
        "": {
            "kind": "crm",
            "decimal": ".",
            "time_formats": TIMES,
            "record": {
                "object": "order",
                "id": "@record",
                "modified_at": {
                    "latest": ["@ordered", *map(column, (*UPDATED, *CANCELLED, *REFUNDED, *EXCHANGED, *OTHER_DATES))]
                },
                "undated": "keep",
            },
            "aliases": aliases(
                (
                    *PEOPLE, *UPDATED, *CURRENCY, *ORDER, *ORDERED, *TOTAL, *STATUS, *KIND, *REFUND, *REFUNDED, *CANCELLED,
                    *EXCHANGED, *OWN_ID, *LINE, *OTHER_DATES, *COUNTRY, *UTM, "id", "name",
                    *(name for names in DETAILS.values() for name in names),
                ),
                **{"order #": "order_number", "coupon(s)": "coupons", "order no.": "order_no", "customer no.": "customer_no"},
            ),
            "fields": {
                **WHO,
                "country": column(*COUNTRY),
                "currency": column(*CURRENCY),
                **{name: column(name) for name in UTM},
            },
            "properties": {
                "order_id": "@order",
                "order_status": column(*STATUS),
                **{name: column(*names) for name, names in DETAILS.items()},
            },
            "events": [
                state("@placed", "placed", column(*ORDERED), seq={"value": 1}, value="@total"),
                state("@exchanged", "exchanged", column(*EXCHANGED, *UPDATED, *ORDERED), seq={"value": 2}),
                state("@cancelled", "cancelled", column(*CANCELLED, *UPDATED, *ORDERED), seq={"value": 3}),
                state("@returned", "returned", column(*REFUNDED, *UPDATED, *ORDERED), seq={"value": 4}, value="@refund"),
            ],
        }
    },
    derived={name: columns for name, (columns, _) in ORDER_COLUMNS.items()},
    derive=partial(with_computed, computed=ORDER_COLUMNS),
    marks={
        "": (
            ("Name", "Financial Status", "Lineitem name"), ("order_id", "order_total"), ("order_id", "total", "currency"),
            ("order_number", "order_total"), ("Order ID", "Total"), ("order_id", "grand_total"), ("order_id", "order_date", "total"),
            ("Order #", "Net Sales"), ("increment_id", "grand_total"), ("order_id", "refunded_amount"),
        )
    },
)  # fmt: skip

# ---------------------------------------------------------------- subscriptions

SUBSCRIPTION = ("subscription_id", "subscription_no", "contract_id", "membership_id", "subscription", "id")
CHANGE = ("type", "event_type", "event", "action", "change", "transaction_type")
CHANGED = (
    "occurred_at",
    "event_time",
    "event_date",
    "changed_at",
    "effective_at",
    "timestamp",
    "date",
    "created_at",
    "created_utc",
    "created",
)
STARTED = (
    "started_at",
    "start_date",
    "subscription_start",
    "start_utc",
    "contract_start",
    "valid_from",
    "start",
    "created_at",
    "created_utc",
    "created",
)
ACTIVATED = ("activated_at", "activation_date")
TRIAL = ("trial_started_at", "trial_start", "trial_start_date", "trial_start_utc")
TRIAL_END = ("trial_ended_at", "trial_end", "trial_end_date", "trial_end_utc", "trial_ends_at")
TERM_START = ("current_period_start", "current_period_start_utc", "current_term_start")
TERM_END = (
    "expires_at", "current_period_end", "current_period_end_utc", "current_term_end", "expiry_date", "expiration_date", "valid_until",
    "end_date", "ends_at", "contract_end", "renewal_date", "next_billing_at", "next_payment_date",
)  # fmt: skip
STOPPED = ("cancelled_at", "canceled_at", "canceled_at_utc", "cancellation_date", "cancelled_date", "cancelled_on")
ENDED = ("ended_at", "ended_at_utc", "expired_at", "ended_on")
REMINDED = ("reminder_at", "renewal_reminder_at", "reminder_sent_at", "expiry_notice_at", "expiring_at")
RENEWED = ("renewed_at", "last_renewed_at", "renewed_on")
MOVES = {
    "upgraded": ("upgraded_at",),
    "downgraded": ("downgraded_at",),
    "paused": ("paused_at",),
    "resumed": ("resumed_at",),
}
AMOUNT = ("amount", "price", "plan_amount", "plan_price", "mrr", "total", "value")
TERMS = {
    "plan": ("plan", "plan_id", "plan_name", "product", "product_name", "item_price_id", "price_id", "tier"),
    "quantity": ("quantity", "seats", "plan_quantity"),
    "interval": ("interval", "billing_period", "billing_interval", "billing_period_unit"),
    "subscription_status": ("status", "subscription_status"),
    "cancel_reason": ("cancel_reason", "cancel_reason_code", "cancellation_reason"),
}
CHANGES = {
    "subscription_cancelled": "cancel|churn|terminat|unsubscri|deleted",
    "trial_started": "^trial$|trial.*(?:start|begin|creat)|start.*trial",
    "trial_ended": "trial.*(?:end|expire)",
    "subscription_upgraded": "upgrad|expan",
    "subscription_downgraded": "downgrad|contract",
    "subscription_renewed": "renew(?:ed|al|s)?$",
    "subscription_expiring": "expiring|remind|will_end|upcoming",
    "subscription_expired": "expire|ended|lapse",
    "subscription_paused": "pause",
    "subscription_resumed": "resum|reactivat",
    "subscription_started": "start|creat|^new|activat|subscri.*d$|signup",
}


def change() -> pl.Expr:
    """The event that a row tells of, where it says which."""
    told = said(*CHANGE)
    return pl.coalesce([pl.when(says(told, words)).then(pl.lit(event)) for event, words in CHANGES.items()])


def is_whole() -> pl.Expr:
    """True for a row that is a subscription with its dates, and not one change of it."""
    return change().is_null()


def subscription_record() -> pl.Expr:
    """The id of a row: the subscription's; of a change its own, else subscription, change and time."""
    own = pl.coalesce(said("event_id"), pl.concat_str(said(*SUBSCRIPTION), change(), said(*CHANGED), separator=":"))
    return pl.when(is_whole()).then(said(*SUBSCRIPTION)).otherwise(own)


def started_at() -> pl.Expr:
    """When a subscription began to be paid: after the trial, if there was one and it was not left."""
    in_trial = says(said("status", "subscription_status"), "trial|incomplete")
    left_in_trial = (said(*STOPPED, *ENDED) <= said(*TRIAL_END)).fill_null(False)
    after_trial = pl.when(~in_trial & ~left_in_trial).then(said(*ACTIVATED, *TRIAL_END))
    return (
        pl.when(~is_whole())
        .then(None)
        .when(said(*TRIAL).is_null())
        .then(said(*ACTIVATED, *STARTED))
        .otherwise(after_trial)
    )


def renewed_at() -> pl.Expr:
    """When the current term began, unless it is the first one."""
    first = pl.any_horizontal(
        (said(*TERM_START) == said(*names)).fill_null(False) for names in (STARTED, ACTIVATED, TRIAL, TRIAL_END)
    )
    return pl.when(is_whole()).then(pl.coalesce(said(*RENEWED), pl.when(~first).then(said(*TERM_START))))


def of_whole(*names: str) -> pl.Expr:
    """A date of a subscription; none for a row that is one change."""
    return pl.when(is_whole()).then(said(*names))


SUBSCRIPTION_COLUMNS = computed({
    "@record": ((*SUBSCRIPTION, *CHANGE, *CHANGED, "event_id"), subscription_record()),
    "@change": (CHANGE, change()),
    "@changed_at": ((*CHANGE, *CHANGED), pl.when(~is_whole()).then(said(*CHANGED))),
    "@state": (CHANGE, change().str.strip_prefix("subscription_")),
    "@started_at": (
        (*CHANGE, *TRIAL, *TRIAL_END, *ACTIVATED, *STARTED, *STOPPED, *ENDED, "status", "subscription_status"), started_at(),
    ),
    "@renewed_at": ((*CHANGE, *RENEWED, *TERM_START, *STARTED, *ACTIVATED, *TRIAL, *TRIAL_END), renewed_at()),
    **{
        f"@{name}_at": ((*CHANGE, *names), of_whole(*names))
        for name, names in {"trial": TRIAL, "cancelled": STOPPED, "expired": ENDED, "expiring": REMINDED, **MOVES}.items()
    },
})  # fmt: skip
PAID = {"value": column(*AMOUNT), "currency": column(*CURRENCY)}


def dated(event: str, name: str, **more: Any) -> dict[str, Any]:
    """A dated state of a subscription; one that is still to come waits."""
    return {**state({"value": event}, name, f"@{name}_at", **more), "future": "wait"}


SUBSCRIPTIONS = Native(
    name="subscriptions",
    version=1,
    reads=READS,
    mappings={
        "": {
            "kind": "crm",
            "decimal": ".",
            "time_formats": TIMES,
            "record": {
                "object": "subscription",
                "id": "@record",
                "modified_at": {
                    "latest": [
                        column(*UPDATED), "@changed_at", "@started_at", "@renewed_at", "@trial_at", "@cancelled_at", "@expired_at",
                        *(f"@{name}_at" for name in MOVES),
                    ]
                },
                "undated": "keep",
            },
            "aliases": aliases(
                (
                    *PEOPLE, *UPDATED, *CURRENCY, *SUBSCRIPTION, *CHANGE, *CHANGED, *STARTED, *ACTIVATED, *TRIAL, *TRIAL_END,
                    *TERM_START, *TERM_END, *STOPPED, *ENDED, *REMINDED, *RENEWED, *AMOUNT, "event_id",
                    *(name for names in (*MOVES.values(), *TERMS.values()) for name in names),
                ),
                **{
                    f"{name.removesuffix('_utc').replace('_', ' ')} (utc)": name
                    for name in (*CHANGED, *STARTED, *TRIAL, *TRIAL_END, *TERM_START, *TERM_END, *STOPPED, *ENDED)
                    if name.endswith("_utc")
                },
            ),
            "fields": WHO,
            "properties": {
                "subscription_id": column(*SUBSCRIPTION),
                **{name: column(*names) for name, names in TERMS.items()},
                "expires_at": column(*TERM_END),
            },
            "events": [
                {
                    "event": {"from": "@change"},
                    "fields": {"occurred_at": "@changed_at", "state": "@state", **PAID},
                    "future": "wait",
                },
                dated("trial_started", "trial"),
                dated("subscription_started", "started", **PAID),
                dated("subscription_renewed", "renewed", **PAID),
                *(dated(f"subscription_{name}", name) for name in MOVES),
                dated("subscription_expiring", "expiring"),
                dated("subscription_cancelled", "cancelled"),
                dated("subscription_expired", "expired"),
            ],
        }
    },
    derived={name: columns for name, (columns, _) in SUBSCRIPTION_COLUMNS.items()},
    derive=partial(with_computed, computed=SUBSCRIPTION_COLUMNS),
    marks={
        "": (
            ("id", "Customer ID", "Plan", "Current Period End (UTC)"), ("Subscription Id", "Customer Id", "Current Term End"),
            ("subscription_id", "started_at"), ("subscription_id", "start_date"), ("subscription_id", "plan"),
            ("subscription_id", "event_type"), ("subscription_id", "type"), ("subscription_id", "current_period_end"),
        )
    },
)  # fmt: skip

# ---------------------------------------------------------------- reviews and conversations

REVIEW = ("review_id", "conversation_id", "chat_id", "thread_id", "rating_id", "id")
CONVERSATION = ("conversation_id", "chat_id", "thread_id")
REVIEWED = (
    "reviewed_at", "review_date", "review_created_at", "posted_at", "submitted_at", "started_at", "created_at", "occurred_at",
    "timestamp", "date", "created",
)  # fmt: skip
VOICE = ("type", "kind", "record_type", "medium", "channel")
SENTIMENT = ("sentiment", "sentiment_score", "sentiment_value", "polarity", "sentiment_label")
OPINION = {
    "rating": ("rating", "stars", "star_rating", "review_rating", "review_score", "score"),
    "product": ("product_id", "sku", "product", "product_handle", "product_name", "item_id"),
    "review_source": ("source", "platform", "site", "review_source"),
    "verified": ("verified", "verified_purchase", "verified_buyer"),
    "language": ("language", "locale"),
}
LABELS = {"very positive": "1", "positive": "1", "neutral": "0", "mixed": "0", "negative": "-1", "very negative": "-1"}


def voice_event() -> pl.Expr:
    """chat_started, call_answered, email_replied or conversation_started for a conversation, else review_posted."""
    told, is_conversation = said(*VOICE), said(*CONVERSATION).is_not_null()
    return (
        pl.when(says(told, "chat|messag|whatsapp")).then(pl.lit("chat_started"))
        .when(says(told, "call|phone|voice")).then(pl.lit("call_answered"))
        .when(says(told, "mail")).then(pl.lit("email_replied"))
        .when(says(told, "conversation") | (is_conversation & ~says(told, "review"))).then(pl.lit("conversation_started"))
        .otherwise(pl.lit("review_posted"))
    )  # fmt: skip


def sentiment() -> pl.Expr:
    """A supplied score as it is; a label as 1, 0 or -1; null for anything else."""
    given = said(*SENTIMENT)
    labelled = (
        given.str.to_lowercase()
        .str.replace_all("[_-]", " ")
        .replace_strict(LABELS, default=None, return_dtype=pl.String)
    )
    number = given.str.replace(",", ".", literal=True)
    return pl.coalesce(labelled, pl.when(number.str.contains(r"^[+-]?[0-9]*\.?[0-9]+$")).then(number))


def voice_object() -> pl.Expr:
    """review, or conversation."""
    return pl.when(voice_event() == "review_posted").then(pl.lit("review")).otherwise(pl.lit("conversation"))


OF_VOICE = (*VOICE, *CONVERSATION)
REVIEW_COLUMNS = computed({
    "@event": (OF_VOICE, voice_event()),
    "@object": (OF_VOICE, voice_object()),
    "@sentiment": (SENTIMENT, sentiment()),
})  # fmt: skip

REVIEWS = Native(
    name="reviews",
    version=1,
    reads=READS,
    mappings={
        "": {
            "kind": "crm",
            "time_formats": TIMES,
            "aliases": aliases(
                (*PEOPLE, *REVIEW, *REVIEWED, *VOICE, *SENTIMENT, *(name for names in OPINION.values() for name in names))
            ),
            "fields": {
                **WHO,
                "event_id": column(*REVIEW),
                "event": "@event",
                "occurred_at": column(*REVIEWED),
                "object": "@object",
                "record_id": column(*REVIEW),
            },
            "properties": {**{name: column(*names) for name, names in OPINION.items()}, "sentiment": "@sentiment"},
        }
    },
    derived={name: columns for name, (columns, _) in REVIEW_COLUMNS.items()},
    derive=partial(with_computed, computed=REVIEW_COLUMNS),
    marks={
        "": (
            ("review_id", "rating"), ("review_id", "stars"), ("review_date", "rating"), ("conversation_id", "sentiment"),
            ("conversation_id", "sentiment_score"), ("review_id", "sentiment"),
        )
    },
)  # fmt: skip

# ---------------------------------------------------------------- survey answers

ANSWER = ("response_id", "answer_id", "survey_response_id", "submission_id", "id")
QUESTION = ("question_id", "question_no", "question_number", "question_key", "question")
SURVEY = ("survey_type", "metric", "survey", "survey_name", "type", "survey_id")
ANSWERED = (
    "answered_at", "responded_at", "submitted_at", "response_date", "answer_date", "completed_at", "created_at", "occurred_at",
    "timestamp", "date", "created",
)  # fmt: skip
SCORES = {"nps": ("nps", "nps_score"), "csat": ("csat", "csat_score"), "ces": ("ces", "ces_score")}
SCORE = ("score", "rating", "answer_score", "numeric_answer", "answer_value", "value")
SURVEY_DETAILS = {
    "survey_name": ("survey_name", "survey_title", "survey_id"),
    "question": QUESTION,
    "survey_channel": ("channel", "source", "survey_channel"),
    "ticket_id": ("ticket_id", "case_id"),
    "order_id": ("order_id", "order_no", "order_number"),
}
SURVEY_NAMES = {"nps": r"\bnps\b|promoter|recommend", "csat": r"\bcsat\b|satisf", "ces": r"\bces\b|effort"}


def survey() -> pl.Expr:
    """nps, csat or ces, by the name of the survey or of the column that holds the score; else the survey's own name."""
    told = said(*SURVEY)
    named = [
        pl.when(says(told.str.replace_all("_", " "), words)).then(pl.lit(name)) for name, words in SURVEY_NAMES.items()
    ]
    by_column = [pl.when(said(*names).is_not_null()).then(pl.lit(name)) for name, names in SCORES.items()]
    return pl.coalesce(*named, *by_column, told)


def score() -> pl.Expr:
    """The number that was answered: 9 of "9", "9.0", "9/10" and "9 - very likely"; null for an answer in words."""
    given = said(*(name for names in SCORES.values() for name in names), *SCORE)
    return given.str.extract(r"^([+-]?[0-9]+(?:\.[0-9]+)?)(?:\D|$)").str.replace(r"\.0+$", "")


def answer_id() -> pl.Expr:
    """The id of an answer: of the response, with that of the question where a response has several."""
    return pl.concat_str(said(*ANSWER), said(*QUESTION[:-1]), separator=":", ignore_nulls=True)


ALL_SCORES = (*(name for names in SCORES.values() for name in names), *SCORE)
SURVEY_COLUMNS = computed({
    "@survey": ((*SURVEY, *ALL_SCORES), survey()),
    "@score": (ALL_SCORES, score()),
    "@answer": ((*ANSWER, *QUESTION), pl.when(said(*ANSWER).is_not_null()).then(answer_id())),
})  # fmt: skip

SURVEYS = Native(
    name="surveys",
    version=1,
    reads=READS,
    mappings={
        "": {
            "kind": "crm",
            "time_formats": TIMES,
            "aliases": aliases(
                (*PEOPLE, *ANSWER, *SURVEY, *ANSWERED, *ALL_SCORES, *(name for names in SURVEY_DETAILS.values() for name in names))
            ),
            "fields": {
                **WHO,
                "event_id": "@answer",
                "event": {"value": "survey_answered"},
                "occurred_at": column(*ANSWERED),
                "object": {"value": "survey"},
                "record_id": "@answer",
            },
            "properties": {
                "survey": "@survey",
                "score": "@score",
                **{name: column(*names) for name, names in SURVEY_DETAILS.items()},
            },
        }
    },
    derived={name: columns for name, (columns, _) in SURVEY_COLUMNS.items()},
    derive=partial(with_computed, computed=SURVEY_COLUMNS),
    marks={
        "": (
            ("response_id", "score"), ("survey_id", "score"), ("survey", "score", "answered_at"), ("response_id", "nps_score"),
            ("response_id", "rating"), ("nps_score", "responded_at"), ("response_id", "question_id"),
        )
    },
)  # fmt: skip

"""Money spent on advertising: reports of Google Ads, Meta Ads and Microsoft Advertising, and a business's own tables."""

import polars as pl

from pipelines.readers.columns import TIMES, Computed, aliases, column, said, says, spellings, with_computed
from pipelines.readers.native import Native

DAY = (
    "day",
    "date",
    "report_date",
    "segments_date",
    "gregorian_date",
    "time_period",
    "by_day",
    "spend_date",
    "start_date",
)
FROM, TO = ("reporting_starts", "date_start"), ("reporting_ends", "date_stop")
COST = ("cost", "spend", "amount_spent", "total_spent", "ad_spend", "cost_amount", "amount", "media_cost")
MICROS = ("cost_micros", "metrics_cost_micros")
CURRENCY = ("currency", "currency_code", "account_currency", "account_currency_code")
CAMPAIGN = ("campaign", "campaign_name", "utm_campaign")
GROUP = ("ad_group", "ad_group_name", "ad_set_name", "ad_set", "adset_name", "ad_name", "ad", "utm_content")
ACCOUNT = ("account", "account_name", "account_id", "customer_id", "customer")
SOURCE = ("utm_source", "source", "platform", "publisher_platform")
MEDIUM = ("utm_medium", "medium")
TYPE = ("campaign_type", "advertising_channel_type")
FIGURES = {
    "impressions": ("impressions", "impr"),
    "clicks": ("clicks", "link_clicks", "clicks_all"),
    "conversions": ("conversions", "conv", "results", "purchases"),
}
GOOGLE = ("impr", "cost_micros", "metrics_cost_micros", "advertising_channel_type")
META = ("ad_set_name", "reporting_starts", "amount_spent", "link_clicks")
MICROSOFT = ("gregorian_date", "time_period")
SPENT = "amount_spent"
CURRENCIES = (
    "AED", "ARS", "AUD", "BDT", "BGN", "BOB", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CRC", "CZK", "DKK", "DZD", "EGP", "EUR",
    "GBP", "GTQ", "HKD", "HNL", "HUF", "IDR", "ILS", "INR", "ISK", "JPY", "KES", "KRW", "MOP", "MXN", "MYR", "NGN", "NIO", "NOK",
    "NZD", "PEN", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RUB", "SAR", "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "USD", "UYU",
    "VND", "ZAR",
)  # fmt: skip
SPENT_IN = {f"{SPENT}_{currency.lower()}": currency for currency in CURRENCIES}
TOTALS = r"(?i)^(?:grand )?totals?\b(?:: .*)?$"
FOOTER = r"^\W*©"
CHANNELS = {
    "search": "Paid Search", "shopping": "Paid Shopping", "video": "Paid Video", "youtube": "Paid Video", "display": "Display",
    "performance max|performance_max|demand.gen|discovery": "Cross-network",
}  # fmt: skip


def spent() -> pl.Expr:
    """The amount spent, in major units."""
    millionths = said(*MICROS).cast(pl.Float64, strict=False) / 1_000_000
    return pl.coalesce(said(*COST, *SPENT_IN), millionths.cast(pl.String))


def currency() -> pl.Expr:
    """The currency that a column names, else the one in the header of the amount."""
    in_header = [pl.when(said(name).is_not_null()).then(pl.lit(code)) for name, code in SPENT_IN.items()]
    return pl.coalesce(said(*CURRENCY), *in_header)


def day() -> pl.Expr:
    """The day; of a report from one day to the same day, that day."""
    return pl.coalesce(
        said(*DAY), pl.when(said(*FROM) == said(*TO)).then(said(*FROM)), pl.when(said(*TO).is_null()).then(said(*FROM))
    )


def is_total() -> pl.Expr:
    """True for a row that sums up others."""
    dashed = said(*DAY).str.contains("^-+$").fill_null(True)
    names = [
        said(*spelled).str.contains(TOTALS).fill_null(False)
        for spelled in (DAY, CAMPAIGN, GROUP, ACCOUNT, ("campaign_status",))
    ]
    nameless = said(*DAY, *CAMPAIGN, *GROUP, *ACCOUNT).is_null() & said(*FROM).is_not_null()
    return ((dashed | says(said(*DAY), "^total")) & pl.any_horizontal(*names)) | nameless


def platform() -> pl.Expr:
    """google, facebook or bing, by a column that the reports of that product alone have."""
    by_columns = {"google": GOOGLE, "facebook": (*META, *SPENT_IN), "bing": MICROSOFT}
    return pl.coalesce([pl.when(said(*names).is_not_null()).then(pl.lit(name)) for name, names in by_columns.items()])


def medium() -> pl.Expr:
    """paid for social networks, cpc for search engines."""
    return pl.when(platform() == "facebook").then(pl.lit("paid")).when(platform().is_not_null()).then(pl.lit("cpc"))


def channel() -> pl.Expr:
    """The channel that a column names, else the one of the campaign's type, else of the product."""
    kind = said(*TYPE)
    typed = [pl.when(says(kind, words)).then(pl.lit(name)) for words, name in CHANNELS.items()]
    by_product = (
        pl.when(platform() == "facebook")
        .then(pl.lit("Paid Social"))
        .when(platform() == "bing")
        .then(pl.lit("Paid Search"))
    )
    return pl.coalesce(said("channel"), *typed, by_product)


def figure(*names: str) -> pl.Expr:
    """A count without what groups its thousands."""
    told = said(*names).str.replace_all(r"[\s\x{00A0}\x{202F}'’]", "")
    is_grouped = told.str.contains(r"^[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?$")
    is_grouped_by_points = told.str.contains(r"^[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]+)?$")
    return (
        pl.when(is_grouped).then(told.str.replace_all(",", "", literal=True))
        .when(is_grouped_by_points).then(told.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True))
        .when(told.str.contains(r"^[0-9]+(?:[.,][0-9]+)?$")).then(told.str.replace(",", ".", literal=True))
    )  # fmt: skip


def piece() -> pl.Expr:
    """What is exported again as one: the figures of a day, account and campaign."""
    parts = [said(*names).fill_null("") for names in (ACCOUNT, SOURCE, MEDIUM, ("channel",), CAMPAIGN)]
    return pl.concat_str(day().str.head(10), *parts, separator="|")


NAMES = (
    *DAY,
    *FROM,
    *TO,
    *COST,
    *MICROS,
    *CURRENCY,
    *CAMPAIGN,
    *GROUP,
    *ACCOUNT,
    *SOURCE,
    *MEDIUM,
    *TYPE,
    "channel",
    "campaign_status",
)
OF_PLATFORM = (*GOOGLE, *META, *MICROSOFT, *SPENT_IN)
PARTS: dict[str, tuple[tuple[str, ...], pl.Expr]] = {
    "@day": ((*DAY, *FROM, *TO), day()),
    "@cost": ((*COST, *MICROS, *SPENT_IN), spent()),
    "@currency": ((*CURRENCY, *SPENT_IN), currency()),
    "@source": (OF_PLATFORM, platform()),
    "@medium": (OF_PLATFORM, medium()),
    "@channel": ((*OF_PLATFORM, *TYPE, "channel"), channel()),
    "@piece": ((*DAY, *FROM, *TO, *ACCOUNT, *SOURCE, *MEDIUM, "channel", *CAMPAIGN), piece()),
    **{f"@{name}": (names, figure(*names)) for name, names in FIGURES.items()},
}
SPEND: Computed = {name: (spellings(*columns), made) for name, (columns, made) in PARTS.items()}


def derive(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with their computed columns; totals and footers are blank, a row of several days has no time."""
    made = with_computed(rows, SPEND)
    is_footer = pl.col("text").str.contains(FOOTER).fill_null(False)
    several_days = pl.col("raw:@day").is_null() & said(*FROM).is_not_null()
    unread = pl.col("problem").is_null()
    return made.with_columns(
        problem=pl.when(is_footer | (unread & is_total())).then(pl.lit("blank"))
        .when(unread & several_days).then(pl.lit("bad_time:occurred_at"))
        .otherwise("problem")
    )  # fmt: skip


AD_SPEND = Native(
    name="ad_spend",
    version=1,
    reads=("csv", "tsv", "ndjson", "parquet"),
    mappings={
        "": {
            "kind": "spend",
            "decimal": ".",
            "time_formats": TIMES,
            "identical_rows": "keep",
            "whole": {"by": ["@piece"]},
            "aliases": aliases(
                (*NAMES, *OF_PLATFORM, *(name for names in FIGURES.values() for name in names)),
                **{
                    **{f"amount spent ({currency.lower()})": name for name, currency in SPENT_IN.items()},
                    "impr.": "impr",
                    "conv.": "conv",
                    "clicks (all)": "clicks_all",
                    "timeperiod": "time_period",
                },
            ),
            "fields": {
                "event": {"value": "ad_spend"},
                "occurred_at": {"from": "@day"},
                "utm_source": {"first": [*spellings(*SOURCE), "@source"]},
                "utm_medium": {"first": [*spellings(*MEDIUM), "@medium"]},
                "utm_campaign": column(*CAMPAIGN),
                "utm_content": column(*GROUP),
                "channel": "@channel",
                "value": "@cost",
                "currency": "@currency",
            },
            "properties": {"account": column(*ACCOUNT), **{name: f"@{name}" for name in FIGURES}},
        }
    },
    derived={name: columns for name, (columns, _) in SPEND.items()}
    | {"@piece": spellings(*NAMES, *OF_PLATFORM)},
    derive=derive,
    marks={
        "": (
            ("Day", "Campaign", "Cost"), ("Reporting starts", "Reporting ends", "Campaign name"), ("Gregorian date", "Spend"),
            ("date", "campaign", "cost"), ("date", "campaign", "spend"), ("day", "channel", "spend"), ("date", "channel", "cost"),
            ("date", "channel", "spend"), ("Day", "Campaign name", "Impressions"), ("TimePeriod", "Spend"), ("day", "channel", "cost"),
        )
    },
)  # fmt: skip

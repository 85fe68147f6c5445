"""User agents: which kind of device, which browser, and whether a robot; a small list of rules with a version."""

import polars as pl

from transforms.distinct import expr_per_distinct

VERSION = "2026-03"

ROBOTS = (
    r"bot\b|bot[/;_-]|crawl|spider|slurp|headless|phantomjs|lighthouse|pingdom|uptime|monitor|scrapy|preview|archiver|"
    r"facebookexternalhit|curl/|wget/|python-|python/|go-http-client|libwww|httpclient|postman|"
    r"mediapartners-google|google-inspectiontool|google-read-aloud|feedfetcher|^java/|node-fetch|axios/|undici|guzzle|aiohttp|"
    r"^ruby|^php/|wordpress/|apachebench|siege/|check_http|zgrab|masscan|nmap|nikto|sqlmap|censys|netcraft"
)
TABLETS = r"ipad|tablet|kindle|silk/|playbook|nexus (?:7|9|10)\b"
MOBILES = r"iphone|ipod|mobile|phone|blackberry|opera mini"
ANDROID = r"android"
TELEVISIONS = r"smart-?tv|appletv|googletv|hbbtv|crkey|roku|bravia"
BROWSERS = (
    ("Edge", r"edge?/|edga/|edgios/"),
    ("Opera", r"opr/|opera"),
    ("Samsung Internet", r"samsungbrowser"),
    ("Firefox", r"firefox/|fxios/"),
    ("Chrome", r"chrome/|crios/|chromium/"),
    ("Safari", r"safari/"),
    ("Internet Explorer", r"msie |trident/"),
)


AGENT: dict[str, type[pl.DataType]] = {
    "agent_device": pl.String,
    "agent_browser": pl.String,
    "agent_is_bot": pl.Boolean,
}


def agent_columns(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Add agent_device, agent_browser and agent_is_bot, null without a user agent; each distinct agent is read once."""
    lower = pl.col("value").str.to_lowercase()
    read = {
        "agent_device": _device(lower),
        "agent_browser": _browser(lower),
        "agent_is_bot": lower.str.contains(ROBOTS),
    }
    return rows.with_columns(agent=expr_per_distinct(pl.col("user_agent"), read, schema=AGENT)).unnest("agent")


def _device(lower: pl.Expr) -> pl.Expr:
    return (
        pl.when(lower.str.contains(TELEVISIONS))
        .then(pl.lit("tv"))
        .when(lower.str.contains(TABLETS) | (lower.str.contains(ANDROID) & ~lower.str.contains("mobile")))
        .then(pl.lit("tablet"))
        .when(lower.str.contains(MOBILES))
        .then(pl.lit("mobile"))
        .otherwise(pl.lit("desktop"))
    )


def _browser(lower: pl.Expr) -> pl.Expr:
    found = [pl.when(lower.str.contains(pattern)).then(pl.lit(name)) for name, pattern in BROWSERS]
    return pl.coalesce(*found, pl.lit("other"))

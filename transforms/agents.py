"""User agents: which kind of device, which browser, and whether a robot; a small list of rules with a version."""

import polars as pl

VERSION = "2026-01"

ROBOTS = (
    r"bot\b|bot[/;_-]|crawl|spider|slurp|headless|phantomjs|lighthouse|pingdom|uptime|monitor|scrapy|preview|archiver|"
    r"facebookexternalhit|curl/|wget/|python-|python/|go-http-client|libwww|httpclient|postman"
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


def agent_columns(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Add agent_device, agent_browser and agent_is_bot, null without a user agent; each distinct agent is read once."""
    found = pl.col("user_agent").map_batches(_of_agents, return_dtype=AGENT, is_elementwise=True)
    return rows.with_columns(agent=found).unnest("agent")


AGENT = pl.Struct({"agent_device": pl.String, "agent_browser": pl.String, "agent_is_bot": pl.Boolean})


def _of_agents(agents: pl.Series) -> pl.Series:
    frame = agents.to_frame("agent")
    known = frame.drop_nulls().unique().with_columns(lower=pl.col("agent").str.to_lowercase())
    read = known.select("agent", agent_device=_device(), agent_browser=_browser(), agent_is_bot=pl.col("lower").str.contains(ROBOTS))
    joined = frame.join(read, on="agent", how="left", maintain_order="left")
    return joined.select(pl.struct("agent_device", "agent_browser", "agent_is_bot")).to_series().alias(agents.name)


def _device() -> pl.Expr:
    lower = pl.col("lower")
    return (
        pl.when(lower.str.contains(TELEVISIONS))
        .then(pl.lit("tv"))
        .when(lower.str.contains(TABLETS) | (lower.str.contains(ANDROID) & ~lower.str.contains("mobile")))
        .then(pl.lit("tablet"))
        .when(lower.str.contains(MOBILES))
        .then(pl.lit("mobile"))
        .otherwise(pl.lit("desktop"))
    )


def _browser() -> pl.Expr:
    found = [pl.when(pl.col("lower").str.contains(pattern)).then(pl.lit(name)) for name, pattern in BROWSERS]
    return pl.coalesce(*found, pl.lit("other"))

import polars as pl
import pytest

from transforms.channels import ARRIVAL, CHANNELS, RULES, contact_medium, with_own_channel

SHOP = "www.shop.example"


def arrivals(*rows: dict[str, str]) -> pl.LazyFrame:
    schema = dict.fromkeys(ARRIVAL, pl.String)
    return pl.LazyFrame([{"hostname": SHOP, **row} for row in rows], schema=schema)


def channel(own_hosts: tuple[str, ...] = (), **said: str) -> str | None:
    found = with_own_channel(arrivals(said), own_hosts=own_hosts).collect()
    return found["own_channel"].item()


def test_the_groups_are_those_published_in_their_order():
    assert CHANNELS == (
        "Direct", "Cross-network", "Paid Shopping", "Paid Search", "Paid Social", "Paid Video", "Display", "Paid Other",
        "Organic Shopping", "Organic Social", "Organic Video", "Organic Search", "AI Assistant", "Referral", "Email",
        "Affiliates", "Audio", "SMS", "Mobile Push Notifications", "Unassigned",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("source", "medium", "campaign", "expected"),
    [
        ("(direct)", "(none)", None, "Direct"),
        ("(direct)", "(not set)", None, "Direct"),
        ("google", "cpc", "Cross-Network spring", "Cross-network"),
        ("ebay.de", "cpc", None, "Paid Shopping"),
        ("google", "cpc", "eshop", "Paid Shopping"),
        ("google", "cpc", "bishop", "Paid Search"),
        ("GOOGLE", "CPC", None, "Paid Search"),
        ("bing", "ppc", None, "Paid Search"),
        ("facebook", "paid_social", None, "Paid Social"),
        ("linkedin.com", "retargeting", None, "Paid Social"),
        ("youtube", "cpv", None, "Paid Video"),
        ("youtube.com", "cpm", None, "Paid Video"),
        ("newspaper", "cpm", None, "Display"),
        ("newspaper", "banner", None, "Display"),
        ("newspaper", "cpa", None, "Paid Other"),
        ("etsy.com", None, None, "Organic Shopping"),
        ("newspaper", None, "shopping", "Organic Shopping"),
        ("instagram", None, None, "Organic Social"),
        ("club", "social-media", None, "Organic Social"),
        ("vimeo", None, None, "Organic Video"),
        ("club", "online video", None, "Organic Video"),
        ("duckduckgo", None, None, "Organic Search"),
        ("club", "organic", None, "Organic Search"),
        ("chatgpt", "ai-assistant", None, "AI Assistant"),
        ("club", "referral", None, "Referral"),
        ("club", "app", None, "Referral"),
        ("newsletter", "e-mail", None, "Email"),
        ("email", None, None, "Email"),
        ("brewreviews", "affiliate", None, "Affiliates"),
        ("podcast", "audio", None, "Audio"),
        ("sms", None, None, "SMS"),
        ("app", "web-push", None, "Mobile Push Notifications"),
        ("app", "mobile", None, "Mobile Push Notifications"),
        ("firebase", None, None, "Mobile Push Notifications"),
        ("club", "leaflet", None, "Unassigned"),
    ],
)
def test_campaign_data_decides_by_the_published_rules(source, medium, campaign, expected):
    assert channel(utm_source=source, utm_medium=medium, utm_campaign=campaign) == expected


def test_the_first_group_in_the_table_wins():
    assert channel(utm_source="google", utm_medium="cpm") == "Paid Search"
    assert channel(utm_source="facebook", utm_medium="email") == "Organic Social"


def test_a_given_channel_is_authoritative():
    assert channel(given_channel="Email", utm_source="google", utm_medium="cpc") == "Email"


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("gclid", "Paid Search"),
        ("GCLID", "Paid Search"),
        ("msclkid", "Paid Search"),
        ("dclid", "Display"),
        ("ttclid", "Paid Social"),
        ("fbclid", "Organic Social"),
        ("mc_cid", "Email"),
        ("newclid", "Paid Other"),
    ],
)
def test_a_click_parameter_decides_without_campaign_data(parameter, expected):
    assert channel(click_id=parameter) == expected


def test_campaign_data_come_before_a_click_parameter():
    assert channel(utm_source="newsletter", utm_medium="email", click_id="gclid") == "Email"


def test_a_click_parameter_says_the_medium_that_the_address_leaves_out():
    assert channel(utm_source="google", click_id="gclid") == "Paid Search"


def test_a_click_parameter_comes_before_the_referrer():
    assert channel(click_id="gclid", referrer="https://news.example/") == "Paid Search"


@pytest.mark.parametrize(
    ("referrer", "expected"),
    [
        ("https://www.google.co.uk/", "Organic Search"),
        ("https://de.search.yahoo.com/search", "Organic Search"),
        ("google.de", "Organic Search"),
        ("android-app://com.google.android.googlequicksearchbox/", "Organic Search"),
        ("https://l.facebook.com/", "Organic Social"),
        ("https://groups.google.com/g/coffee", "Organic Social"),
        ("https://www.youtube.com/watch", "Organic Video"),
        ("https://www.amazon.co.jp/", "Organic Shopping"),
        ("https://chatgpt.com/", "AI Assistant"),
        ("https://blog.somebody.example/post", "Referral"),
        ("https://notgoogle.com.example/", "Referral"),
    ],
)
def test_the_referrer_decides_when_nothing_else_does(referrer, expected):
    assert channel(referrer=referrer) == expected


def test_the_page_s_own_host_is_no_referrer():
    assert channel(referrer="https://shop.example/cart") is None


def test_own_hosts_and_what_lies_below_them_are_no_referrers():
    assert channel(("brand.example",), referrer="https://blog.brand.example/") is None
    assert channel(("www.brand.example",), referrer="https://brand.example/") is None
    assert channel(("brand.example",), referrer="https://otherbrand.example/") == "Referral"


def test_campaign_data_count_on_an_own_referrer():
    assert channel(referrer=f"https://{SHOP}/", utm_source="newsletter", utm_medium="email") == "Email"


def test_nothing_said_is_no_channel():
    assert channel() is None
    assert channel(utm_source=" ", referrer="") is None


def test_rows_keep_their_order_and_other_columns():
    events = arrivals({"utm_medium": "email"}, {}, {"utm_medium": "email"}).with_row_index("n")

    found = with_own_channel(events, own_hosts=()).collect()

    assert found.select("n", "own_channel").rows() == [(0, "Email"), (1, None), (2, "Email")]


def test_an_empty_frame_stays_empty():
    found = with_own_channel(arrivals(), own_hosts=()).collect()

    assert found.schema["own_channel"] == pl.String
    assert found.is_empty()


def test_contacts_off_the_site_have_their_medium():
    events = pl.DataFrame({"event": ["email_clicked", "call_answered", "page_view"]})

    assert events.select(contact_medium(pl.col("event"))).to_series().to_list() == ["Email", "Phone", None]


def test_no_site_is_of_two_kinds():
    for part in ("names", "hosts", "brands"):
        listed = [site for sites in RULES["sources"].values() for site in sites[part]]
        assert len(listed) == len(set(listed))

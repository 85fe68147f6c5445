import csv
import shutil
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from transforms.channel_rules import FILES, RULES, read_rules
from transforms.channels import ARRIVAL, CHANNELS, contact_medium, with_own_channel

SHOP = "www.shop.example"
FOLDER = Path(__file__).resolve().parents[2] / "transforms" / "rules"


def arrivals(*rows: dict[str, str]) -> pl.LazyFrame:
    schema = dict.fromkeys(ARRIVAL, pl.String)
    return pl.LazyFrame([{"hostname": SHOP, **row} for row in rows], schema=schema)


def channel(*ignored_hosts: str, **said: str | None) -> str | None:
    known = {name: value for name, value in said.items() if value is not None}
    found = with_own_channel(arrivals(known), ignored_hosts=ignored_hosts).collect()
    return found["own_channel"].item()


# ---------------------------------------------------------------- the published table


def test_the_groups_are_those_published_in_their_order():
    assert CHANNELS == (
        "Direct", "Cross-network", "Paid Shopping", "Paid Search", "Paid Social", "Paid Video", "Display", "Paid Other",
        "Organic Shopping", "Organic Social", "Organic Video", "Organic Search", "AI Assistant", "Referral", "Email",
        "Affiliates", "Audio", "SMS", "Mobile Push Notifications", "Unassigned",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("expected", "source", "medium", "campaign"),
    [
        ("Direct", "(direct)", "(none)", None),
        ("Direct", "(direct)", "(not set)", None),
        ("Cross-network", "google", "cpc", "Cross-Network spring"),
        ("Cross-network", "club", "leaflet", "my cross-network test"),
        ("Paid Shopping", "amazon", "cpc", None),
        ("Paid Shopping", "ebay.de", "ppc", None),
        ("Paid Shopping", "google", "cpc", "eu shop"),
        ("Paid Shopping", "google", "cpc", "eshop"),
        ("Paid Shopping", "club", "paidads", "Shopping May"),
        ("Paid Search", "google", "cpc", None),
        ("Paid Search", "bing", "ppc", None),
        ("Paid Search", "yahoo", "retargeting", None),
        ("Paid Search", "baidu", "paid-search", None),
        ("Paid Search", "google", "cpc", "bishop"),
        ("Paid Social", "facebook", "paid_social", None),
        ("Paid Social", "linkedin.com", "cpc", None),
        ("Paid Social", "ig", "retargeting", None),
        ("Paid Video", "youtube", "cpv", None),
        ("Paid Video", "vimeo.com", "cpm", None),
        ("Display", "newspaper", "display", None),
        ("Display", "newspaper", "banner", None),
        ("Display", "newspaper", "expandable", None),
        ("Display", "newspaper", "interstitial", None),
        ("Display", "newspaper", "cpm", None),
        ("Paid Other", "newspaper", "cpa", None),
        ("Paid Other", "newspaper", "ppc", None),
        ("Paid Other", "newspaper", "retargeting", None),
        ("Paid Other", "newspaper", "paidmedia", None),
        ("Organic Shopping", "etsy.com", None, None),
        ("Organic Shopping", "google shopping", None, None),
        ("Organic Shopping", "newspaper", None, "shopping"),
        ("Organic Social", "instagram", None, None),
        ("Organic Social", "facebook", "email", None),
        *[
            ("Organic Social", "club", medium, None)
            for medium in ("social", "social-network", "social-media", "sm", "social network", "social media")
        ],
        ("Organic Video", "vimeo", None, None),
        ("Organic Video", "club", "online video", None),
        ("Organic Search", "duckduckgo", None, None),
        ("Organic Search", "club", "organic", None),
        ("AI Assistant", "chatgpt.com", "ai-assistant", None),
        ("AI Assistant", "club", "ai-assistant", "(ai-assistant)"),
        ("Referral", "club", "referral", None),
        ("Referral", "club", "app", None),
        ("Referral", "club", "link", None),
        *[("Email", name, None, None) for name in ("email", "e-mail", "e_mail", "e mail")],
        *[("Email", "newsletter", name, None) for name in ("email", "e-mail", "e_mail", "e mail")],
        ("Affiliates", "brewreviews", "affiliate", None),
        ("Affiliates", "awin", "Affiliate", None),
        ("Audio", "podcast", "audio", None),
        ("Audio", "spotify", "AUDIO", None),
        ("SMS", "sms", None, None),
        ("SMS", "club", "sms", None),
        ("Mobile Push Notifications", "app", "web-push", None),
        ("Mobile Push Notifications", "app", "push", None),
        ("Mobile Push Notifications", "app", "mobile", None),
        ("Mobile Push Notifications", "app", "app notification", None),
        ("Mobile Push Notifications", "firebase", None, None),
        ("Unassigned", "club", "leaflet", None),
        ("Unassigned", "club", "affiliates", None),
        ("Unassigned", None, None, "spring"),
    ],
)
def test_campaign_data_decide_by_the_published_table(expected, source, medium, campaign):
    assert channel(utm_source=source, utm_medium=medium, utm_campaign=campaign) == expected


def test_case_and_blanks_around_do_not_matter():
    assert channel(utm_source=" GOOGLE ", utm_medium="CPC") == "Paid Search"
    assert channel(utm_source="Www.Facebook.Com", utm_medium="Paid_Social") == "Paid Social"


def test_the_first_group_in_the_table_wins():
    assert channel(utm_source="google", utm_medium="cpm") == "Paid Search"
    assert channel(utm_source="email", utm_medium="referral") == "Referral"
    assert channel(utm_source="email", utm_medium="affiliate") == "Email"


# ---------------------------------------------------------------- what is asked first


def test_a_given_channel_is_authoritative():
    assert channel(given_channel=" Email ", utm_source="google", utm_medium="cpc") == "Email"
    assert channel(given_channel=" ", utm_source="google", utm_medium="cpc") == "Paid Search"


def test_campaign_data_come_before_a_click_parameter():
    assert channel(utm_source="newsletter", utm_medium="email", click_id="gclid") == "Email"


def test_a_click_parameter_says_what_the_address_leaves_out():
    assert channel(utm_source="google", click_id="gclid") == "Paid Search"
    assert channel(utm_campaign="spring", click_id="msclkid") == "Paid Search"


def test_a_paid_medium_makes_a_click_from_facebook_paid():
    assert channel(utm_medium="cpc", click_id="fbclid") == "Paid Social"


def test_a_click_parameter_comes_before_the_referrer():
    assert channel(click_id="gclid", referrer="https://news.example/") == "Paid Search"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"utm_source": "club"}, "Unassigned"),
        ({"utm_medium": "email"}, "Email"),
        ({"utm_source": "club", "utm_medium": "leaflet"}, "Unassigned"),
    ],
)
def test_a_referrer_is_not_asked_where_there_is_a_source_or_a_medium(said, expected):
    assert channel(referrer="https://www.facebook.com/", **said) == expected


def test_a_referrer_is_asked_where_there_is_a_campaign_alone():
    assert channel(referrer="https://www.google.com/", utm_campaign="spring") == "Organic Search"


def test_a_source_without_a_medium_has_that_of_its_category():
    assert channel(utm_source="chatgpt.com", referrer="https://chatgpt.com/") == "AI Assistant"
    assert channel(utm_source="perplexity") == "AI Assistant"


def test_nothing_said_is_no_channel():
    assert channel() is None
    assert channel(utm_source=" ", referrer="") is None


# ---------------------------------------------------------------- click parameters


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        *[(name, "Paid Search") for name in ("gclid", "GCLID", "gbraid", "wbraid", "msclkid", "yclid", "gad_source", "NaPm")],
        *[(name, "Paid Social") for name in ("ttclid", "twclid", "li_fat_id", "ScCid", "rdt_cid", "qclid")],
        *[(name, "Organic Social") for name in ("fbclid", "epik", "igshid")],
        *[(name, "Organic Search") for name in ("srsltid", "ysclid")],
        *[(name, "Affiliates") for name in ("irclickid", "awc", "cjevent")],
        *[(name, "Email") for name in ("mc_eid", "mc_cid", "_kx", "_hsenc")],
        *[(name, "Paid Other") for name in ("tblci", "dicbo")],
        ("dclid", "Display"),
        ("newclid", None),
    ],
)  # fmt: skip
def test_a_click_parameter_decides_without_campaign_data(parameter, expected):
    assert channel(click_id=parameter) == expected


def test_a_click_parameter_is_an_ad_exactly_when_its_medium_is_paid():
    ads = {name for name, click in RULES.click_ids.items() if click.kind == "ad"}

    assert ads == {name for name, click in RULES.click_ids.items() if click.medium in ("cpc", "paid", "display")}
    assert {click.kind for click in RULES.click_ids.values()} == {"ad", "affiliate", "email", "link"}


# ---------------------------------------------------------------- referrers


@pytest.mark.parametrize(
    ("referrer", "expected"),
    [
        ("https://www.google.com/", "Organic Search"),
        ("https://www.google.co.uk/", "Organic Search"),
        ("https://google.com.br/", "Organic Search"),
        ("https://m.google.de/", "Organic Search"),
        ("https://news.google.com/", "Organic Search"),
        ("https://de.search.yahoo.com/search", "Organic Search"),
        ("https://fr.yahoo.com/", "Organic Search"),
        ("https://m.search.naver.com/", "Organic Search"),
        ("google.de", "Organic Search"),
        ("android-app://com.google.android.googlequicksearchbox/", "Organic Search"),
        ("https://m.facebook.com/", "Organic Social"),
        ("https://lm.facebook.com/l.php", "Organic Social"),
        ("https://l.instagram.com/", "Organic Social"),
        ("https://out.reddit.com/", "Organic Social"),
        ("https://de.linkedin.com/", "Organic Social"),
        ("https://t.co/abc", "Organic Social"),
        ("https://x.com/somebody", "Organic Social"),
        ("https://www.pinterest.co.uk/", "Organic Social"),
        ("https://uk.pinterest.com/", "Organic Social"),
        ("https://groups.google.com/g/coffee", "Organic Social"),
        ("https://blog.naver.com/", "Organic Social"),
        ("android-app://com.reddit.frontpage", "Organic Social"),
        ("https://www.youtube.com/watch", "Organic Video"),
        ("https://m.youtube.com/", "Organic Video"),
        ("https://youtu.be/x", "Organic Video"),
        ("https://www.amazon.co.jp/", "Organic Shopping"),
        ("https://smile.amazon.de/", "Referral"),
        ("https://m.shopping.naver.com/", "Organic Shopping"),
        ("https://chatgpt.com/", "AI Assistant"),
        ("https://gemini.google.com/app", "AI Assistant"),
        ("https://www.perplexity.ai/", "AI Assistant"),
        ("https://docs.google.com/", "Referral"),
        ("https://mail.yahoo.com/", "Referral"),
        ("https://blog.somebody.example/post", "Referral"),
        ("https://notgoogle.com.example/", "Referral"),
        ("https://notfacebook.com/", "Referral"),
        ("https://facebook.com.example/", "Referral"),
        ("https://mygoogle.de/", "Referral"),
        ("https://a.b.c.d.e.f.g.blog.example/", "Referral"),
    ],
)
def test_the_referrer_decides_when_nothing_else_does(referrer, expected):
    assert channel(referrer=referrer) == expected


@pytest.mark.parametrize(
    ("referrer", "expected"),
    [
        ("HTTPS://WWW.Bing.COM:443/", "Organic Search"),
        ("//bing.com./search", "Organic Search"),
        ("http://me:secret@bing.com/", "Organic Search"),
        (" https://bing.com ", "Organic Search"),
        ("bing.com:443/search", "Organic Search"),
        ("http://192.0.2.7:8080/x", "Referral"),
        ("http://[2001:db8::1]:8080/x", "Referral"),
        ("http://intranet/x", "Referral"),
        ("https://bücher.example/", "Referral"),
        ("about:blank", None),
        ("file:///C:/page.html", None),
        ("chrome-extension://abcdef/page.html", None),
        ("mailto:ann@mail.example", None),
        ("(direct)", None),
        ("-", None),
        ("https:///", None),
    ],
)
def test_a_referrer_is_the_host_of_an_address(referrer, expected):
    assert channel(referrer=referrer) == expected


# ---------------------------------------------------------------- hosts that are no referrers


@pytest.mark.parametrize(
    "referrer", ["https://shop.example/cart", "http://WWW.shop.example:8080/", "shop.example/cart"]
)
def test_the_page_s_own_host_is_no_referrer(referrer):
    assert channel(referrer=referrer) is None


def test_the_port_of_the_page_s_host_does_not_matter():
    assert channel(hostname="localhost:3000", referrer="http://localhost:3000/cart") is None


def test_ignored_hosts_and_what_lies_below_them_are_no_referrers():
    assert channel("brand.example", referrer="https://blog.brand.example/") is None
    assert channel("www.brand.example", referrer="https://brand.example/") is None
    assert channel("*.Brand.example", referrer="https://blog.brand.example/") is None
    assert channel("brand.example", referrer="https://otherbrand.example/") == "Referral"
    assert channel("paypal.com", referrer="https://www.paypal.com/checkout") is None


def test_an_ignored_host_goes_before_the_lists():
    assert channel("checkout.stripe.com", referrer="https://checkout.stripe.com/") is None
    assert channel(referrer="https://checkout.stripe.com/") == "Organic Shopping"


@pytest.mark.parametrize("ignored", ["bücher.example", "xn--bcher-kva.example"])
@pytest.mark.parametrize("host", ["bücher.example", "www.xn--bcher-kva.example"])
def test_an_international_host_is_the_same_in_both_spellings(ignored, host):
    assert channel(ignored, referrer=f"https://{host}/") is None


@pytest.mark.parametrize("address", ["10.0.0.5", "[2001:db8::1]"])
def test_an_address_of_the_network_can_be_ignored(address):
    assert channel(address, referrer=f"http://{address}:8080/") is None


def test_campaign_data_count_on_an_own_referrer():
    assert channel(referrer=f"https://{SHOP}/", utm_source="newsletter", utm_medium="email") == "Email"


# ---------------------------------------------------------------- frames


def test_rows_keep_their_order_and_other_columns():
    events = arrivals({"utm_medium": "email"}, {}, {"utm_medium": "email"}).with_row_index("n")

    found = with_own_channel(events, ignored_hosts=()).collect()

    assert found.select("n", "own_channel").rows() == [(0, "Email"), (1, None), (2, "Email")]


def test_an_empty_frame_stays_empty():
    found = with_own_channel(arrivals(), ignored_hosts=()).collect()

    assert found.schema["own_channel"] == pl.String
    assert found.is_empty()


def test_contacts_off_the_site_have_their_medium():
    events = pl.DataFrame({"event": ["email_clicked", "call_answered", "page_view"]})

    assert events.select(contact_medium(pl.col("event"))).to_series().to_list() == ["Email", "Phone", None]


# ---------------------------------------------------------------- the files


def listed(name: str) -> list[dict[str, str]]:
    lines = (FOLDER / name).read_text("utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def test_the_published_sources_are_complete():
    published = Counter(row["category"] for row in listed("sources.csv") if row["listed_by"] == "ga4")

    assert published == {"social": 592, "search": 129, "shopping": 52, "video": 46}


@pytest.mark.parametrize(("name", "key"), [("sources.csv", "source"), ("click_ids.csv", "click_id")])
def test_the_lists_are_sorted_in_lower_case_and_name_nothing_twice(name, key):
    names = [row[key] for row in listed(name)]

    assert names == sorted({name.lower() for name in names})


@pytest.mark.parametrize("name", FILES)
def test_each_file_says_its_version(name):
    assert "version" in (FOLDER / name).read_text("utf-8")[:300]


def test_every_published_source_has_its_category():
    sources = [row for row in listed("sources.csv") if "*" not in row["source"]]
    paid = {"search": "Paid Search", "social": "Paid Social", "shopping": "Paid Shopping", "video": "Paid Video"}
    rows = [{"utm_source": row["source"], "utm_medium": "cpc"} for row in sources]

    found = with_own_channel(arrivals(*rows), ignored_hosts=()).collect()["own_channel"].to_list()

    assert found == [paid.get(row["category"], "Paid Other") for row in sources]


@pytest.mark.parametrize("name", FILES)
def test_a_change_of_any_file_changes_the_version_of_the_rules(name, tmp_path):
    folder = shutil.copytree(FOLDER, tmp_path / "rules")
    before = read_rules(folder).version

    (folder / name).write_text((folder / name).read_text("utf-8") + "\n", "utf-8")

    assert before == RULES.version
    assert read_rules(folder).version != before

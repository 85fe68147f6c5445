from datetime import date, timedelta

import pytest

from reports import words


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (3, 10, "too few to say"),
        (5, 20, "25.0%"),
        (0, 50, "0.0%"),
        (1, 9_000, "under 0.1%"),
        (8_999, 9_000, "over 99.9%"),
        (0, 0, "–"),
    ],
)
def test_a_share_is_a_percentage_only_where_enough_were_counted(part, whole, text):
    assert words.share(part, whole) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 s"),
        (0.2, "under 1 s"),
        (45, "45 s"),
        (7_800, "2 h 10 min"),
        (86_400, "1 day"),
        (273_600, "3 days 4 h"),
    ],
)
def test_a_duration_reads_by_its_two_largest_units(seconds, text):
    assert words.duration(seconds).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (123_450, "EUR", "EUR 1,234.50"),
        (500, "JPY", "JPY 500"),
        (1_234, "KWD", "KWD 1.234"),
        (-5, "USD", "USD −0.05"),
        (None, "EUR", "–"),
    ],
)
def test_money_has_the_digits_of_its_currency(minor, currency, text):
    assert words.money(minor, currency) == text


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (112, 100, "+12%"),
        (97, 100, "−3%"),
        (5, 5, "no change"),
        (40, 19, "too few to say"),
        (10_001, 10_000, "under ±1%"),
    ],
)
def test_a_change_is_a_percentage_only_where_enough_were_counted(now, before, text):
    assert words.change(now, before) == text


def test_a_long_name_keeps_its_start_and_its_end():
    shown = words.name("a" * 5_000 + "the end")

    assert len(shown) == 80
    assert shown.startswith("aaa") and "…" in shown and shown.endswith("the end")


def test_a_name_has_nothing_invisible_in_it():
    assert words.name("pay\u202eload\x00\n now\u2028") == "payload now"


def test_a_name_that_runs_right_to_left_is_kept_apart():
    assert words.name("עגלה") == "\u2068עגלה\u2069"


def test_an_empty_name_says_so():
    assert words.name("\u200f ") == "(no name)"


def test_a_label_of_a_chart_is_no_markup():
    assert words.chart_name('<a href="x">&') == '&lt;a href="x"&gt;&amp;'


@pytest.mark.parametrize(
    ("text", "part"),
    [("Checkout: Käufer!", "checkout-kaufer"), ("../../etc", "etc"), ("购物", "unnamed"), ("x" * 90, "x" * 48)],
)
def test_a_slug_is_safe_in_a_file_name(text, part):
    assert words.slug(text) == part


def test_a_slug_is_different_from_those_taken():
    assert words.slug("A b", ["a-b", "a-b-2"]) == "a-b-3"


def test_small_words():
    assert words.plural(1, "day") == "1 day"
    assert words.plural(1_200, "entry", "entries") == "1,200 entries"
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert words.window(None) == "at any time"
    assert words.window(timedelta(days=1)) == "within 1\u00a0day"
    assert words.day(date(2026, 1, 3)) == "3 January 2026"
    assert words.points(-0.052) == "−5.2 points"

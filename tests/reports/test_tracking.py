from datetime import date, timedelta

import polars as pl

from reports.tracking import silences

MONDAY = date(2026, 1, 5)


def days(counts: dict[int, int], *, event: str = "page_view", usual: int = 40, until: int = 70) -> pl.DataFrame:
    """So many events a day for ten weeks, but on the days given."""
    rows = [(event, MONDAY + timedelta(days=n), counts.get(n, usual)) for n in range(until)]
    return pl.DataFrame(
        [{"source": "web", "event": name, "day": day, "events": number} for name, day, number in rows if number],
        schema={"source": pl.String, "event": pl.String, "day": pl.Date, "events": pl.Int64},
    )


def test_two_days_without_an_event_that_comes_every_day_are_a_silence():
    (found,) = silences(days({30: 0, 31: 4}))

    assert (found.event, found.first, found.last) == ("page_view", date(2026, 2, 4), date(2026, 2, 5))
    assert (found.events, found.usual, found.goes_on) == (4, 80, False)


def test_a_single_day_and_a_weak_day_are_none():
    assert silences(days({30: 0, 40: 5, 41: 5})) == []


def test_weekends_on_which_hardly_anything_ever_happens_are_none():
    weekends = {n: 1 for n in range(70) if n % 7 in (5, 6)}

    assert silences(days(weekends)) == []


def test_what_comes_seldom_is_not_judged():
    assert silences(days({30: 0, 31: 0}, usual=19)) == []


def test_a_silence_up_to_the_last_day_that_is_over_goes_on():
    other = days({}, event="login")
    stopped = days({67: 0, 68: 0, 69: 0})

    (found,) = silences(pl.concat([other, stopped]))

    assert (found.event, found.last, found.goes_on) == ("page_view", MONDAY + timedelta(days=68), True)


def test_the_largest_loss_comes_first_whatever_the_order_of_the_rows():
    rows = pl.concat([days({20: 0, 21: 0}, event="a"), days({20: 0, 21: 0}, event="b", usual=90)])

    assert [found.event for found in silences(rows)] == ["b", "a"]
    assert silences(rows.sample(fraction=1, shuffle=True, seed=1)) == silences(rows)


def test_without_events_there_is_nothing():
    assert silences(days({}).clear()) == []

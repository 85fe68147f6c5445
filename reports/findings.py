"""Findings: what is worth knowing, as sentences with their counts; nothing is said that the counts do not carry."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from math import sqrt

import polars as pl

from reports.effects import adjusted, funnel_effects, stage_effects
from reports.frames import single, widest
from reports.funnel_counts import FunnelCounts
from reports.incidents import Incident
from reports.page import Finding
from reports.rates import Difference, Rate
from reports.view import PERIOD_DAYS, Period, View
from reports.words import change, count, day, duration, name, percent, plural, quoted, sentence, short_day
from transforms.statistics import FEW, benjamini_hochberg, two_sided_p

MOST_FINDINGS = 8
MOST_INCIDENTS = 3
SURE = 0.01
"""The false discovery rate at which a change or a difference is told on the first page: stricter than the pages', for it is read every day."""
LOWER_IS_BETTER = "bounce_rate"


def findings(view: View) -> tuple[Finding, ...]:
    """The most important findings: the clearest incidents, the weightiest of each other kind, then by how many each concerns."""
    kinds = [
        sorted(kind(view), key=lambda found: (-found.weight, found.headline))
        for kind in (
            moved_funnels,
            changed_rates,
            moved_channels,
            drop_offs,
            different_groups,
            weakest_stages,
            missed_targets,
        )
    ]
    happened = list(told_incidents(view))
    tops = [*happened[:MOST_INCIDENTS], *(kind[0] for kind in kinds if kind)]
    left = [*happened[MOST_INCIDENTS:], *(found for kind in kinds for found in kind[1:])]
    others = sorted(left, key=lambda found: (-found.weight, found.headline))
    return tuple([*tops, *others][:MOST_FINDINGS])


# ---------------------------------------------------------------- what changed


def told_incidents(view: View) -> Iterator[Finding]:
    """Days in which a group, and no other, or everybody went on from a step less, or more, often than at other times."""
    funnels = {counts.name: counts for counts in view.funnels}
    told = [found.funnel for found in view.incidents]
    for place, found in enumerate(view.incidents):
        counts, number = funnels[found.funnel], told[:place].count(found.funnel) + 1
        difference = found.difference
        way = "fewer" if difference.value < 0 else "more"
        who = f" of {quoted(found.group)}" if found.breakdown else ""
        when = (
            f"On {day(found.first)}"
            if found.first == found.last
            else f"From {short_day(found.first)} to {day(found.last)}"
        )
        yield Finding(
            "What happened",
            f"{when}, {way}{who} went on from {quoted(found.step)} to "
            f"{quoted(found.next_step)}: {percent(difference.here.value)} instead of {percent(difference.there.value)}",
            f"{sentence(difference.evidence)}; about {plural(found.customers, counts.unit)} {way}. {beside(found, counts)}In {quoted(counts.name)}.",
            f"{counts.file}#incident-{number}",
            found.customers,
        )


def beside(found: Incident, counts: FunnelCounts) -> str:
    """What all others did meanwhile; of everybody, that no group stands out among those that were looked at."""
    if found.others is None or found.breakdown is None:
        return "No single group stands out. " if counts.groups else ""
    here, there = found.others.here, found.others.there
    return f"All others by {quoted(found.breakdown)}: {percent(here.value)} ({here.counts}) against {percent(there.value)}. "


def moved_funnels(view: View) -> Iterator[Finding]:
    """Funnels whose rate moved by more than chance between the two newest periods of matured first attempts."""
    moved = [(counts, *found) for counts in view.funnels if counts.is_independent and (found := rate_change(counts))]
    if not moved:
        return
    adjusted = pl.DataFrame({"p": [difference.p_value for *_, difference in moved]}, schema={"p": pl.Float64}).select(
        benjamini_hochberg(pl.col("p"))
    )["p"]
    for (counts, period, difference), q_value in zip(moved, adjusted, strict=True):
        if q_value is not None and q_value <= SURE:
            way = "rose" if difference.value > 0 else "fell"
            yield Finding(
                "What changed",
                f"{sentence(quoted(counts.name))} {way} from {percent(difference.there.value)} to {percent(difference.here.value)}",
                f"{sentence(counts.units)} who began between {short_day(period.first)} and {day(period.last)}, the newest {PERIOD_DAYS} days "
                f"whose window is over, against the {PERIOD_DAYS} days before: {difference.evidence}.",
                counts.file,
                abs(difference.value) * difference.here.whole,
            )


def rate_change(counts: FunnelCounts) -> tuple[Period, Difference] | None:
    """The newest period of matured first attempts against the one before; None while there are not two whole periods."""
    matured = counts.attempts.filter("is_closed")
    running = single(counts.attempts.filter(~pl.col("is_closed")), pl.col("entry_day").min())
    newest, oldest = single(matured, pl.col("entry_day").max()), single(counts.attempts, pl.col("entry_day").min())
    if newest is None or oldest is None:
        return None
    last = newest if running is None else min(newest, running - timedelta(days=1))
    period = Period.up_to(last)
    if oldest > period.before.first:
        return None
    difference = Difference.of(rate_in(matured, period), rate_in(matured, period.before))
    return (period, difference) if difference else None


def rate_in(attempts: pl.DataFrame, period: Period) -> Rate:
    """The share of a period's attempts that converted."""
    inside = attempts.filter(period.holds(pl.col("entry_day")))
    return Rate.of(int(single(inside, pl.col("is_event").sum())), inside.height)


def changed_rates(view: View) -> Iterator[Finding]:
    """Rates that differ by more than chance before and after a change of journey.yaml."""
    for effect in (*adjusted(stage_effects(view)), *adjusted(funnel_effects(view))):
        difference = effect.difference
        if difference is None or effect.q_value is None or effect.q_value > SURE:
            continue
        way = "rose" if difference.value > 0 else "fell"
        moved = f"{way} from {percent(effect.before.value)} to {percent(effect.after.value)}"
        yield Finding(
            "What changed",
            f"After {quoted(effect.change.name, limit=40)}, {effect.measured} {moved}",
            f"The {PERIOD_DAYS} days from {day(effect.change.date)} on against the {PERIOD_DAYS} days before: {difference.evidence}. "
            "It need not have been the change.",
            "changes.html",
            abs(difference.value) * effect.after.whole,
        )


def moved_channels(view: View) -> Iterator[Finding]:
    """Channels whose number of sessions moved by more than counts of weeks vary by chance, adjusted for all that were looked at."""
    known = [found for found in channel_changes(view) if max(found[1:]) >= FEW]
    if not known:
        return
    uneven = sqrt(unevenness(view))
    z = pl.Series("z", [(now - before) / (sqrt(now + before) * uneven) for _, now, before in known], dtype=pl.Float64)
    q_values = pl.DataFrame({"p": two_sided_p(z)}).select(benjamini_hochberg(pl.col("p")))["p"]
    for (channel, now, before), q_value in zip(known, q_values, strict=True):
        if q_value > SURE:
            continue
        way = "more" if now > before else "fewer"
        amount = change(now, before) if before >= FEW else f"{count(now)} after {count(before)}"
        yield Finding(
            "What changed",
            f"{sentence(way)} sessions from {quoted(channel)}: {amount}",
            f"{count(now)} in the newest {PERIOD_DAYS} days, {count(before)} in the {PERIOD_DAYS} days before. More than chance, "
            f"with {plural(len(known), 'channel')} looked at.",
            "#channels",
            abs(now - before),
        )


def unevenness(view: View) -> float:
    """How much more the weeks of a period differ than independent sessions would (Pearson's dispersion); at least 1.

    Sessions of one customer come together, so their counts vary more than those of single customers.
    """
    period = view.period
    assert period is not None, "channels are compared only where there are two periods"
    ago = (pl.lit(period.last) - pl.col("day")).dt.total_days() // 7
    number = pl.col("sessions").cast(pl.Int64)
    inside = view.table("mart.sessions_daily").filter(pl.col("day").is_between(period.before.first, period.last))
    weekly = inside.group_by(pl.col("channel").fill_null("(not known)"), ago=ago).agg(number.sum())
    weeks = PERIOD_DAYS // 7
    of_periods = weekly.group_by("channel", is_newest=pl.col("ago") < weeks).agg(
        mean=pl.col("sessions").sum() / weeks, squares=(pl.col("sessions") ** 2).sum()
    )
    judged = of_periods.filter(pl.col("mean") * weeks >= FEW)
    if judged.is_empty():
        return 1.0
    pearson = float(single(judged, ((pl.col("squares") - weeks * pl.col("mean") ** 2) / pl.col("mean")).sum()))
    return max(1.0, pearson / (judged.height * (weeks - 1)))


def channel_changes(view: View) -> list[tuple[str, int, int]]:
    """Sessions of each channel in the newest period and in the one before; empty while there are not two whole periods."""
    sessions, period = view.table("mart.sessions_daily"), view.period
    if period is None or sessions.is_empty() or not covers(sessions, period.before):
        return []
    number = pl.col("sessions").cast(pl.Int64)
    here = pl.col("day")
    rows = (
        sessions.group_by(pl.col("channel").fill_null("(not known)"))
        .agg(now=number.filter(period.holds(here)).sum(), before=number.filter(period.before.holds(here)).sum())
        .sort("channel")
    )
    return [(channel, now, before) for channel, now, before in rows.rows()]


def covers(sessions: pl.DataFrame, period: Period) -> bool:
    """True when the daily rows begin at or before the period."""
    oldest = single(sessions, pl.col("day").min())
    return oldest is not None and oldest <= period.first


# ---------------------------------------------------------------- where people stop


def drop_offs(view: View) -> Iterator[Finding]:
    """The largest loss between two steps of each funnel."""
    for counts in view.funnels:
        loss = largest_loss(counts)
        if loss is None:
            continue
        lost = loss.rate
        span = f" (95% interval {lost.interval})" if lost.low is not None else ""
        yield Finding(
            "Where people stop",
            f"In {quoted(counts.name)}, {lost.text} of those who reach {quoted(loss.before)} {loss.deed}",
            f"Over all time, {count(lost.part)} of {plural(lost.whole, counts.unit)} did not go on to {quoted(loss.after)}{span}{loss.others}.",
            counts.file,
            lost.part,
        )


@dataclass(frozen=True)
class Loss:
    """Two steps in a row, and the share that stopped between them; where nobody has stopped yet, the share that waits there."""

    before: str
    after: str
    rate: Rate
    still_open: int
    is_over: bool

    @property
    def deed(self) -> str:
        """What they did, as in a sentence."""
        return "have stopped there" if self.is_over else "have gone no further so far"

    @property
    def others(self) -> str:
        """Those with time left, to go on a sentence about the share."""
        if not self.is_over:
            return "; all of them still have time"
        return f"; {count(self.still_open)} more still have time" if self.still_open else ""


def largest_loss(counts: FunnelCounts) -> Loss | None:
    """The two steps between which most are lost; None where nobody is, or where too few came."""
    losses = counts.losses.filter(pl.col("came") >= FEW)
    for gone in ("stopped", "still_open"):
        if not losses.filter(pl.col(gone) > 0).is_empty():
            worst = widest(losses, gone)
            rate = counts.rate(worst[gone], worst["came"])
            return Loss(worst["before"], worst["after"], rate, worst["still_open"], is_over=gone == "stopped")
    return None


# ---------------------------------------------------------------- who differs


def different_groups(view: View) -> Iterator[Finding]:
    """Of each breakdown, the group that differs from the rest by more than chance and concerns most."""
    for counts in view.funnels:
        for group in counts.groups:
            standing_out = group.rows.filter(pl.col("q_value") <= SURE) if group.is_tested else group.rows.clear()
            if standing_out.is_empty():
                continue
            weight = (pl.col("difference").abs() * pl.col("entered")).alias("weight")
            row = standing_out.with_columns(weight).sort("weight", "value", descending=[True, False]).row(0, named=True)
            difference = Difference.of(
                Rate.of(row["reached"], row["entered"]), Rate.of(row["rest_reached"], row["rest_entered"])
            )
            if difference is None:
                continue
            way = "more" if row["difference"] > 0 else "less"
            yield Finding(
                "Who differs",
                f"{quoted(row['value'])} completes {quoted(counts.name)} {way} often than the rest",
                f"{sentence(difference.evidence)}. More than chance, "
                f"with {plural(group.rows.height, 'group')} of {quoted(group.breakdown)} looked at.",
                counts.file,
                row["weight"],
            )


# ---------------------------------------------------------------- stages and targets


def weakest_stages(view: View) -> Iterator[Finding]:
    """The stage from which the smallest share goes on to the next one, among customers whose window is over."""
    onward = next_stage(view.table("mart.stage_conversion"))
    rates = [(row, Rate.of(row["matured_reached"], row["matured_entered"])) for row in onward.iter_rows(named=True)]
    enough = [(row, rate) for row, rate in rates if rate.says_enough]
    if not enough:
        return
    row, rate = min(enough, key=lambda pair: (pair[1].value, pair[0]["from_stage_number"]))
    yield Finding(
        "Where the journey narrows",
        f"Fewest go on from {quoted(row['from_stage'])}: {rate.text} reach {quoted(row['to_stage'])}",
        f"{sentence(rate.evidence)}, within {duration(row['window_seconds'])} of entering, among customers for whom that time is over.",
        "stages.html",
        rate.whole - rate.part,
    )


def next_stage(conversion: pl.DataFrame) -> pl.DataFrame:
    """The rows of mart.stage_conversion from each stage to the one right after it, in order of the journey."""
    return conversion.filter(pl.col("to_stage_number") == pl.col("from_stage_number") + 1).sort("from_stage_number")


def missed_targets(view: View) -> Iterator[Finding]:
    """Key figures that miss their target."""
    for row in view.table("mart.kpis").filter(pl.col("status") == "missed").iter_rows(named=True):
        is_count = row["denominator"] is None
        value = count(row["numerator"]) if is_count else percent(row["value"])
        target = count(round(row["target"])) if is_count else percent(row["target"])
        rest = count(row["numerator"]) if is_count else Rate.of(row["numerator"], row["denominator"]).counts
        owner = f" Owner: {name(row['owner'])}." if row["owner"] else ""
        yield Finding(
            "Targets",
            f"{sentence(metric_words(row['metric']))} of {quoted(row['stage'])} is {value}; the target is {limit(row['metric'])} {target}",
            f"{rest}.{owner}",
            "#targets",
            abs(row["target"] - row["value"]) * (row["denominator"] or 1),
        )


def limit(metric: str) -> str:
    """On which side of its target a figure should lie."""
    return "at most" if metric == LOWER_IS_BETTER else "at least"


def metric_words(metric: str) -> str:
    """The name of a figure in words."""
    return name(metric).replace("_", " ")

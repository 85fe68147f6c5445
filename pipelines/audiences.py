"""Audiences: lists handed over to the systems that act on them, each entry once, however often a run is killed.

A batch is written to the journal as planned, with its entries, before anything leaves; then its file is written (or its post made),
under a name that follows from the plan; then it is noted as done. Whatever is planned and not done is handed over again under the
same name, so a file is overwritten by itself, and a receiver of posts knows the batch by its key.
"""

import hashlib
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO

import polars as pl

from pipelines.errors import ConfigurationError
from pipelines.journal import JOURNAL, append, entries
from pipelines.night import Night
from pipelines.publish import flush
from pipelines.warehouse import ask
from reports.downloads import as_csv, as_parquet
from transforms.audiences import Audience, audience_entries
from transforms.contracts import CORE_CUSTOMER_ALIASES, OPS_AUDIENCES

BATCHES = "audiences.ndjson"
PLANNED, DONE = "planned", "done"
WEBHOOK_VARIABLE = "JOURNEYS_AUDIENCE_URL"
SECONDS = 30


@dataclass(frozen=True)
class Batch:
    """A line of the journal: entries of an audience that are planned to be handed over, or have been."""

    audience: str
    batch_id: str
    state: str
    at: str
    entry_ids: list[str] = field(default_factory=list)


def plan(night: Night) -> pl.DataFrame:
    """Write the batches that are to be handed over to the journal; what they are, as rows of OPS_AUDIENCES."""
    file = night.workspace.landing / JOURNAL / BATCHES
    rows = []
    for audience in night.configuration.audiences:
        told = [batch for batch in entries(file, Batch) if batch.audience == audience.name]
        found = entries_of(night, audience, told)
        new = found.filter(~pl.col("is_handed") & pl.col("may"))
        if new.height:
            ids = new["entry_id"].to_list()
            key = hashlib.sha256("\n".join([audience.name, *ids]).encode()).hexdigest()[:16]
            append(file, [Batch(audience.name, key, PLANNED, night.started_at.isoformat(), ids)])
        rows.append((audience.name, audience.to, found.height, new.height, found.filter(~pl.col("may")).height))
    return pl.DataFrame(rows, schema=OPS_AUDIENCES.schema, orient="row")


def hand_over(night: Night) -> list[str]:
    """Hand over every batch that is planned and not done; returns what could not be, which the next run does again."""
    file = night.workspace.landing / JOURNAL / BATCHES
    told = list(entries(file, Batch))
    done = {batch.batch_id for batch in told if batch.state == DONE}
    known = {audience.name: audience for audience in night.configuration.audiences}
    problems = []
    for batch in told:
        if batch.state == PLANNED and batch.batch_id not in done and batch.audience in known:
            audience = known[batch.audience]
            try:
                give(night, audience, batch, rows_of(night, audience, batch))
            except (OSError, ConfigurationError) as error:
                problems.append(f"audience '{audience.name}' could not be handed over: {_reason(error)}")
                continue
            append(file, [Batch(batch.audience, batch.batch_id, DONE, night.started_at.isoformat())])
            night.say(f"Audience   {audience.name}: {len(batch.entry_ids):,} new, to {audience.to}")
    return problems


def entries_of(night: Night, audience: Audience, told: Iterable[Batch]) -> pl.DataFrame:
    """The entries of an audience today; `told` are its batches."""
    before = [entry for batch in told for entry in batch.entry_ids]
    handed = pl.LazyFrame({"entry_id": before}, schema={"entry_id": pl.String})
    kind = "stage" if audience.stage else "segment" if audience.segment else "stopped"
    asked: dict[str, object] = {"of": audience.stage or audience.segment or audience.funnel}
    if audience.funnel:
        funnel = next(each for each in night.funnels if each.name == audience.funnel)
        asked["step"] = [step.label for step in funnel.steps].index(str(audience.stopped_at)) + 1
    with night.warehouse.opened() as connection:
        found = ask(connection, f"ops/audience_{kind}.sql", asked).lazy()
        consents = None
        if audience.consent:
            consents = ask(connection, "ops/audience_consents.sql", {"property": audience.consent}).lazy()
        aliases = connection.sql(f"FROM {CORE_CUSTOMER_ALIASES.name}").pl().lazy()
    return audience_entries(found, consents, aliases, handed, audience=audience.name).collect()


def rows_of(night: Night, audience: Audience, batch: Batch) -> pl.DataFrame:
    """What is handed over of a batch: audience, entry_id, customer_id, entered_at and the identifiers; of erased persons nothing."""
    found = entries_of(night, audience, []).filter(pl.col("entry_id").is_in(batch.entry_ids) & pl.col("may"))
    with night.warehouse.opened() as connection:
        asked = {"namespaces": list(audience.identifiers)}
        held = ask(connection, "ops/audience_identifiers.sql", asked)
    for namespace in audience.identifiers:
        of_it = held.filter(pl.col("namespace") == namespace).select("customer_id", pl.col("values").alias(namespace))
        found = found.join(of_it, on="customer_id", how="left")
    chosen = found.sort("entry_id").select("entry_id", "customer_id", "entered_at", *audience.identifiers)
    return chosen.select(pl.lit(audience.name).alias("audience"), pl.all())


def give(night: Night, audience: Audience, batch: Batch, rows: pl.DataFrame) -> None:
    """Write the file of a batch, or post it; raises OSError and ConfigurationError."""
    if audience.to == "webhook":
        post(batch, rows)
        return
    folder = night.workspace.audiences / audience.name
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{batch.at[:10]}-{batch.batch_id}.{audience.to}"
    draft = target.with_name(f".{target.name}.draft")
    draft.write_bytes(as_csv(rows) if audience.to == "csv" else as_parquet(rows))
    flush(draft)
    os.replace(draft, target)
    flush(folder)


def post(batch: Batch, rows: pl.DataFrame) -> None:
    """Post a batch as JSON, with its id as the key by which a receiver knows that it has it."""
    address = os.environ.get(WEBHOOK_VARIABLE, "")
    if not address.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"set {WEBHOOK_VARIABLE} in the environment to the http:// or https:// address that takes audiences"
        )
    body = BytesIO()
    rows.write_json(body)
    said = {"audience": batch.audience, "batch_id": batch.batch_id, "entries": json.loads(body.getvalue())}
    request = urllib.request.Request(
        address,
        data=json.dumps(said).encode(),
        headers={"Content-Type": "application/json", "Idempotency-Key": batch.batch_id},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=SECONDS):
        pass


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"the server cannot be reached ({type(error.reason).__name__})"
    return str(error)

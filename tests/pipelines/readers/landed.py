"""Landed files of one source of a native format, and a warehouse to load them into."""

import json
import tempfile
from functools import cache
from pathlib import Path

from pipelines.engines.local import LocalEngine
from pipelines.ingest import load_new_files
from pipelines.settings import read_configuration
from pipelines.warehouse import Warehouse
from transforms.journey import Journey
from transforms.mapping import Source

KEY = b"key"
PLACES = {
    "raw.web_events": "event_id", "raw.crm_events": "event_id", "raw.crm_records": "object, record_id", "raw.ad_spend": "event_id",
}  # fmt: skip


@cache
def empty_warehouse():
    """The bytes of a warehouse without rows, made once."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Warehouse(Path(folder) / "empty.duckdb")
        with empty.opened():
            pass
        return empty.path.read_bytes()


class Landed:
    """A landing folder with files of one format, by table where it has several, and a warehouse."""

    def __init__(self, folder, format, *tables, **said):
        self.folder = folder
        self.landing = folder / "landing"
        self.landing.mkdir(parents=True)
        self.warehouse = Warehouse(folder / "build.duckdb")
        self.warehouse.path.write_bytes(empty_warehouse())
        files = {table: f"{table}/*" for table in tables} or "files/*"
        self.source = Source.model_validate({"format": format, "files": files, **said})

    def put(self, name, *lines):
        path = self.landing / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return self

    def load(self):
        loaded = load_new_files(
            self.warehouse,
            self.landing,
            {"it": self.source},
            journey=Journey(currency="EUR", identity={"country": "DE"}),
            hmac_key=KEY,
        )
        assert loaded.problems == []
        return self

    def rows(self, query):
        return self.warehouse.query(query).rows()

    def events(self, *columns):
        named = ", ".join(columns or ("event_id", "event"))
        return self.rows(f"SELECT {named} FROM raw.crm_events ORDER BY occurred_at, event_id")

    def outcomes(self):
        """Outcome of each row in order of file and row."""
        return [outcome for (outcome,) in self.rows("SELECT outcome FROM raw.row_outcomes ORDER BY file_id, row")]

    def is_balanced(self):
        """True when every row of every file has one outcome."""
        went = "loaded + duplicate + conflict + superseded + quarantined + suppressed + blank"
        return self.rows(f"SELECT count(*) FROM ops.balances WHERE rows_in <> {went}") == [(0,)]

    def quarantine(self):
        return self.rows("SELECT reason, field FROM raw.quarantine ORDER BY file_id, row")

    def properties(self, table="raw.crm_records"):
        return [json.loads(text) for (text,) in self.rows(f"SELECT properties FROM {table} ORDER BY {PLACES[table]}")]

    def kept(self):
        """Events, records and spend, without where they came from."""
        with self.warehouse.opened():
            return {
                name: self.warehouse.query(f"FROM {name} ORDER BY {key}").drop("file_id", "row").rows()
                for name, key in PLACES.items()
            }

    def customers(self):
        """Resolve who is who; event ids in order of time, by customer."""
        engine = LocalEngine(self.warehouse, _any_configuration())
        with self.warehouse.opened():
            engine.identity()
            engine.timeline()
        together = {}
        told = self.rows("SELECT customer_id, event_id FROM core.events ORDER BY occurred_at, event_id")
        for customer, event_id in told:
            together.setdefault(customer, []).append(event_id)
        return sorted(together.values())


@cache
def _any_configuration():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journey.yaml"
        path.write_text("preset: b2b\n", encoding="utf-8")
        return read_configuration(path)


def landed(folder, format, name, *lines, **said):
    """One file, loaded; `name` is table/file for a format with tables."""
    table = name.split("/")[0]
    tables = () if table == "files" else (table,)
    return Landed(folder, format, *tables, **said).put(name, *lines).load()

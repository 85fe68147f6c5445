"""A night that brings little on top of a long history: each table brought up to date, beside a rebuild of the same table.

Usage: python benchmarks/increment.py [--events 3000000] [--share 0.023] [--seed 1] [--json]

The history is loaded and built first; then the last rows land and the night runs over them. The rebuild makes the same tables
anew from all rows, in a warehouse of its own. Both sides are compared at the end: every table has to be equal.
"""

import argparse
import gzip
import json
import tempfile
from pathlib import Path

from pipelines.demo import prepare_demo
from pipelines.night import Night
from pipelines.rebuild import Rebuild
from pipelines.run import build_tables
from pipelines.verify import compared

Seconds = dict[str, float]


def main() -> None:
    arguments = parsed()
    with tempfile.TemporaryDirectory() as folder:
        place = prepare_demo(
            Path(folder), events=arguments.events, seed=arguments.seed, days=180, say=lambda _line: None
        )
        kept, late = last_rows(place.landing / "web", arguments.share)
        build(Night(place))
        (place.landing / "web" / "web_late.ndjson").write_bytes(b"".join(late))
        night = Night(place)
        incremental = build(night)
        loaded = frozenset(night.warehouse.query("SELECT file_id FROM raw.files")["file_id"])
        (Path(folder) / "rebuilt").mkdir()
        rebuild = Rebuild(place, folder=Path(folder) / "rebuilt", file_ids=loaded)
        anew = build(rebuild)
        refuse_other_tables(night, rebuild)
        print(told(arguments, kept, len(late), incremental, anew))


def last_rows(web: Path, share: float) -> tuple[int, list[bytes]]:
    """Take the last rows, by file name and place, out of the landed files; how many stay, and the rows."""
    files = sorted(web.glob("*.ndjson.gz"), reverse=True)
    lines = {file: gzip.decompress(file.read_bytes()).splitlines(keepends=True) for file in files}
    wanted = round(sum(map(len, lines.values())) * share)
    taken: list[bytes] = []
    for file in files:
        cut = max(0, len(lines[file]) - (wanted - len(taken)))
        taken += lines[file][cut:]
        file.write_bytes(gzip.compress(b"".join(lines[file][:cut]), 1))
        if len(taken) >= wanted:
            break
    return sum(map(len, lines.values())) - len(taken), taken


def build(night: Night) -> Seconds:
    """Run the night's steps up to the marts; the seconds of each."""
    build_tables(night)
    return {step.name: step.seconds for step in night.steps}


def refuse_other_tables(night: Night, rebuild: Rebuild) -> None:
    """End the program when a table differs."""
    differing = [each for each in compared(night.warehouse, rebuild.warehouse.path) if each.first_difference]
    if differing:
        raise SystemExit("\n".join(f"{each.table}: {each.first_difference}" for each in differing))


def told(arguments: argparse.Namespace, kept: int, late: int, incremental: Seconds, anew: Seconds) -> str:
    core = (
        "identity",
        "events",
        "sessions",
        "superseded",
        "entries",
        "session_touches",
        "customers",
        "segments",
        "funnels",
    )
    groups = {name: (name,) for name in incremental if incremental[name] + anew[name] > 0.2} | {
        "core": core,
        "all steps": tuple(incremental),
    }
    rows = [
        {
            "step": name,
            "night": round(sum(incremental[step] for step in steps), 2),
            "rebuild": round(sum(anew[step] for step in steps), 2),
            "times": round(sum(anew[step] for step in steps) / max(1e-9, sum(incremental[step] for step in steps)), 1),
        }
        for name, steps in groups.items()
    ]
    if arguments.json:
        return json.dumps({"history": kept, "new": late, "steps": rows})
    lines = [
        f"{kept:,} rows of history, {late:,} new; all tables equal",
        f"{'step':<24} {'night s':>8} {'rebuild s':>10} {'times':>6}",
    ]
    return "\n".join(
        [
            *lines,
            *(f"{row['step']:<24} {row['night']:>8.2f} {row['rebuild']:>10.2f} {row['times']:>6.1f}" for row in rows),
        ]
    )


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--share", type=float, default=0.023, help="share of the rows that land last")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""A night from landed files to the published warehouse and the report: events per second and peak memory.

Usage: python benchmarks/night.py [--events 1000000] [--seed 1] [--days 180]

The sample business is written first and is not part of the measured time; the night runs in a process of its own, so
that its peak memory is its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipelines.answers import sql
from pipelines.demo import prepare_demo


def main() -> None:
    arguments = parsed()
    with tempfile.TemporaryDirectory() as folder:
        place = prepare_demo(Path(folder), events=arguments.events, seed=arguments.seed, days=arguments.days, say=print)
        environment = {key: value for key, value in os.environ.items() if key != "DAGSTER_HOME"}
        begun = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", "run", "--workspace", str(place.root)], env=environment
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - begun
        if status:
            raise SystemExit("the night failed")
        rows = sql(place, "SELECT sum(rows_in)::BIGINT FROM ops.balances")[1][0][0]
        print(
            json.dumps(
                {
                    "rows": rows,
                    "seconds": round(seconds, 2),
                    "rows_per_second": round(rows / seconds),
                    "peak_memory_mb": usage.ru_maxrss // 1024,
                    "warehouse_mb": place.published.stat().st_size // 2**20,
                }
            )
        )


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=int, default=180)
    return parser.parse_args()


if __name__ == "__main__":
    main()

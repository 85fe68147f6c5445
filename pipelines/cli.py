"""The command line: every command answers in a second or shows what it is doing, and leaves a clear exit status.

0 fine; 1 what landed, or a check, is wrong; 2 the command or the configuration is wrong.
Dagster is imported by the commands that run the night, and by no other.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.table import Table as RichTable

from pipelines import answers
from pipelines.errors import ConfigurationError, DataError, UnreadableFile
from pipelines.settings import Workspace, preset_names, workspace_at
from transforms.journey import parse_duration

P = ParamSpec("P")
R = TypeVar("R")

app = typer.Typer(
    name="journeys",
    help="Customer-journey analytics: from landed files to a warehouse and a report that people can trust.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
LOGS = ("text", "json")
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

WorkspaceOption = Annotated[
    Path | None,
    typer.Option("--workspace", "-w", help="The workspace; else JOURNEYS_WORKSPACE, else data/ of the checkout."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer with JSON.")]


AsKnownOnOption = Annotated[
    str | None,
    typer.Option(
        "--as-known-on", metavar="DAY", help="Answer from what had landed by the end of a day, by today's rules."
    ),
]


def reported(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the product's own errors into a message and an exit status."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ConfigurationError as error:
            err.print(f"error: {error}", markup=False)
            raise typer.Exit(2) from error
        except DataError as error:
            err.print(f"error: {error}", markup=False)
            raise typer.Exit(1) from error

    return run


@app.command()
@reported
def demo(
    events: Annotated[int, typer.Option(min=1_000, help="About how many web events to make up.")] = 200_000,
    seed: Annotated[int, typer.Option(help="Another seed, another business.")] = 1,
    days: Annotated[int, typer.Option(min=35, help="How many days of history.")] = 180,
    workspace: WorkspaceOption = None,
) -> None:
    """Make up a sample business, run the night on it, and say where the report and the warehouse lie."""
    from pipelines.demo import prepare_demo

    chosen = workspace or workspace_at(None).root / "demo"
    place = prepare_demo(chosen, events=events, seed=seed, days=days, say=out.print)
    run_night(place)


@app.command()
@reported
def init(
    folder: Annotated[Path, typer.Argument(help="Where the workspace is to be made.")],
    files: Annotated[list[Path] | None, typer.Argument(help="With --from: more files or folders.")] = None,
    preset: Annotated[str, typer.Option(help="ecommerce, saas, b2b or support.")] = "ecommerce",
    from_: Annotated[
        list[Path] | None, typer.Option("--from", help="Files or folders of an export: what they are is guessed.")
    ] = None,
) -> None:
    """Make a workspace: journey.yaml, landing/ and .env; with --from, filled with copies of files and the sources that read them."""
    if files and not from_:
        raise ConfigurationError("name the files of an export after --from: journeys init DIR --from FILES")
    from pipelines.demo import make_workspace

    plans, found = guessed([*(from_ or []), *(files or [])])
    made = make_workspace(folder, preset=preset, plans=plans, **found)
    out.print(f"Made {made.root} with the preset {preset} ({', '.join(preset_names())} are there).", markup=False)
    if plans:
        out.print("Next: look over `sources:` in journey.yaml, then", markup=False)
    else:
        out.print("Next: put files under landing/, name them under `sources:` in journey.yaml, then", markup=False)
    out.print(f"  journeys check --workspace {folder}\n  journeys run --workspace {folder}", markup=False)


def guessed(paths: list[Path]) -> tuple[list[Any], dict[str, Any]]:
    """The sources that read the files of an export, each told with its doubts; and the business's hosts and currency.

    Files that are nothing known are told too.

    Raises DataError when none of the files can be read.
    """
    from pipelines.guess import currency, files_below, guess, own_hosts, planned

    guesses = []
    for path in files_below(paths):
        try:
            guesses.append(guess(path))
        except UnreadableFile as error:
            err.print(f"left out: {path}: {error}; docs/sources.md says how to map a file of your own", markup=False)
    if paths and not guesses:
        raise DataError(
            "none of these files can be read; docs/sources.md says what can, and how to map a table of your own"
        )
    plans = planned(guesses)
    for plan in plans:
        count = f"{len(plan.files)} file" + ("s" if len(plan.files) > 1 else "")
        out.print(f"Source {plan.name}: {count}, {plan.said['format']}", markup=False)
        for doubt in plan.doubts:
            out.print(f"  look: {doubt}", markup=False)
    return plans, {"hosts": own_hosts(guesses), "currency": currency(guesses)}


@app.command()
@reported
def check(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Validate the configuration and the sources without loading anything."""
    findings = answers.check(workspace_at(workspace))
    print_json(findings) if as_json else answers.print_check(findings, out)
    if findings["problems"]:
        raise typer.Exit(1)


@app.command()
@reported
def sample(
    events: Annotated[int, typer.Option(min=1_000, help="About how many web events.")] = 200_000,
    seed: Annotated[int, typer.Option(help="Same seed, same files.")] = 1,
    days: Annotated[int, typer.Option(min=35, help="How many days of history.")] = 180,
    no_stories: Annotated[bool, typer.Option("--no-stories", help="Plant no incidents.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Write a sample business, with its ground truth, into a workspace."""
    from pipelines.demo import write_sample

    for line in write_sample(workspace_at(workspace), events=events, seed=seed, days=days, stories=not no_stories):
        out.print(line, markup=False)


@app.command()
@reported
def run(
    profile: Annotated[bool, typer.Option("--profile", help="Say at the end what each step took.")] = False,
    log: Annotated[
        str, typer.Option(help="text, or json: an object a line for each step and problem.", envvar="JOURNEYS_LOG")
    ] = "text",
    workspace: WorkspaceOption = None,
) -> None:
    """Run the night: read what landed, rebuild, check, publish the warehouse and the report site."""
    if log not in LOGS:
        raise ConfigurationError(f"--log takes {' or '.join(LOGS)}; found '{log}'")
    if log == "json":
        run_logged(workspace_at(workspace))
        return
    steps: list[Any] = []
    try:
        run_night(workspace_at(workspace), steps)
    finally:
        if profile:
            print_profile(steps)


@app.command()
@reported
def report(
    standalone: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the report as this one file instead, to send or to keep: .html, .pdf or .png."
        ),
    ] = None,
    page: Annotated[str | None, typer.Option(help="With --standalone: only this page, such as stages.")] = None,
    as_known_on: AsKnownOnOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Draw the report site again from the published warehouse; or write it as one file."""
    if page and standalone is None:
        raise ConfigurationError("--page goes with --standalone FILE.html")
    workspace_at(workspace).configuration  # noqa: B018  (a wrong configuration is told first)
    from pipelines import report_inputs

    with place_on(workspace, as_known_on) as place:
        if not place.published.exists():
            raise DataError(
                f"{place.published} does not exist yet, so there is nothing to draw; make it with: journeys run"
            )
        if standalone is None:
            overview = report_inputs.redraw(place)
            print_where(place) if as_known_on is None else out.print(f"Report     {overview}", markup=False)
        else:
            content = report_inputs.standalone(place, page)
            if standalone.suffix.lower() in (".pdf", ".png"):
                from pipelines.printing import as_pdf, as_png

                content = as_pdf(content) if standalone.suffix.lower() == ".pdf" else as_png(content)
            write_file(standalone, content)
            out.print(f"Report     {standalone}", markup=False)


@app.command()
@reported
def funnel(
    name: Annotated[str | None, typer.Argument(help="A funnel of journey.yaml.")] = None,
    from_day: Annotated[str | None, typer.Option("--from", help="First day of entry, such as 2026-01-01.")] = None,
    to_day: Annotated[str | None, typer.Option("--to", help="Last day of entry.")] = None,
    compare_to: Annotated[
        str | None, typer.Option(metavar="FROM..TO", help="Another period, to hold this one against.")
    ] = None,
    breakdown: Annotated[
        list[str] | None,
        typer.Option(help="A property that splits the funnel; a,b splits by both at once. Repeatable."),
    ] = None,
    segment: Annotated[
        list[str] | None, typer.Option(help="A segment of journey.yaml, held against all others. Repeatable.")
    ] = None,
    trend: Annotated[str | None, typer.Option(help="A line for each day, week or month of entry.")] = None,
    experiment: Annotated[str | None, typer.Option(help="The property that tells the variant.")] = None,
    shares: Annotated[
        str | None, typer.Option(help="How variants share the units, such as control=50,new=50; else equally.")
    ] = None,
    drop_offs: Annotated[
        str | None, typer.Option(metavar="STEP", help="List who went no further than this step.")
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="With --drop-offs: the list as .csv or .parquet.")
    ] = None,
    spec: Annotated[Path | None, typer.Option(help="A funnel entry in a YAML file, instead of a name.")] = None,
    events: Annotated[Path | None, typer.Option(help="Events as NDJSON, for --spec.")] = None,
    attempts: Annotated[bool, typer.Option("--attempts", help="List every attempt.")] = False,
    as_known_on: AsKnownOnOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a funnel: of the warehouse by name, or of a plain file of events by specification."""
    from pipelines import funnel_answers

    asked = funnel_answers.Asked(
        from_day=from_day, to_day=to_day, compare_to=compare_to, breakdowns=breakdown or [], segments=segment or [],
        trend=trend, drop_offs=drop_offs, file=out_file, experiment=experiment, shares=shares, attempts=attempts,
    )  # fmt: skip
    if (spec is None) != (events is None):
        raise ConfigurationError("--spec and --events go together")
    if spec is not None and events is not None:
        if name or as_known_on:
            raise ConfigurationError("--spec names its funnels itself, and answers from the file of --events as it is")
        from pipelines.funnel_file import answer_from_file

        answer: Any = answer_from_file(spec, events, asked)
    elif name is None:
        raise ConfigurationError("name a funnel of journey.yaml, or give --spec and --events")
    else:
        with place_on(workspace, as_known_on) as place:
            answer = funnel_answers.funnel(place, name, asked)
    if as_json:
        print_json(answer)
    else:
        for item in answer if isinstance(answer, list) else [answer]:
            funnel_answers.print_funnel(item, out)


@app.command()
@reported
def retention(
    every: Annotated[str, typer.Option(help="hour, day, week, sunday_week or month.")] = "week",
    starts_with: Annotated[
        str | None, typer.Option(metavar="EVENT", help="The event that begins; else any of the customer's own doing.")
    ] = None,
    returns_with: Annotated[str | None, typer.Option(metavar="EVENT", help="The event that is a return.")] = None,
    first_time: Annotated[bool, typer.Option("--first-time", help="Each customer in its first cohort only.")] = False,
    on_or_after: Annotated[bool, typer.Option("--on-or-after", help="Back in a period, or in any later one.")] = False,
    minimum: Annotated[int, typer.Option(help="Events in one period that make a return.")] = 1,
    periods: Annotated[int, typer.Option(help="How many periods are shown.")] = 12,
    from_day: Annotated[
        str | None, typer.Option("--from", help="First day of the cohorts, such as 2026-01-01.")
    ] = None,
    to_day: Annotated[str | None, typer.Option("--to", help="Last day of the cohorts.")] = None,
    events: Annotated[Path | None, typer.Option(help="Events as NDJSON, instead of the warehouse.")] = None,
    as_known_on: AsKnownOnOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how many come back: any event, any period, of the warehouse or of a plain file of events."""
    from pipelines import retention_answers

    asked = retention_answers.Asked(
        every=every, starts_with=starts_with, returns_with=returns_with, first_time=first_time, on_or_after=on_or_after,
        minimum=minimum, periods=periods, from_day=from_day, to_day=to_day,
    )  # fmt: skip
    if events is None:
        with place_on(workspace, as_known_on) as place:
            answer = retention_answers.of_warehouse(place, asked)
    elif as_known_on:
        raise ConfigurationError("--as-known-on is of the warehouse; a file of events is what it is")
    else:
        answer = retention_answers.of_file(events, asked)
    print_json(answer) if as_json else retention_answers.print_retention(answer, out)


@app.command(context_settings={"ignore_unknown_options": True})
@reported
def sql(
    query: Annotated[str, typer.Argument(help="DuckDB SQL, on the published warehouse.")],
    as_known_on: AsKnownOnOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Query the published warehouse; the query can touch nothing else."""
    with place_on(workspace, as_known_on) as place:
        columns, rows = answers.sql(place, query)
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_rows(columns, rows)


@app.command()
@reported
def status(
    by: Annotated[str, typer.Option(help="The books by source, day (of landing) or file.")] = "source",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how the last night went: books, freshness, what could not be read."""
    if by not in answers.BOOKS:
        raise ConfigurationError(f"--by takes {', '.join(answers.BOOKS)}; found '{by}'")
    state = answers.status(workspace_at(workspace))
    print_json(state) if as_json else answers.print_status(state, out, by=by)


@app.command()
@reported
def replay(
    reason: Annotated[str, typer.Option(help="Why the rows were kept aside, such as bad_time.")],
    file: Annotated[str | None, typer.Option(help="Only those of one file, by its path below landing/.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read rows that were kept aside again, after a mapping was mended or time has passed, and say where they went."""
    from pipelines import replay as replays

    place = workspace_at(workspace)
    place.configuration  # noqa: B018  (a wrong configuration is told first)
    quiet = (lambda _line: None) if as_json else (lambda line: out.print(line, markup=False))
    problems: list[str] = []
    moved = replays.replay(place, reason=reason, path=file, run=lambda: problems.extend(run_quietly(place, quiet)))
    print_json(asdict(moved)) if as_json else out.print(replays.sentence(moved, file), markup=False)
    end_with(problems)


@app.command("sample-customers")
@reported
def sample_customers(
    number: Annotated[int, typer.Argument(min=1, max=1_000, help="How many customers.")],
    seed: Annotated[int, typer.Option(help="Another seed, other customers.")] = 1,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw customers by a seed and show their whole journeys, to check a map of the journey against."""
    from pipelines.journeys import print_journeys
    from pipelines.journeys import sample_customers as draw

    drawn = draw(workspace_at(workspace), number, seed=seed)
    print_json(drawn) if as_json else print_journeys(drawn, out)


@app.command()
@reported
def verify(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Rebuild core and mart from what landed, and hold them against the tables that the nights have made."""
    from pipelines.verify import verify as verified

    quiet = (lambda _line: None) if as_json else (lambda line: err.print(line, markup=False))
    verdicts = verified(workspace_at(workspace), say=quiet)
    differing = [each for each in verdicts if each.first_difference]
    if as_json:
        print_json([asdict(each) for each in verdicts])
    else:
        print_rows(
            ["table", "rows", "hash", "rebuilt", ""],
            [
                (each.table, each.rows, each.hash, each.rebuilt_hash, "differs" if each.first_difference else "equal")
                for each in verdicts
            ],
        )
        out.print(f"{len(verdicts) - len(differing)} of {len(verdicts)} tables are equal.", markup=False)
    for each in differing:
        err.print(f"error: {each.table}: {each.first_difference}", markup=False)
    if differing:
        raise typer.Exit(1)


@app.command()
@reported
def diff(
    earlier: Annotated[str, typer.Argument(metavar="DAY1", help="A day, such as 2026-01-31.")],
    later: Annotated[str, typer.Argument(metavar="DAY2", help="A later day.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which figures were known otherwise on two days, and what each cause is of the difference."""
    from pipelines import difference

    say = partial(err.print, markup=False)
    found = difference.difference(workspace_at(workspace), earlier, later, say=say)
    print_json(asdict(found)) if as_json else difference.print_difference(found, out)


@app.command()
@reported
def why(
    identifier: Annotated[str, typer.Argument(help="An identifier, namespace:identifier, or a customer_id.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which customer an identifier points at, and the chain of evidence that leads there."""
    from pipelines import evidence

    told = evidence.why(workspace_at(workspace), identifier)
    print_json(told) if as_json else evidence.print_why(told, out)


@app.command()
@reported
def customer(
    who: Annotated[str, typer.Argument(metavar="ID", help="A customer_id, or an identifier as for `why`.")],
    limit: Annotated[int, typer.Option(min=0, help="How many of the newest events to list.")] = 100,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the whole history of a customer, in order of time, with the source of each row."""
    from pipelines import people

    told = people.history(workspace_at(workspace), who, limit=limit)
    print_json(told) if as_json else people.print_history(told, out)


@app.command()
@reported
def unmerge(
    edge: Annotated[str, typer.Argument(help="Id of an edge, or its first digits, as `journeys why` prints it.")],
    reason: Annotated[str, typer.Option(help="Why the two identifiers are not the same person.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and write nothing.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take two identifiers apart for good, run the night, and say which customers that changed."""
    from pipelines import retractions

    place = workspace_at(workspace)
    place.configuration  # noqa: B018  (a wrong configuration is told first)
    problems: list[str] = []
    if dry_run:
        change = retractions.rehearse(place, edge, reason=reason)
    else:
        quiet = (lambda _line: None) if as_json else (lambda line: out.print(line, markup=False))
        change = retractions.unmerge(place, edge, reason=reason, run=lambda: problems.extend(run_quietly(place, quiet)))
    print_json(asdict(change)) if as_json else retractions.print_unmerged(change, out)
    end_with(problems)


@app.command()
@reported
def erase(
    identifier: Annotated[str, typer.Argument(help="An identifier, namespace:identifier, or a customer_id.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be erased, and write nothing.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget a person for good: rewrite the landed files without them, run the night, and give a receipt."""
    from pipelines import erasure

    place = workspace_at(workspace)
    place.configuration  # noqa: B018  (a wrong configuration is told first)
    quiet = (lambda _line: None) if as_json else (lambda line: out.print(line, markup=False))
    problems: list[str] = []
    if dry_run:
        receipt = erasure.rehearse(place, identifier, say=quiet)
    else:
        receipt = erasure.erase(place, identifier, run=lambda: problems.extend(run_quietly(place, quiet)), say=quiet)
    print_json(asdict(receipt)) if as_json else erasure.print_receipt(receipt, out)
    end_with(problems)


@app.command()
@reported
def expire(
    older_than: Annotated[str, typer.Option(metavar="AGE", help="What is older goes: days, such as 730d.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and write nothing.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget everything older than an age for good: rewrite the landed files without it, run the night, and give a receipt."""
    from pipelines import erasure, expiry

    place = workspace_at(workspace)
    place.configuration  # noqa: B018  (a wrong configuration is told first)
    quiet = (lambda _line: None) if as_json else (lambda line: out.print(line, markup=False))
    problems: list[str] = []
    age = age_of(older_than)
    if dry_run:
        receipt = expiry.rehearse(place, age, say=quiet)
    else:
        receipt = expiry.expire(place, age, run=lambda: problems.extend(run_quietly(place, quiet)), say=quiet)
    print_json(asdict(receipt)) if as_json else erasure.print_receipt(receipt, out)
    end_with(problems)


def age_of(text: str) -> timedelta:
    """An age such as 730d; raises ConfigurationError for what is none."""
    try:
        age = parse_duration(text)
    except ValueError as error:
        raise ConfigurationError(f"--older-than: {error}") from error
    if not isinstance(age, timedelta):
        raise ConfigurationError(f"--older-than takes an age such as 730d; found '{text}'")
    return age


@app.command()
@reported
def dictionary(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Print the data dictionary: every table and column with its sentence, as Markdown."""
    from pipelines.dictionary import dictionary_markdown, dictionary_tables

    if as_json:
        print_json(dictionary_tables())
    else:
        sys.stdout.write(dictionary_markdown())


@contextmanager
def place_on(workspace: Path | None, as_known_on: str | None) -> Iterator[Workspace]:
    """The workspace as it is, or as it was known on a day."""
    if as_known_on is None:
        yield workspace_at(workspace)
        return
    from pipelines import past

    with past.as_known_on(workspace_at(workspace), as_known_on, say=partial(err.print, markup=False)) as place:
        yield place


def run_quietly(place: Workspace, say: Callable[[str], None], steps: list[Any] | None = None) -> list[str]:
    """Run the night in process; returns what could not be read."""
    from pipelines.run import run_in_process

    return run_in_process(place, say=say, steps=steps)


def end_with(problems: list[str]) -> None:
    """Print what went wrong without stopping the run; exit 1 when something did."""
    for problem in problems:
        err.print(f"error: {problem}", markup=False)
    if problems:
        raise typer.Exit(1)


def print_profile(steps: list[Any]) -> None:
    """Print what the steps of a run took, the longest first, and all of them together."""
    rows = [
        (step.name, step.rows, round(step.seconds, 2), round(step.rows / step.seconds) if step.rows and step.seconds else None,
         step.peak_mb)
        for step in sorted(steps, key=lambda step: -step.seconds)
    ]  # fmt: skip
    total = round(sum(step.seconds for step in steps), 2)
    peak = max((step.peak_mb for step in steps), default=0)
    print_rows(["step", "rows", "seconds", "rows/s", "peak MB"], [*rows, ("all steps", None, total, None, peak)])


def run_night(place: Workspace, steps: list[Any] | None = None) -> None:
    """Run the night in process, a line a step, and say what came of it; exit 1 when a file could not be read."""
    problems = run_quietly(place, lambda line: out.print(line, markup=False), steps)
    for line in answers.telling_numbers(place):
        out.print(line, markup=False)
    print_where(place)
    end_with(problems)


def run_logged(place: Workspace) -> None:
    """Run the night in process, a JSON object a line: each step with its rows, seconds and memory, and what went wrong."""
    from pipelines.run import run_in_process

    def tell(level: str, **said: Any) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        sys.stdout.write(json.dumps({"at": at, "level": level, **said}, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def done(step: Any) -> None:
        tell(
            "info",
            step=step.name,
            rows=step.rows,
            seconds=round(step.seconds, 3),
            peak_mb=step.peak_mb,
            unchanged=step.is_kept,
        )

    try:
        problems = run_in_process(place, say=lambda _line: None, done=done)
    except (ConfigurationError, DataError) as error:
        tell("error", message=str(error))
        raise typer.Exit(2 if isinstance(error, ConfigurationError) else 1) from error
    for problem in problems:
        tell("error", message=problem)
    tell("info", message="published", run=answers.json_ready(answers.last_run(place)))
    if problems:
        raise typer.Exit(1)


def write_file(path: Path, content: bytes) -> None:
    """Write a file that a user named; raises ConfigurationError when that cannot be."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error


def print_where(place: Workspace) -> None:
    """Say where the report and the warehouse lie."""
    out.print(f"Report     {place.reports / 'latest' / 'index.html'}", markup=False)
    out.print(f"Warehouse  {place.published}", markup=False)


def print_json(answer: Any) -> None:
    """Print an answer as JSON."""
    sys.stdout.write(json.dumps(answers.json_ready(answer), indent=2, ensure_ascii=False) + "\n")


def print_rows(columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    """Print rows as a table; tab-separated when nobody is looking."""
    if not out.is_terminal:
        for line in (columns, *rows):
            sys.stdout.write("\t".join("" if value is None else str(value) for value in line) + "\n")
        return
    table = RichTable(*columns)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    out.print(table)


def main() -> None:
    """Entry point of the `journeys` command."""
    app()


if __name__ == "__main__":
    main()

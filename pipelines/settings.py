"""Settings: the workspace on disk, and journey.yaml read with the line of every mistake."""

import hashlib
import json
import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from dotenv import dotenv_values
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from pipelines import readers
from pipelines.errors import ConfigurationError, DataError
from pipelines.notices import Notices
from pipelines.settling import Settling
from transforms.alerts import Alert
from transforms.audiences import Audience
from transforms.channel_rules import RULES
from transforms.journey import Entry, Funnel, Journey, Specification
from transforms.mapping import Source
from transforms.nearest import did_you_mean

CHECKOUT = Path(__file__).resolve().parents[1]
PRESETS = Path(__file__).resolve().parent / "presets"
KEY_VARIABLE = "JOURNEYS_HMAC_KEY"
WORKSPACE_VARIABLE = "JOURNEYS_WORKSPACE"

OUTER = ("preset", "sources", "engine", "landing", "notices", "alerts", "audiences")

Place = tuple[str | int, ...]
Model = TypeVar("Model")


class Spark(Entry):
    """The cluster on which transforms run when the engine is Spark."""

    master: str = Field(
        "local[*]",
        pattern=r"^(local(\[(\*|\d+)\])?|spark://\S+|yarn|k8s://\S+)$",
        description="Spark's master: `local[*]` for this machine, else its address.",
    )
    storage: str | None = Field(
        None,
        description="Folder, or `s3://`, `gs://`, `az://` prefix, that the master's workers reach under the same name; "
        "without it a folder beside the build file.",
    )
    settings: dict[str, str] = Field(
        default_factory=dict, description="Spark's own settings, such as `spark.executor.memory`."
    )

    @model_validator(mode="after")
    def _settings_are_sparks(self) -> "Spark":
        foreign = next((name for name in self.settings if not name.startswith("spark.")), None)
        if foreign:
            raise ValueError(f"settings: '{foreign}' is none of Spark's; their names begin with 'spark.'")
        return self


class Engine(Entry):
    """Where transforms run, and how much of the machine a run may use; `engine: spark` is short for its name alone."""

    name: Literal["local", "spark"] = Field("local", description="`local` on this machine, `spark` on a cluster.")
    memory: str = Field("2GB", pattern=r"^\d+(\.\d+)?\s?(MB|GB)$", description="Memory budget of the database.")
    bucket_rows: int = Field(250_000, ge=1_000, description="Events of whole customers worked on at a time.")
    spark: Spark = Spark()

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class Configuration(Entry):
    """journey.yaml: the journey, where its events come from, and the engine."""

    preset: str | None = None
    sources: dict[str, Source] = Field(default_factory=dict)
    engine: Engine = Engine()
    landing: Settling = Settling()
    notices: Notices = Notices()
    alerts: tuple[Alert, ...] = ()
    audiences: tuple[Audience, ...] = ()
    journey: Journey = Journey()

    @model_validator(mode="after")
    def _alerts_ask_for_figures_that_exist(self) -> "Configuration":
        known = {
            "funnel_rate": [funnel.name for funnel in self.journey.funnels],
            "kpi": [f"{kpi.stage}.{kpi.metric}" for kpi in self.journey.kpis],
            "quarantined_share": list(self.sources),
        }
        for alert in self.alerts:
            names = known[alert.metric]
            if alert.of not in names:
                hint = did_you_mean(alert.of, names)
                raise ValueError(
                    f"alerts: no {alert.metric} of '{alert.of}'{hint}; there are: {', '.join(names) or 'none'}"
                )
        return self

    @model_validator(mode="after")
    def _audiences_are_of_what_exists(self) -> "Configuration":
        steps = {funnel.name: [step.label for step in funnel.steps] for funnel in self.journey.funnels}
        names = [audience.name for audience in self.audiences]
        if len(set(names)) < len(names):
            raise ValueError(
                f"audiences: the name '{next(name for name in names if names.count(name) > 1)}' is given twice"
            )
        for audience in self.audiences:
            asked = [
                ("stage", audience.stage, self.journey.stage_names),
                ("segment", audience.segment, [segment.name for segment in self.journey.segments]),
                ("funnel", audience.funnel, list(steps)),
                ("step", audience.stopped_at, steps.get(audience.funnel or "", [])),
            ]
            for what, name, known in asked:
                if name is not None and name not in known:
                    hint = did_you_mean(name, known)
                    raise ValueError(
                        f"audience '{audience.name}': no {what} '{name}'{hint}; there are: {', '.join(known) or 'none'}"
                    )
            if (
                audience.funnel
                and next(each for each in self.journey.funnels if each.name == audience.funnel).unit != "customer"
            ):
                raise ValueError(f"audience '{audience.name}': the funnel '{audience.funnel}' does not count customers")
        return self

    @property
    def version(self) -> str:
        """Hash of everything that can change a number, the channel rules with it."""
        said = {
            **self.model_dump(mode="json", exclude={"engine", "landing", "preset", "notices", "alerts", "audiences"}),
            "channel_rules": RULES.version,
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Workspace:
    """A business's folder: what landed, what is configured, what was written."""

    root: Path

    @property
    def journey_file(self) -> Path:
        """The configuration."""
        return self.root / "journey.yaml"

    @property
    def landing(self) -> Path:
        """Where files land; only the operator, and the sample generator, write here."""
        return self.root / "landing"

    @property
    def published(self) -> Path:
        """The warehouse that analysts open."""
        return self.root / "warehouse" / "journeys.duckdb"

    @property
    def build_file(self) -> Path:
        """The private file that a run writes; published by copy and rename."""
        return self.root / "warehouse" / "build" / "build.duckdb"

    @property
    def staged_site(self) -> Path:
        """The report site that a run has drawn and not yet published."""
        return self.root / "warehouse" / "build" / "site"

    @property
    def audiences(self) -> Path:
        """The lists that are handed over as files, a folder for each audience."""
        return self.root / "audiences"

    @property
    def reports(self) -> Path:
        """The report sites, one folder a day, and `latest`."""
        return self.root / "reports"

    @cached_property
    def configuration(self) -> Configuration:
        """journey.yaml, validated.

        Raises ConfigurationError naming file, line, what is wrong and what is allowed.
        """
        if not self.journey_file.exists():
            raise ConfigurationError(
                f"{self.journey_file} does not exist; make a workspace with: journeys init {self.root} --preset ecommerce"
            )
        return read_configuration(self.journey_file)

    @cached_property
    def hmac_key(self) -> bytes:
        """The key under which e-mail addresses and phone numbers are hashed, from the environment or the workspace's .env.

        Raises DataError when there is none.
        """
        key = os.environ.get(KEY_VARIABLE) or dotenv_values(self.root / ".env").get(KEY_VARIABLE)
        if not key:
            raise DataError(
                f"no key for personal values: set {KEY_VARIABLE} in the environment or in {self.root / '.env'} "
                "(a long random text, for example from: openssl rand -hex 32); keep it, ids depend on it"
            )
        return key.encode()


def workspace_at(path: Path | None) -> Workspace:
    """The workspace a command works on: the one given, else JOURNEYS_WORKSPACE, else `data/` of the checkout."""
    chosen = path or Path(os.environ.get(WORKSPACE_VARIABLE) or CHECKOUT / "data")
    return Workspace(chosen.resolve())


def preset_names() -> list[str]:
    """The presets that are shipped."""
    return sorted(file.stem for file in PRESETS.glob("*.yaml"))


def preset_file(name: str) -> Path:
    """The file of a preset; raises ConfigurationError with the list of presets for an unknown one."""
    if name not in preset_names():
        raise ConfigurationError(f"unknown preset '{name}'; there are: {', '.join(preset_names())}")
    return PRESETS / f"{name}.yaml"


def read_configuration(path: Path) -> Configuration:
    """journey.yaml with its preset underneath: a key of the file replaces the preset's, one that is left empty does not."""
    document = Document.read(path)
    said = {key: value for key, value in document.mapping().items() if value is not None}
    base: dict[str, Any] = {}
    if "preset" in said:
        try:
            base = Document.read(preset_file(str(said["preset"]))).mapping()
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}, line {document.lines.get(('preset',), 1)}: {error}") from None
    refuse_unknown_keys(document)
    outer = {key: said[key] for key in OUTER if key in said}
    inner = {key: value for key, value in said.items() if key not in outer}
    configuration = document.validate(Configuration, {**outer, "journey": {**base, **inner}}, hidden="journey")
    refuse_misfits(document, configuration.sources)
    return configuration


def refuse_misfits(document: "Document", sources: Mapping[str, Source]) -> None:
    """Raise ConfigurationError for a source that says what its format does not know, with the line of the source."""
    for name, source in sources.items():
        try:
            readers.feeds(name, source)
        except ConfigurationError as error:
            line = document.lines.get(("sources", name), 1)
            raise ConfigurationError(f"{document.path}, line {line}: {error}") from None


def refuse_unknown_keys(document: "Document") -> None:
    """Raise ConfigurationError for a top-level key that journey.yaml does not have, with the nearest and with all."""
    known = [*(name for name in Configuration.model_fields if name != "journey"), *Journey.model_fields]
    for key in document.mapping():
        if key not in known:
            hint = did_you_mean(key, known)
            line = document.lines.get((key,), 1)
            raise ConfigurationError(
                f"{document.path}, line {line}: unknown key '{key}'{hint}; allowed: {', '.join(known)}"
            )


def read_specification(path: Path) -> tuple[Specification, bool]:
    """What a specification file asks; and whether it has one answer, and not a list of them.

    The file holds a funnel entry, a list of them, or a mapping with `funnels` and the `segments` and `conversions` they need.
    """
    document = Document.read(path)
    if isinstance(document.data, dict) and ("funnels" in document.data or "segments" in document.data):
        return document.validate(Specification, document.data), False
    is_one = not isinstance(document.data, list)
    entries = (
        [document.validate(Funnel, document.mapping())] if is_one else document.validate(list[Funnel], document.data)
    )
    return Specification.model_construct(funnels=tuple(entries)), is_one


BOOLEAN = "tag:yaml.org,2002:bool"
ASKED_FOR_TEXT = {"string_type", "dict_type", "tuple_type", "model_type", "model_attributes_type", "literal_error"}


@dataclass(frozen=True)
class Document:
    """A YAML file: what it says, and on which line it says it. `booleans` are those of its words that YAML reads as true or false."""

    path: Path
    data: Any
    lines: dict[Place, int]
    booleans: dict[Place, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Document":
        """Read one YAML document; no tags, no duplicate keys."""
        try:
            text = path.read_text(encoding="utf-8")
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            data = yaml.safe_load(text)
        except FileNotFoundError as error:
            raise ConfigurationError(f"{path} does not exist") from error
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}") from error
        except (yaml.YAMLError, RecursionError) as error:
            raise ConfigurationError(f"{path}: not valid YAML: {_yaml_problem(error)}") from error
        document = cls(path, data, {})
        document.note(node, ())
        return document

    def mapping(self) -> dict[str, Any]:
        """The content as a mapping; raises ConfigurationError when it is something else."""
        if self.data is None:
            return {}
        if not isinstance(self.data, dict):
            raise ConfigurationError(
                f"{self.path}, line 1: expected keys such as `stages:`, found {type(self.data).__name__}"
            )
        return self.data

    def validate(self, model: type[Model], data: Any, *, hidden: str | None = None) -> Model:
        """The data as a model; every mistake with its line. `hidden` is a key of the model that the file does not write.

        Raises ConfigurationError with all mistakes, one a line.
        """
        try:
            return TypeAdapter(model).validate_python(data)
        except ValidationError as error:
            problems = [
                self._problem(dict(item), hidden) for item in error.errors(include_url=False, include_input=True)
            ]
            raise ConfigurationError("\n".join(dict.fromkeys(problems))) from None

    def _problem(self, item: dict[str, Any], hidden: str | None) -> str:
        place = tuple(part for index, part in enumerate(item["loc"]) if not (index == 0 and part == hidden))
        key = (item.get("ctx") or {}).get("key")
        known = self._known_prefix((*place, key) if key is not None else place)
        message = str(item["msg"]).removeprefix("Value error, ")
        if item["type"] in ASKED_FOR_TEXT and known in self.booleans:
            message = _quoted(self.booleans[known])
        if item["type"] == "missing":
            message = f"'{item['loc'][-1]}' is missing"
        if item["type"] == "too_short":
            message = f"'{item['loc'][-1]}' needs at least {item['ctx']['min_length']} entry"
        where = ".".join(str(part) for part in self._known_prefix(place))
        return f"{self.path}, line {self.lines.get(known, 1)}: {where + ': ' if where else ''}{message}"

    def note(self, node: yaml.Node | None, place: Place) -> None:
        """Write down the lines of a node and of all below it.

        Raises ConfigurationError for a key that is given twice, and for one such as `no` that YAML does not read as text.
        """
        if node is None:
            return
        self.lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode) and node.tag == BOOLEAN:
            self.booleans[place] = node.value
        if isinstance(node, yaml.MappingNode):
            seen: set[Hashable] = set()
            for key_node, value_node in node.value:
                key, line = key_node.value, key_node.start_mark.line + 1
                if key in seen:
                    raise ConfigurationError(f"{self.path}, line {line}: the key '{key}' is given twice")
                if key_node.tag == BOOLEAN and key.lower() not in ("true", "false"):
                    raise ConfigurationError(f"{self.path}, line {line}: {_quoted(key)}")
                seen.add(key)
                self.lines[(*place, key)] = line
                self.note(value_node, (*place, key))
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.note(item, (*place, index))

    def _known_prefix(self, place: Place) -> Place:
        """The place without the parts that only the model knows (union members, validators)."""
        known: Place = ()
        for part in place:
            if (*known, part) in self.lines:
                known = (*known, part)
        return known


def _quoted(word: str) -> str:
    return f"YAML reads {word} as true or false; to mean the word, quote it: '{word}'"


def _yaml_problem(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "nested too deeply or malformed"
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)

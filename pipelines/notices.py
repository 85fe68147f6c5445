"""Notices: what people are told of a run, by webhook and by e-mail; nothing when all is well.

Addresses of servers, and passwords, come from the environment alone.
"""

import json
import os
import smtplib
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import Field

from pipelines.errors import ConfigurationError
from transforms.journey import Duration, Entry

WEBHOOK_VARIABLE = "JOURNEYS_WEBHOOK_URL"
SMTP_VARIABLE = "JOURNEYS_SMTP_URL"
SENDER_VARIABLE = "JOURNEYS_MAIL_FROM"
TRIES = 3
SECONDS = 10


class Notices(Entry):
    """Who is told when a run fails, files could not be read, a source is late, or an alert is crossed."""

    webhook: bool = Field(False, description=f"Post JSON to the address in {WEBHOOK_VARIABLE}.")
    email: tuple[str, ...] = Field(
        (),
        description=f"Who gets an e-mail, by the server in {SMTP_VARIABLE} (smtp://user:password@host:587, or smtps://).",
    )
    late_after: Duration | None = Field(
        None, description="A source whose newest event is older than this at a run's start is late."
    )


@dataclass(frozen=True)
class Notice:
    """Something to tell: what kind (failed, partial, late, alert, recovered), a line, and what is known of it."""

    kind: str
    line: str
    facts: dict[str, Any] = field(default_factory=dict)


def late_sources(newest: dict[str, datetime | None], *, at: datetime, after: timedelta | None) -> list[Notice]:
    """A notice for each source whose newest event is older than it should be."""
    if after is None:
        return []
    return [
        Notice("late", f"source '{name}' is late: its newest event is of {seen:%Y-%m-%d %H:%M} UTC", {"source": name})
        for name, seen in sorted(newest.items())
        if seen is not None and at - seen > after
    ]


def alert_notices(rows: list[dict[str, Any]]) -> list[Notice]:
    """A notice for each alert that is news, from rows of ops.alerts."""
    return [
        Notice("alert" if row["is_crossed"] else "recovered", _alert_line(row), {**row, "since": str(row["since"])})
        for row in rows
        if row["is_news"]
    ]


def _alert_line(row: dict[str, Any]) -> str:
    told = (
        f"{row['metric']} of '{row['subject']}' is {row['value']:.1%} ({row['numerator']:,} of {row['denominator']:,}"
    )
    interval = f", 95 % interval {row['low']:.1%} to {row['high']:.1%})"
    where = (
        f"{row['direction']} {row['limit']:.1%}"
        if row["is_crossed"]
        else f"no longer {row['direction']} {row['limit']:.1%}"
    )
    owner = f"; owner: {row['owner']}" if row["owner"] else ""
    return f"{told}{interval}, {where}{owner}"


def send(settings: Notices, business: str, notices: list[Notice]) -> list[str]:
    """Tell everybody who is to be told; returns what could not be sent, in sentences that hold no address and no password."""
    if not notices:
        return []
    problems = []
    for name, wanted, way in (("webhook", settings.webhook, _post), ("e-mail", bool(settings.email), _mail)):
        if not wanted:
            continue
        try:
            _tried(partial(way, settings, business, notices))
        except (OSError, smtplib.SMTPException, ConfigurationError) as error:
            problems.append(f"the {name} could not be sent: {_reason(error)}")
    return problems


def _tried(attempt: Callable[[], None]) -> None:
    """Try a few times, waiting longer each time; what is refused for good is not tried again."""
    for number in range(TRIES):
        try:
            attempt()
            return
        except (OSError, smtplib.SMTPException) as error:
            if number == TRIES - 1 or _is_refusal(error):
                raise
        time.sleep(2**number / 4)


def _is_refusal(error: Exception) -> bool:
    """True for an answer that will be the same next time."""
    if isinstance(error, urllib.error.HTTPError):
        return 400 <= error.code < 500
    return isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 500


def _reason(error: Exception) -> str:
    if isinstance(error, ConfigurationError):
        return str(error)
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"the server cannot be reached ({type(error.reason).__name__})"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the server answered {error.smtp_code}"
    return f"the server cannot be reached ({type(error).__name__})"


# ---------------------------------------------------------------- the two ways


def _post(_settings: Notices, business: str, notices: list[Notice]) -> None:
    address = _said(WEBHOOK_VARIABLE, "https://hooks.example/abc")
    if urlsplit(address).scheme not in ("http", "https"):
        raise ConfigurationError(f"{WEBHOOK_VARIABLE} is no http:// or https:// address")
    text = "\n".join([f"{business}: {notice.kind}: {notice.line}" for notice in notices])
    body = {"business": business, "text": text, "notices": [asdict(notice) for notice in notices]}
    request = urllib.request.Request(
        address,
        data=json.dumps(body, default=str).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=SECONDS):
        pass


def _mail(settings: Notices, business: str, notices: list[Notice]) -> None:
    message = EmailMessage()
    first, more = notices[0], len(notices) - 1
    subject = f"{business}: {first.kind}: {first.line}" + (f" (and {more} more)" if more else "")
    message["Subject"] = " ".join(subject.split())[:200]
    message["From"] = _said(SENDER_VARIABLE, "journeys@shop.example")
    message["To"] = ", ".join(settings.email)
    message.set_content("\n".join(f"{notice.kind}: {notice.line}" for notice in notices) + "\n")
    with _server() as server:
        server.send_message(message)


@contextmanager
def _server() -> Iterator[smtplib.SMTP]:
    """The mail server; encrypted with smtps://, and with smtp:// wherever the server offers it."""
    place = urlsplit(_said(SMTP_VARIABLE, "smtp://user:password@mail.example:587"))
    if place.scheme not in ("smtp", "smtps") or not place.hostname:
        raise ConfigurationError(f"{SMTP_VARIABLE} is no smtp:// or smtps:// address")
    context = ssl.create_default_context()
    if place.scheme == "smtps":
        made: smtplib.SMTP = smtplib.SMTP_SSL(place.hostname, place.port or 465, timeout=SECONDS, context=context)
    else:
        made = smtplib.SMTP(place.hostname, place.port or 587, timeout=SECONDS)
    with made as server:
        server.ehlo()
        if place.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=context)
        if place.username:
            server.login(unquote(place.username), unquote(place.password or ""))
        yield server


def _said(variable: str, example: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise ConfigurationError(f"set {variable} in the environment (such as {example})")
    return value

"""Messages about ended runs, sent through Apprise."""

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from util_services.errors import DataServiceError

NOTIFY_URLS = "NOTIFY_URLS"
WEBSERVER_URL = "DAGSTER_WEBSERVER_URL"


@dataclass(frozen=True)
class RunReport:
    """What a message says about a run.

    Attributes:
        job: Job name.
        run_id: Run id.
        status: ``SUCCESS``, ``FAILURE`` or ``CANCELED``.
        start: Start, seconds since the epoch; ``None`` if the run never started.
        end: End, seconds since the epoch.
        failed_steps: Names of the steps that failed.
        error: Why the run failed.
    """

    job: str
    run_id: str
    status: str
    start: float | None
    end: float | None
    failed_steps: tuple[str, ...] = ()
    error: str | None = None

    @property
    def title(self) -> str:
        """The subject line."""
        return f"{self.job}: {self.status}"

    @property
    def body(self) -> str:
        """The message, one fact a line."""
        url = os.environ.get(WEBSERVER_URL)
        facts = {
            "Job": self.job,
            "Run": self.run_id,
            "Status": self.status,
            "Start": _moment(self.start),
            "Duration": f"{self.end - self.start:.1f} s" if self.start and self.end else None,
            "Failed steps": ", ".join(self.failed_steps),
            "Error": first_sentence(self.error) if self.error else None,
            "Link": f"{url.rstrip('/')}/runs/{self.run_id}" if url else None,
        }
        return "\n".join(f"{name}: {fact}" for name, fact in facts.items() if fact)


def configured() -> bool:
    """Tell whether there is anybody to notify."""
    return bool(os.environ.get(NOTIFY_URLS, "").strip())


def send(report: RunReport) -> None:
    """Send a message to every URL in ``NOTIFY_URLS``.

    Raises:
        DataServiceError: If a URL is malformed or a receiver did not take the message. URLs hold credentials, so
            only their kind is named.
    """
    import apprise  # slow to import, and needed only where somebody is to be notified

    receivers = apprise.Apprise()
    if not receivers.add(os.environ[NOTIFY_URLS]) or not len(receivers):
        raise DataServiceError(
            f"The environment variable {NOTIFY_URLS} holds an entry that Apprise does not understand: correct it."
        )
    dead = [
        receiver.service_name or "unnamed"
        for receiver in receivers
        if not receiver.notify(title=report.title, body=report.body, body_format=apprise.NotifyFormat.TEXT)
    ]
    if dead:
        raise DataServiceError(
            f"{len(dead)} of {len(receivers)} receivers in {NOTIFY_URLS} did not take the message "
            f"({', '.join(map(str, dead))}): check that they are up and the credentials are right."
        )


def first_sentence(text: str) -> str:
    """Cut a text after its first sentence.

    Examples:
        >>> first_sentence("The column 'a.b' is missing: add it. Traceback follows.")
        "The column 'a.b' is missing: add it."
        >>> first_sentence("No full stop")
        'No full stop'
    """
    line = text.strip().splitlines()[0] if text.strip() else ""
    sentence = re.match(r".*?[.!?](?=\s|$)", line)
    return sentence[0] if sentence else line


def _moment(seconds: float | None) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else None

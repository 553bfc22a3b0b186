"""The one place where an exception becomes what the Dagster UI shows."""

import errno
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster import DagsterError, Failure, RetryRequested

from util_services.errors import DataServiceError, quoted

_FULL = os.strerror(errno.ENOSPC)


class InvalidRunConfigError(DagsterError):
    """A mistake that is found in a run configuration before the run starts, told in one sentence."""


@contextmanager
def reported() -> Iterator[None]:
    """Turn exceptions of a block into a :class:`dagster.Failure` of one sentence.

    A :class:`DataServiceError` is shown as it is. Any other exception may quote cell values (engines do), so only its
    type and the place in the code are shown. Dagster's own exceptions and interrupts pass.

    Raises:
        Failure: With ``allow_retries=False``; the original exception is not chained, so its text is not stored.
    """
    try:
        yield
    except (Failure, RetryRequested, DagsterError):
        raise
    except DataServiceError as error:
        raise Failure(description=str(error), allow_retries=False) from None
    except Exception as error:  # noqa: BLE001 - whatever it is, its text must not be stored
        if sentence := quoted(error) or _of_full_disk(error):
            raise Failure(description=sentence, allow_retries=False) from None
        calls = traceback.extract_tb(error.__traceback__)
        known = [call for call in calls if "site-packages" not in call.filename]
        where = ", ".join(f"{Path(call.filename).name} line {call.lineno}" for call in (*known[-1:], calls[-1]))
        raise Failure(
            description=f"The step stopped with {type(error).__name__} ({where}); its message is withheld because it "
            "may quote cell values, so repeat the step on data that is not personal to see it.",
            allow_retries=False,
        ) from None


def _of_full_disk(error: Exception) -> str | None:
    """Tell what to do where a disk is full, which engines tell each in their own way."""
    if not (isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}) and _FULL not in str(error):
        return None
    return (
        "No space is left on a disk: free some where the output, the staging folder (STAGING_DIR) and temporary files "
        "lie, and run again."
    )

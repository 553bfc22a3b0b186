"""Runs on a Spark cluster, each with a process and a session of its own, and what Spark notes of them."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


def logging_to(folder: Path) -> dict[str, str]:
    """Give the settings with which Spark writes its event log, one file for each session, into a folder."""
    folder.mkdir()
    return {
        "spark_eventLog_enabled": "true",
        "spark_eventLog_dir": folder.as_uri(),
        "spark_eventLog_compress": "false",
        "spark_eventLog_rolling_enabled": "false",
    }


@dataclass(frozen=True)
class Stage:
    """What Spark notes of one stage.

    Attributes:
        result_bytes: What each of its tasks that ended well sent to the driver, metrics included.
        seconds: From the stage's start to its end.
        task_seconds: What its tasks took, all together.
    """

    result_bytes: tuple[int, ...]
    seconds: float
    task_seconds: float


def stages(folder: Path) -> list[Stage]:
    """Read the event log of the only session that was logged to a folder.

    A task's ``Result Size`` (in ``Task Metrics`` of the event ``SparkListenerTaskEnd``) is the size of its result as
    the driver received it, whether the driver asked by collecting rows, as Arrow, or for a broadcast.
    """
    (log,) = folder.iterdir()
    tasks: dict[tuple[int, int], list[Mapping[str, int]]] = defaultdict(list)
    times: dict[tuple[int, int], float] = {}
    for line in log.read_text().splitlines():
        event = json.loads(line)
        if event["Event"] == "SparkListenerTaskEnd" and event["Task End Reason"]["Reason"] == "Success":
            tasks[event["Stage ID"], event["Stage Attempt ID"]].append(event["Task Metrics"])
        elif event["Event"] == "SparkListenerStageCompleted":
            info = event["Stage Info"]
            milliseconds = info["Completion Time"] - info["Submission Time"]
            times[info["Stage ID"], info["Stage Attempt ID"]] = milliseconds / 1000
    return [
        Stage(
            tuple(task["Result Size"] for task in tasks[stage]),
            seconds,
            sum(task["Executor Run Time"] for task in tasks[stage]) / 1000,
        )
        for stage, seconds in times.items()
    ]

"""Every job of the location gives the same on Polars, on a real Spark cluster and through Spark Connect."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest
from spark_runs import EXAMPLES, Outcome, outcome_of

from template_code_location.repository import defs

JOBS = [job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")]
CASES = [*JOBS, *sorted(path.name for path in EXAMPLES.glob("*.yaml"))]
Outcomes = Callable[[str], Outcome]


@pytest.fixture(scope="module")
def connect_outcomes(
    request: pytest.FixtureRequest, through_connect: Callable[[Sequence[str]], Mapping[str, Outcome]]
) -> Mapping[str, Outcome]:
    """What every case that is tested leaves behind through Spark Connect."""
    chosen = [item.callspec.params["case"] for item in request.session.items if "connect_outcomes" in item.fixturenames]
    return through_connect(chosen)


@pytest.fixture(scope="module")
def expected() -> Outcomes:
    """What a case leaves behind on Polars."""
    return cache(outcome_of)


@pytest.mark.parametrize("case", CASES)
def test_a_job_gives_the_same_through_spark_connect(
    case: str, connect_outcomes: Mapping[str, Outcome], expected: Outcomes, samples: None, here: Path
) -> None:
    del samples, here
    assert connect_outcomes[case] == expected(case)


@pytest.mark.parametrize("case", CASES)
def test_a_job_gives_the_same_on_a_spark_cluster(
    case: str, expected: Outcomes, on_spark: Callable[[], None], samples: None, here: Path
) -> None:
    del samples, here
    before = expected(case)
    assert before.failure is None
    on_spark()
    assert outcome_of(case) == before

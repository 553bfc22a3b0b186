"""Every job of the location gives the same on Polars, on a real Spark cluster and through Spark Connect."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from dagster import ExecuteInProcessResult
from spark_runs import EXAMPLES, Outcome, outcome_of, run

from template_code_location.repository import defs
from util_services.sample_keys import SAMPLE_KEY_NAME

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


def test_tokens_made_on_a_spark_cluster_are_those_of_its_table_on_any_engine(
    on_spark: Callable[[], None], samples: None, here: Path
) -> None:
    del samples
    (here / "in.csv").write_text("id,name\n" + "".join(f"{row},n{row % 7}\n" for row in range(40)))
    assert tokenised(here / "polars.csv", limit_rows=5).success
    on_spark()
    assert tokenised(here / "spark.csv").success
    made = pl.read_csv(here / "spark.csv")
    names = pl.read_csv(here / "in.csv")["name"]
    assert made["name"][:5].to_list() == pl.read_csv(here / "polars.csv")["name"].to_list()
    assert len(pl.DataFrame({"name": names, "token": made["name"]}).unique()) == names.n_unique() == 7
    back = {"technique": {"type": "detokenise", "columns": ["name"], **TABLE}}
    for engine in ("spark", "polars"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ENGINE", engine)
            restored = run(
                "depseudonymise_structured_job",
                read_csv_to_df={"input_path": "spark.csv"},
                depseudonymise_structured={"used_function": [back]},
                write_df_to_csv={"output_path": f"{engine}-back.csv"},
            )
        assert restored.success
        assert (here / f"{engine}-back.csv").read_bytes() == (here / "in.csv").read_bytes()


TABLE = {"key_name": SAMPLE_KEY_NAME, "mapping_table": "table"}


def tokenised(output: Path, limit_rows: int | None = None) -> ExecuteInProcessResult:
    return run(
        "anonymise_pseudonymise_structured_job",
        read_csv_to_df={"input_path": "in.csv", **({"limit_rows": limit_rows} if limit_rows else {})},
        anonymise_pseudonymise_structured={
            "used_function": [{"technique": {"tokenise": {"columns": ["name"], **TABLE}}}]
        },
        write_df_to_csv={"output_path": output.name},
    )


@pytest.mark.parametrize(
    "steps",
    [
        [{"sample_rows": {"size": 9, "seed": 3}}],
        [{"filter_rows": {"condition": "row != 7"}}, {"sample_rows": {"share": 0.4, "stratify_by": ["sex"]}}],
        [{"sort_rows": {"by": ["sex"]}}, {"sample_rows": {"share": 0.5}}, {"remove_duplicates": {"columns": ["sex"]}}],
        [{"remove_duplicates": {"columns": ["sex"], "keep": "last", "ignore_case": True}}],
        [{"remove_duplicates": {"columns": ["sex", "row"], "keep": "none", "similarity": {"row": 0.5}}}],
        [
            {"normalise_missing_markers": {"columns": ["text"]}},
            {"replace_pattern": {"columns": ["text"], "pattern": "(?<first>[É-Þ])", "replacement": "<${first}>"}},
            {"replace_values": {"columns": ["text"], "mapping": {"ärger": "A"}, "ignore_case": True}},
        ],
    ],
    ids=["sample", "sample-of-strata", "sample-of-sorted", "last-duplicate", "no-near-duplicate", "texts"],
)
def test_rows_are_compared_and_texts_rewritten_alike_on_a_spark_cluster(
    steps: list[dict[str, Any]], on_spark: Callable[[], None], here: Path
) -> None:
    texts = ["\u00a0n/a\u2003", "ÄRGER", "İstanbul", "ǅ É", "straße", '"a\nb"']
    rows = [f"{row},{'FfM'[row % 3] if row % 5 else ''},{texts[row % 6]}\n" for row in range(60)]
    (here / "in.csv").write_text("row,sex,text\n" + "".join(rows))
    cleaned = {
        "read_csv_to_df": {"input_path": "in.csv"},
        "clean_data": {"steps": [{"step": step} for step in steps]},
        "write_df_to_csv": {"output_path": "out.csv"},
    }
    assert run("clean_data_job", **cleaned).success
    expected = (here / "out.csv").read_bytes()
    on_spark()
    assert run("clean_data_job", **cleaned).success
    assert (here / "out.csv").read_bytes() == expected

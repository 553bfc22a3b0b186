"""The report of the search as it was. To be removed with the ops that use it: see report."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dataframe_level_anonymisation.anonymise import Result
from util_services.preview import markdown_cell


def metrics(result: Result) -> dict[str, Any]:
    """Give the figures of a run, without cell values.

    Returns:
        ``rows``, ``rows_suppressed``, ``levels``, ``achieved``, ``loss``, ``optimal``, ``nodes``, ``nodes_checked``,
        ``seconds``, ``unique_share`` (``before`` and ``after``, 0 to 1).
    """
    return {
        "rows": result.rows,
        "rows_suppressed": result.rows_suppressed,
        "levels": {column: level for column, (level, _) in result.levels.items()},
        "achieved": result.achieved,
        "loss": result.loss,
        "optimal": result.optimal,
        "nodes": result.nodes,
        "nodes_checked": result.nodes_checked,
        "seconds": {phase: round(seconds, 4) for phase, seconds in result.seconds.items()},
        "unique_share": {"before": uniqueness(result.classes_before), "after": uniqueness(result.classes_after)},
    }


def uniqueness(sizes: np.ndarray[Any, np.dtype[np.int64]]) -> float:
    """Share of rows that are alone in their equivalence class, from 0 to 1; 0 without rows.

    Args:
        sizes: Array (classes,): rows of each class.
    """
    rows = int(sizes.sum())
    return int((sizes == 1).sum()) / rows if rows else 0.0


def markdown(result: Result, requirements: Sequence[str]) -> str:
    """Render the report.

    Args:
        result: The anonymisation.
        requirements: What was asked, one phrase a model.
    """
    kept = result.rows - result.rows_suppressed
    reached = ", ".join(f"{name} = {value}" for name, value in result.achieved.items()) or "no row left"
    share = result.rows_suppressed / result.rows if result.rows else 0.0
    lines = [
        f"### {', '.join(requirements)}: met and verified on the output",
        "",
        "| | before | after |",
        "|---|---:|---:|",
        f"| rows | {result.rows:,} | {kept:,} |",
        f"| equivalence classes | {len(result.classes_before):,} | {len(result.classes_after):,} |",
        f"| smallest class | {_smallest(result.classes_before)} | {_smallest(result.classes_after)} |",
        f"| unique rows | {uniqueness(result.classes_before):.1%} | {uniqueness(result.classes_after):.1%} |",
        "",
        f"- Achieved: {reached}",
        f"- Rows suppressed: {result.rows_suppressed:,} ({share:.2%})",
        f"- Information loss: {result.loss:.1%} (generalised loss, 0 % unchanged, 100 % nothing left)",
        f"- Proven optimal: {result.nodes_checked:,} of {result.nodes:,} lattice nodes computed, the others ruled out",
        "",
        "| quasi-identifier | level chosen | of |",
        "|---|---:|---:|",
    ]
    lines += [
        f"| {markdown_cell(column)} | {level} | {highest} |" for column, (level, highest) in result.levels.items()
    ]
    return "\n".join(lines)


def _smallest(sizes: np.ndarray[Any, np.dtype[np.int64]]) -> str:
    return f"{sizes.min():,}" if len(sizes) else "none"

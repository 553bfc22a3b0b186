"""A hospital's register of visits as CSV, written in parts, so that no size needs memory."""

from pathlib import Path

import numpy as np
import polars as pl

_PART_ROWS = 500_000
_VISITS = 10  # of a patient, spread over the file
_FIRST = ["Anna", "Béla", "Carla", "Dmitri", "Eva", "Franz", "Gina", "Hugo", "Inês", "Jan"]
_LAST = ["Novák", "Schmidt", "García", "Rossi", "Kowalski", "Jansen", "Nielsen", "Horvat", "Silva", "Dupont"]
_NOTES = ["follow-up in two weeks, bring the list of medication", 'see "chart" of ward 7', "", "none"]
_DIAGNOSES = ["Influenza", "Common cold", "Malignant neoplasm, lung", "Asthma", "n/a"]


def write_visits(rows: int, path: Path) -> None:
    """Write 12 columns, about 170 bytes a row, with a fixed seed.

    Age, gender and weight have 6,000 combinations, all of which occur from 100,000 rows on.

    Args:
        rows: How many; a tenth as many patients.
        path: The file.
    """
    random = np.random.default_rng(1)
    with path.open("wb") as file:
        for start in range(0, rows, _PART_ROWS):
            count = min(_PART_ROWS, rows - start)
            _visits(random, start, count, max(rows // _VISITS, 1)).write_csv(file, include_header=not start)


def _visits(random: np.random.Generator, start: int, rows: int, patients: int) -> pl.DataFrame:
    patient = pl.Series(random.integers(0, patients, rows))
    first, last = (
        pl.Series(names).gather(patient.hash(seed) % len(names)) for seed, names in enumerate((_FIRST, _LAST))
    )
    number = patient.cast(pl.String).str.zfill(9)
    return pl.DataFrame(
        {
            "visit": pl.Series(random.integers(2**60, 2**62, rows)).cast(pl.String)
            + "-"
            + pl.int_range(start, start + rows, eager=True).cast(pl.String).str.zfill(9),
            "patient": "P" + number,
            "name": first + " " + last,
            "email": first.str.to_lowercase() + "." + number + "@hospital.example.org",
            "age": random.integers(18, 68, rows),
            "gender": random.choice(["female", "male", "diverse"], rows, p=[0.4, 0.35, 0.25]),
            "weight": random.integers(50, 90, rows),
            "admitted": pl.Series(random.integers(1_262_304_000, 1_767_225_600, rows) * 1000)
            .cast(pl.Datetime("ms"))
            .dt.to_string("%Y-%m-%dT%H:%M:%S"),
            "ward": pl.Series(random.integers(1, 400, rows)).cast(pl.String).str.zfill(4),
            "diagnosis": random.choice(_DIAGNOSES, rows),
            "cost": pl.Series(random.random(rows) * 10_000).round(2).cast(pl.String),
            "note": random.choice(_NOTES, rows),
        }
    )

"""Census-like registers with their generalisation hierarchies, drawn with a fixed seed, for `anonymisation.py`.

The shape is that of the UCI Adult data: nine quasi-identifiers, skewed and correlated, a lattice of 12,960 nodes. The
fine register names the day of birth and the postcode in place of age and education, so that nearly every row is a
distinct tuple. Nobody in them exists.
"""

import csv
import datetime as dt
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

SENSITIVE = "diagnosis"
SEED = 1

Rows = npt.NDArray[np.int64]
Levels = Mapping[str, Sequence[str]]  # value -> its labels from level 1 upwards

SEX = {"Male": 67, "Female": 33}
RACE = {"White": 87, "Black": 9, "Asian-Pac-Islander": 2, "Amer-Indian-Eskimo": 1, "Other": 1}
# value: (label of level 1, weight below 30, from 30 to 49, from 50)
MARITAL_STATUS = {
    "Never-married": ("no spouse", 72, 17, 5),
    "Married-civ-spouse": ("spouse", 24, 64, 72),
    "Married-AF-spouse": ("spouse", 0.3, 0.1, 0.05),
    "Married-spouse-absent": ("spouse", 1, 1.5, 1),
    "Divorced": ("no spouse", 3, 15, 12),
    "Separated": ("no spouse", 2, 4, 2),
    "Widowed": ("no spouse", 0.2, 1, 9),
}
# value: (label of level 1, of level 2, weight, share of office work)
EDUCATION = {
    "Preschool": ("primary school", "basic education", 0.2, 0.02),
    "1st-4th": ("primary school", "basic education", 0.5, 0.02),
    "5th-6th": ("primary school", "basic education", 1, 0.03),
    "7th-8th": ("primary school", "basic education", 2, 0.05),
    "9th": ("high school, left early", "basic education", 1.6, 0.07),
    "10th": ("high school, left early", "basic education", 2.8, 0.1),
    "11th": ("high school, left early", "basic education", 3.6, 0.13),
    "12th": ("high school, left early", "basic education", 1.3, 0.15),
    "HS-grad": ("high school", "secondary education", 38, 0.18),
    "Some-college": ("college without a degree", "secondary education", 24, 0.4),
    "Assoc-voc": ("vocational degree", "secondary education", 4.2, 0.4),
    "Assoc-acdm": ("vocational degree", "secondary education", 3.3, 0.5),
    "Bachelors": ("first degree", "higher education", 19, 0.88),
    "Masters": ("second degree", "higher education", 5.5, 0.92),
    "Prof-school": ("second degree", "higher education", 1.8, 0.95),
    "Doctorate": ("second degree", "higher education", 1.3, 0.97),
}
OFFICE, MANUAL = "office work", "manual work and services"
# value: (label of level 1, weight within it among men, among women)
OCCUPATION = {
    "Prof-specialty": (OFFICE, 33, 25),
    "Exec-managerial": (OFFICE, 36, 19),
    "Adm-clerical": (OFFICE, 7, 42),
    "Sales": (OFFICE, 18, 11),
    "Tech-support": (OFFICE, 6, 3),
    "Craft-repair": (MANUAL, 42, 6),
    "Other-service": (MANUAL, 10, 62),
    "Machine-op-inspct": (MANUAL, 14, 17),
    "Transport-moving": (MANUAL, 15, 3),
    "Handlers-cleaners": (MANUAL, 9, 4),
    "Farming-fishing": (MANUAL, 7, 2),
    "Protective-serv": (MANUAL, 3, 2),
    "Priv-house-serv": (MANUAL, 0.1, 4),
    "Armed-Forces": (MANUAL, 0.1, 0.01),
}
# value: (label of level 1, weight among office workers, among others)
WORKCLASS = {
    "Private": ("not public, not self-employed", 72, 84),
    "Self-emp-not-inc": ("self-employed", 7, 8),
    "Self-emp-inc": ("self-employed", 4, 1.5),
    "Local-gov": ("public", 8, 3),
    "State-gov": ("public", 5, 2),
    "Federal-gov": ("public", 5, 2),
    "Without-pay": ("not public, not self-employed", 0.02, 0.1),
}
REGIONS = {
    "North America": ["United-States", "Canada", "Outlying-US"],
    "Latin America": [
        "Mexico", "Puerto-Rico", "El-Salvador", "Cuba", "Jamaica", "Dominican-Republic", "Guatemala", "Columbia",
        "Haiti", "Nicaragua", "Peru", "Ecuador", "Trinadad&Tobago", "Honduras",
    ],
    "Asia": [
        "Philippines", "India", "China", "South-Korea", "Vietnam", "Japan", "Taiwan", "Iran", "Hong-Kong", "Thailand",
        "Cambodia", "Laos",
    ],
    "Europe": [
        "Germany", "England", "Italy", "Poland", "Portugal", "Greece", "France", "Ireland", "Yugoslavia", "Hungary",
        "Scotland", "Holand-Netherlands",
    ],
}  # fmt: skip
HOME = "United-States"
DIAGNOSES = [
    "Hypertension", "Back pain", "Asthma", "Type 2 diabetes", "Depression", "Common cold", "Migraine", "Arthritis",
    "Heart disease", "Contact dermatitis",
]  # fmt: skip
# rows: office work, manual work; below 30, from 30 to 49, from 50 in each
DIAGNOSIS_WEIGHTS = [
    [13, 13, 14, 5, 16, 17, 14, 3, 2, 3],
    [18, 15, 9, 9, 15, 11, 11, 6, 4, 2],
    [25, 11, 6, 14, 8, 6, 5, 12, 12, 1],
    [12, 21, 14, 5, 10, 15, 9, 4, 2, 8],
    [17, 24, 9, 9, 9, 9, 6, 7, 4, 6],
    [24, 15, 7, 14, 5, 5, 3, 13, 11, 3],
]


@dataclass(frozen=True)
class Register:
    """A register of persons.

    Attributes:
        frame: Text columns: the quasi-identifiers, then the sensitive attribute.
        hierarchies: For each quasi-identifier its possible values and their labels from level 1 upwards. No label of a
            column occurs on two levels, so that the labels tell the level.
    """

    frame: pl.DataFrame
    hierarchies: dict[str, Levels]

    @property
    def quasi_identifiers(self) -> list[str]:
        """Names of the quasi-identifiers."""
        return list(self.hierarchies)

    @property
    def distinct_tuples(self) -> int:
        """Number of distinct tuples of quasi-identifiers."""
        return self.frame.select(self.quasi_identifiers).n_unique()

    def write(self, folder: Path) -> tuple[Path, dict[str, str]]:
        """Write the register as CSV and Parquet, and each hierarchy as ARX has it: value;level 1;level 2, no header.

        Returns:
            Path of the CSV file, and of each column's hierarchy.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.frame.write_csv(folder / "register.csv")
        self.frame.write_parquet(folder / "register.parquet")
        paths = {}
        for column, levels in self.hierarchies.items():
            paths[column] = str(folder / f"hierarchy_{column}.csv")
            with Path(paths[column]).open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, delimiter=";", lineterminator="\n").writerows(
                    [value, *labels] for value, labels in levels.items()
                )
        return folder / "register.csv", paths


def census(rows: int) -> Register:
    """Draw a register in the shape of the Adult data: of 30,000 rows, about 20,000 are distinct tuples."""
    return _register(rows, fine=False)


def fine_census(rows: int) -> Register:
    """Draw a register with day of birth and postcode: nearly every row is a distinct tuple; the lattice is as large."""
    return _register(rows, fine=True)


def _register(rows: int, *, fine: bool) -> Register:
    random = np.random.default_rng(SEED)

    def draw(weights: Sequence[Sequence[float]], given: Rows | None = None) -> Rows:
        """Draw a category for each row, with the weights of the row's parent category."""
        drawn = np.zeros(rows, dtype=np.int64)
        for parent, of_parent in enumerate(weights):
            where = np.flatnonzero(given == parent) if given is not None else np.arange(rows)
            share = np.array(of_parent, dtype=float)
            drawn[where] = random.choice(len(share), size=len(where), p=share / share.sum())
        return drawn

    age = np.clip(17 + random.gamma(2.5, 7.5, rows), 17, 90).astype(np.int64)
    band = np.digitize(age, [30, 50])
    sex = draw([list(SEX.values())])
    marital = draw(list(zip(*(row[1:] for row in MARITAL_STATUS.values()), strict=True)), band)
    education = draw([[row[2] for row in EDUCATION.values()]])
    manual = (random.random(rows) >= np.array([row[3] for row in EDUCATION.values()])[education]).astype(np.int64)
    occupation = draw(
        [
            [row[1 + of_sex] * (row[0] == kind) for row in OCCUPATION.values()]
            for of_sex in range(2)
            for kind in (OFFICE, MANUAL)
        ],
        2 * sex + manual,
    )
    workclass = draw(list(zip(*(row[1:] for row in WORKCLASS.values()), strict=True)), manual)
    country = draw([_country_weights()])
    region = np.array([position for position, names in enumerate(REGIONS.values()) for _ in names])[country]
    race = draw([list(RACE.values()), [55, 15, 1, 5, 24], [5, 1, 92, 0, 2], [97, 2, 1, 0, 0]], region)
    score = 0.45 * (education - 10) + 0.05 * np.minimum(age - 40, 15) + 1.2 * (marital == 1) - 0.8 * sex - 1.3
    salary = (random.random(rows) < 1 / (1 + np.exp(-score))).astype(np.int64)
    diagnosis = draw(DIAGNOSIS_WEIGHTS, 3 * manual + band)

    columns: dict[str, tuple[Levels, pl.Series]] = {"sex": _named(_flat(SEX), sex)}
    if fine:
        columns["date-of-birth"] = _birth_dates(age, random)
    else:
        columns["age"] = _ages(age)
    columns["race"] = _named(_flat(RACE), race)
    columns["marital-status"] = _named(_labelled(MARITAL_STATUS, 1), marital)
    if fine:
        columns["postcode"] = _postcodes(rows, random)
    else:
        columns["education"] = _named(_labelled(EDUCATION, 2), education)
    columns["native-country"] = _named(
        {country: (region, "*") for region, names in REGIONS.items() for country in names}, country
    )
    columns["workclass"] = _named(_labelled(WORKCLASS, 1), workclass)
    columns["occupation"] = _named(_labelled(OCCUPATION, 1), occupation)
    columns["salary-class"] = _named(_flat(["<=50K", ">50K"]), salary)
    frame = pl.DataFrame({name: cells for name, (_, cells) in columns.items()})
    return Register(
        frame.with_columns(pl.Series(DIAGNOSES).gather(diagnosis).alias(SENSITIVE)),
        {name: levels for name, (levels, _) in columns.items()},
    )


def _flat(values: Iterable[str]) -> Levels:
    return dict.fromkeys(values, ("*",))


def _labelled(table: Mapping[str, Sequence[str | float]], labels: int) -> Levels:
    return {value: (*map(str, row[:labels]), "*") for value, row in table.items()}


def _named(levels: Levels, codes: Rows) -> tuple[Levels, pl.Series]:
    return levels, pl.Series(list(levels)).gather(codes)


def _country_weights() -> list[float]:
    names = list(itertools.chain.from_iterable(REGIONS.values()))
    abroad = {name: 1 / (rank + 2) for rank, name in enumerate(name for name in names if name != HOME)}
    return [11 * sum(abroad.values()) if name == HOME else abroad[name] for name in names]


def _ages(age: Rows) -> tuple[Levels, pl.Series]:
    def interval(year: int, width: int) -> str:
        return f"[{year // width * width}, {year // width * width + width})"

    levels = {str(year): (*(interval(year, width) for width in (5, 10, 20)), "*") for year in range(17, 91)}
    return levels, pl.Series(age).cast(pl.String)


def _birth_dates(age: Rows, random: np.random.Generator) -> tuple[Levels, pl.Series]:
    """Days of birth, generalised to month, year and decade."""
    last = dt.date(2025, 12, 31)
    days = pl.Series(age * 365 + random.integers(0, 365, len(age)))
    possible = [last - dt.timedelta(days=back) for back in range(17 * 365, 91 * 365)]
    levels = {
        f"{day:%Y-%m-%d}": (f"{day:%Y-%m}", f"{day:%Y}", f"{day.year // 10 * 10}s", "*") for day in reversed(possible)
    }
    dates = (pl.Series([last]).cast(pl.Int32).item() - days).cast(pl.Int32).cast(pl.Date)
    return levels, dates.dt.to_string("%Y-%m-%d")


def _postcodes(rows: int, random: np.random.Generator) -> tuple[Levels, pl.Series]:
    """Two thousand postcodes, the towns among them with many more inhabitants than the villages."""
    names = [f"{10_000 + 45 * position}" for position in range(2_000)]
    inhabitants = 1 / (1 + np.arange(2_000)) ** 0.7
    codes = random.permutation(2_000)[random.choice(2_000, rows, p=inhabitants / inhabitants.sum())]
    return _named({name: (f"{name[:3]}**", f"{name[:1]}****", "*") for name in names}, codes)

"""How fast techniques that change a value's form are, against the loop that a user would write.

    uv run --group dev python benchmarks/techniques.py [--rows 200000] [--repeats 3]

Values are all distinct, so that nothing is saved by transforming each distinct value once. Both run in turn in the same
process, so that the ratio holds on a noisy machine. The peer of `format_preserving` is another library, libffx.
`tokenise` includes writing its encrypted table, its loop does not.
"""

import argparse
import datetime as dt
import hmac
import os
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import polars as pl
from cryptography.fernet import Fernet
from faker import Faker
from ffx import FF1

from field_level_pseudo_anonymisation.keys import Key
from field_level_pseudo_anonymisation.local_storage import LocalStorage
from field_level_pseudo_anonymisation.techniques.format_preserving import FormatPreserving
from field_level_pseudo_anonymisation.techniques.mask import Mask
from field_level_pseudo_anonymisation.techniques.round_number import RoundNumber
from field_level_pseudo_anonymisation.techniques.session import Session
from field_level_pseudo_anonymisation.techniques.shift_date import ShiftDate
from field_level_pseudo_anonymisation.techniques.surrogate import Surrogate
from field_level_pseudo_anonymisation.techniques.technique import Scope, Technique
from field_level_pseudo_anonymisation.techniques.tokenise import Tokenise

SECRET = os.urandom(32)
CIPHER, FAKER = FF1(SECRET, radix=10), Faker("de_DE")
VERSIONS = {1: Fernet.generate_key().decode()}


class OneKey:
    """A key store with one key."""

    def key(self, name: str) -> Key:
        """Give the key."""
        return Key(name, VERSIONS)


def number_of(value: str) -> int:
    return int.from_bytes(hmac.digest(SECRET, value.encode(), "sha256")[:8])


def moved(value: str) -> str:
    return (dt.date.fromisoformat(value) + dt.timedelta(days=number_of(value) % 61 - 30)).isoformat()


def rounded(value: str) -> str:
    return str((Decimal(value) / 10).quantize(Decimal(1), ROUND_HALF_UP) * 10)


def stand_in(value: str) -> str:
    FAKER.seed_instance(number_of(value))
    return FAKER.name()


def token_maker() -> Callable[[str], str]:
    known: dict[str, str] = {}

    def token(value: str) -> str:
        if value not in known:
            known[value] = secrets.token_hex(16)
        return known[value]

    return token


def loops() -> dict[str, Callable[[str], str]]:
    return {
        "mask": lambda value: value[:1] + "*" * (len(value) - 3) + value[-2:] if len(value) > 3 else "*" * len(value),
        "round_number": rounded,
        "shift_date": moved,
        "format_preserving": CIPHER.encrypt,
        "surrogate": stand_in,
        "tokenise": token_maker(),
    }


def values(rows: int) -> dict[str, pl.Series]:
    draw = random.Random(1)
    emails = pl.Series([f"person.{number:08d}@hospital.example.org" for number in range(rows)])
    days = pl.Series(np.arange(rows) % 60_000).cast(pl.Int32).cast(pl.Date).dt.strftime("%Y-%m-%d")
    return {
        "mask": emails,
        "round_number": pl.Series([f"{draw.random() * 1e5:.2f}" for _ in range(rows)]),
        "shift_date": days,
        "format_preserving": pl.Series([f"{draw.randrange(10**16):016d}" for _ in range(rows)]),
        "surrogate": emails,
        "tokenise": emails,
    }


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def transformed(technique: Technique, texts: pl.Series) -> None:
    session = Session(LocalStorage())
    technique.transform(Scope("field", OneKey(), session=session))(texts)
    session.finish()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    data = values(options.rows)
    print(f"{options.rows:,} values, {os.cpu_count()} cores, medians of {options.repeats} pairs\n")
    print("| | loop (µs a value) | ours (µs a value) | times faster |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        techniques: dict[str, Technique] = {
            "mask": Mask(1, 2),
            "round_number": RoundNumber(10),
            "shift_date": ShiftDate("key", 30),
            "format_preserving": FormatPreserving("key"),
            "surrogate": Surrogate("key", "name", "de_DE"),
            "tokenise": Tokenise("key", str(Path(folder) / "tokens")),
        }
        for name, technique in techniques.items():
            pairs = []
            for _ in range(options.repeats):
                loop, texts = loops()[name], data[name]
                (Path(folder) / "tokens").unlink(missing_ok=True)
                spent = seconds(lambda loop=loop, texts=texts: pl.Series([loop(text) for text in texts.to_list()]))  # type: ignore[misc]
                pairs.append((spent, seconds(lambda one=technique, texts=texts: transformed(one, texts))))  # type: ignore[misc]
            theirs, mine = (statistics.median(column) / options.rows * 1e6 for column in zip(*pairs, strict=True))
            ratio = statistics.median(loop_seconds / own for loop_seconds, own in pairs)
            print(f"| {name} | {theirs:.2f} | {mine:.2f} | {ratio:.1f} |", flush=True)


if __name__ == "__main__":
    main()

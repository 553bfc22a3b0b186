"""How fast `anonymise_pseudonymise_unstructured_job` is without a language model, and how its memory grows.

    uv run python benchmarks/text.py [--megabytes 100] [--repeats 3] [--no-memory]

The peer is what a user would write: a loop over the lines with Python's `re`, for the e-mail addresses, telephone
numbers, URLs and bank accounts that are in the text, each replaced by [REDACTED]. It checks nothing (no checksum, no
context, no ranges of telephone numbers), and is run in turn with the job in the same process, on the same file, so
that the ratio holds on a noisy machine. Start-up is not counted. Memory is the peak resident set of a process of its
own, for a quarter of the text and for the whole. The encrypting job is measured with a key file.
"""

import argparse
import logging
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import peak_megabytes, prepared, seconds

PROSE = """
the patient reports that pain in her left knee has become less since last week and she can walk to work again without a
stick while medication was reduced to one tablet in the morning appointment with doctor at surgery agreed
"""
WORDS = PROSE.split()
PII = ["EMAIL", "PHONE_NUMBERS", "URL", "IBAN"]
LOOP = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.-]+|https?://[^\s<>\"]+|\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}\b|\+\d{1,3}[ \d()/-]{6,}\d"
)
REDACT = [{"technique": {"redact": {"pii": PII}}}]
ENCRYPT = [{"technique": {"encrypt": {"pii": PII, "key_name": "bench"}}}]


def generate(megabytes: float, path: Path) -> None:
    """Write paragraphs of prose with an item of personal data about every 150 bytes, with a fixed seed."""
    rnd = random.Random(1)
    makers: list[Callable[[], str]] = [
        lambda: f"{rnd.choice(WORDS)}.{rnd.randrange(10**6)}@example.org",
        lambda: f"+44 20 7946 0{rnd.randrange(1000):03}",
        lambda: f"https://www.example.org/visit/{rnd.randrange(10**6)}",
        lambda: "GB82 WEST 1234 5698 7654 32",
    ]
    paragraphs = []
    for _ in range(2000):
        lines = []
        for _ in range(rnd.randrange(2, 8)):
            words = rnd.choices(WORDS, k=rnd.randrange(12, 36))
            if rnd.random() < 0.8:
                words.insert(rnd.randrange(len(words)), rnd.choice(makers)())
            lines.append(" ".join(words) + ".\n")
        paragraphs.append("".join(lines) + "\n")
    written = 0
    with path.open("w") as file:
        while written < megabytes * 1e6:
            written += file.write(rnd.choice(paragraphs))


def loop(source: Path, target: Path) -> None:
    with source.open(encoding="utf-8", newline="") as lines, target.open("w", encoding="utf-8", newline="") as out:
        for line in lines:
            out.write(LOOP.sub("[REDACTED]", line))


def prepared_job(source: Path, target: Path, steps: list[dict[str, Any]]) -> Callable[[], dict[str, float]]:
    ops = {
        "read_txt_to_string": {"input_path": str(source)},
        "anonymise_pseudonymise_unstructured": {"language": "en", "names": False, "used_function": steps},
        "write_string_to_txt": {"output_path": str(target)},
    }
    return prepared("field_level_pseudo_anonymisation", "anonymise_pseudonymise_unstructured_job", ops)


def peak(source: Path, target: Path) -> float:
    """Run the redacting job in a process of its own and give its peak resident set."""
    return peak_megabytes("import text; text.prepared_job(source, target, text.REDACT)()", source, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-memory", action="store_true", help="leave out the memory of the job")
    options = parser.parse_args()
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        os.environ |= {"STAGING_DIR": f"{folder}/staging", "KEY_FILE": f"{folder}/keys.json"}
        subprocess.run(
            [Path(sys.executable).with_name("simpl-keys"), "create", "bench"], check=True, capture_output=True
        )
        source, target = Path(folder, "in.txt"), Path(folder, "out.txt")
        generate(options.megabytes, source)
        size = source.stat().st_size / 1e6
        actions: dict[str, Callable[[], object]] = {
            "loop over lines with re": lambda: loop(source, target),
            "job, redact": prepared_job(source, target, REDACT),
            "job, encrypt": prepared_job(source, target, ENCRYPT),
        }
        taken: dict[str, list[float]] = {name: [] for name in actions}
        for _ in range(options.repeats):
            for name, action in actions.items():
                target.unlink(missing_ok=True)
                taken[name].append(seconds(action))
        peer = taken["loop over lines with re"]
        print(f"{size:.0f} MB of text, {options.repeats} rounds, {os.cpu_count()} cores\n")
        print("| | seconds (median) | MB/s | times as fast as the loop |\n|---|---:|---:|---:|")
        for name, times in taken.items():
            middle = statistics.median(times)
            ratio = statistics.median(slow / fast for slow, fast in zip(peer, times, strict=True))
            print(f"| {name} | {middle:.1f} | {size / middle:.1f} | {ratio:.2f} |")
        if options.no_memory:
            return
        large = peak(source, target)
        generate(options.megabytes / 4, source)
        small = peak(source, target)
        print("\n| text (MB) | peak memory (MB) | growth |\n|---:|---:|---:|")
        print(f"| {size / 4:.0f} | {small:.0f} | 1.00 |\n| {size:.0f} | {large:.0f} | {large / small:.2f} |")


if __name__ == "__main__":
    main()

"""House rules that a machine can check."""

import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
CODE = [path for folder in ("src", "packages") for path in (PROJECT / folder).rglob("src/**/*.py")]
CODE += list((PROJECT / "src").rglob("*.py"))
VARIABLE = re.compile(r"\"((?:S3|DATA|STAGING|SIMPL|NOTIFY|DAGSTER)_[A-Z_]+)\"")


def tracked() -> list[Path]:
    try:
        listing = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a Git checkout")
    return [PROJECT / name for name in listing.splitlines()]


def test_no_committed_file_names_a_package_registry_or_the_lock_file() -> None:
    hosts = re.compile(r"https?://([a-z0-9.-]*\.)?(pypi|pythonhosted|npmjs|debian)\.")
    files = tracked()
    assert PROJECT / "uv.lock" not in files
    for path in files:
        if path.is_file() and path.suffix not in {".png", ".parquet", ".gz", ".zst"}:
            assert not hosts.search(path.read_text(errors="replace")), path


def test_the_readme_lists_every_environment_variable_that_the_code_reads() -> None:
    readme = (PROJECT / "README.md").read_text()
    others = {"DAGSTER_HOME", "DATA_PROCESSING"}  # Dagster's own, and a tag
    named = {name for path in CODE for name in VARIABLE.findall(path.read_text())} - others
    assert len(named) > 8
    assert [name for name in sorted(named) if f"`{name}`" not in readme] == []


def test_what_the_readme_links_to_exists() -> None:
    for page in [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *PROJECT.glob("packages/*/README.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_no_service_asks_which_engine_holds_a_table() -> None:
    """What Import Linter cannot see: the contract on PySpark and the engine's modules is in pyproject.toml."""
    asks = re.compile(r"is_(py)?spark|is_distributed|has_order|isinstance\([^)]*pl\.LazyFrame|pyspark|\.kind\b.*spark")
    seam = PROJECT / "packages" / "util-services"
    services = [path for path in CODE if not path.is_relative_to(seam)]
    assert any(asks.search(path.read_text()) for path in CODE if path not in services)
    assert [path.name for path in services if asks.search(path.read_text())] == []

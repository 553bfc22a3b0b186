#!/usr/bin/env -S uv run --quiet --script
# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Prints where an image comes from: an in-toto statement with SLSA provenance 1.0, made of the workflow's environment.

https://slsa.dev/spec/v1.0/provenance. A statement, not a proof: it is unsigned, and as trustworthy as those who may
write to the registry.
"""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def statement(image: str, digest: str, lock: Path, context: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """Say what an image was made of, where and when.

    Args:
        image: Name of the image without tag.
        digest: Its digest, ``sha256:…``.
        lock: Lock file that the build used.
        context: GITHUB_… variables of the workflow, and IMAGE_BUILD_FLAGS.
        now: End of the build.
    """
    repository = f"{context['GITHUB_SERVER_URL']}/{context['GITHUB_REPOSITORY']}"
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": image, "digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": f"{repository}/src/commit/{context['GITHUB_SHA']}/.gitea/workflows/release.yaml",
                "externalParameters": {
                    "repository": repository,
                    "ref": context["GITHUB_REF"],
                    "workflow": ".gitea/workflows/release.yaml",
                    "buildFlags": context.get("IMAGE_BUILD_FLAGS", ""),
                },
                "resolvedDependencies": [
                    {
                        "uri": f"git+{repository}.git@{context['GITHUB_REF']}",
                        "digest": {"gitCommit": context["GITHUB_SHA"]},
                    },
                    {"name": "uv.lock", "digest": {"sha256": hashlib.sha256(lock.read_bytes()).hexdigest()}},
                ],
            },
            "runDetails": {
                "builder": {"id": f"{context['GITHUB_SERVER_URL']}/actions/runner"},
                "metadata": {
                    "invocationId": f"{repository}/actions/runs/{context['GITHUB_RUN_NUMBER']}",
                    "finishedOn": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
                },
            },
        },
    }


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", help="host/owner/name, without tag")
    parser.add_argument("digest", help="sha256:…")
    parser.add_argument("--lock", type=Path, default=Path("uv.lock"))
    options = parser.parse_args()
    made = statement(options.image, options.digest, options.lock, os.environ, datetime.now(UTC))
    json.dump(made, sys.stdout, indent=2)


if __name__ == "__main__":
    main()

"""simpl-local: everything a newcomer needs to try the jobs in the Dagster UI, on loopback, gone on Ctrl-C."""

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from util_services.errors import DataServiceError
from util_services.jobs import SAMPLE_BUCKET
from util_services.objects import upload
from util_services.sample_keys import SAMPLE_KEY, SAMPLE_KEY_NAME
from util_services.servers import (
    HOST,
    KeyServer,
    ObjectStore,
    answers,
    free_port,
    key_server,
    object_store,
    running,
)

UI_PORT, S3_PORT, KEY_PORT = 3000, 8333, 8200


@dataclass(frozen=True)
class LocalStack:
    """What is running.

    Attributes:
        ui: URL of the Dagster webserver.
        store: The S3 server.
        keys: The key server.
        folder: Where logs and Dagster's storage are until the stack stops.
    """

    ui: str
    store: ObjectStore
    keys: KeyServer
    folder: Path


@contextmanager
def local_stack(
    examples: Path, *, ui_port: int = UI_PORT, s3_port: int = S3_PORT, key_port: int = KEY_PORT
) -> Iterator[LocalStack]:
    """Run SeaweedFS, OpenBao, the Dagster webserver and daemon until the block ends.

    The working directory must be that of a project with ``[tool.dagster]`` in its ``pyproject.toml``.

    Args:
        examples: Folder whose files become objects ``examples/…`` in the sample bucket.
        ui_port: Preferred port of the webserver; another is taken where it is in use. Likewise the next two.
        s3_port: Preferred port of S3.
        key_port: Preferred port of the key store.
    """
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="simpl-local-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        store = stack.enter_context(object_store(folder / "s3", s3_port))
        keys = stack.enter_context(key_server(folder / "keys", key_port))
        keys.store_key(SAMPLE_KEY_NAME, SAMPLE_KEY)
        fill_bucket(store, examples)
        home = folder / "dagster"
        home.mkdir()
        (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        (home / ".nux").mkdir()
        (home / ".nux" / "nux.yaml").touch()  # Dagster's "Join the community" dialog would come at every start
        port = free_port(ui_port)
        ui = f"http://{HOST}:{port}"
        environment = {
            **store.environment,
            **keys.environment,
            "DAGSTER_HOME": str(home),
            "DAGSTER_WEBSERVER_URL": ui,
            "SIMPL_LOG_DIR": str(folder / "logs"),
            "STAGING_DIR": str(folder / "staging"),
        }
        command = [sys.executable, "-m", "dagster", "dev", "-h", HOST, "-p", str(port)]
        stack.enter_context(running(command, folder / "dagster.log", lambda: answers(f"{ui}/server_info"), environment))
        yield LocalStack(ui, store, keys, folder)


def fill_bucket(store: ObjectStore, examples: Path) -> None:
    """Put the files of a folder into the sample bucket as ``examples/…``; the bucket is made if it is missing."""
    client = store.client()
    if SAMPLE_BUCKET not in [bucket.get("Name") for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=SAMPLE_BUCKET)
    for file in sorted(examples.rglob("*")):
        if file.is_file():
            upload(client, file, SAMPLE_BUCKET, f"examples/{file.relative_to(examples).as_posix()}", lambda _: None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stack until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="simpl-local", description=__doc__)
    parser.add_argument("--examples", type=Path, default=Path("examples"), help="folder to fill the bucket from")
    for name, port in (("ui", UI_PORT), ("s3", S3_PORT), ("key", KEY_PORT)):
        parser.add_argument(f"--{name}-port", type=int, default=port, help="preferred port (default %(default)s)")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _check_project(options.examples)
        _say("Starting SeaweedFS, OpenBao and Dagster …")
        with local_stack(
            options.examples, ui_port=options.ui_port, s3_port=options.s3_port, key_port=options.key_port
        ) as stack:
            _say(_welcome(stack, options))
            signal.pause()
    except KeyboardInterrupt:
        _say("Stopped; nothing is left running.")
    except DataServiceError as error:
        _say(str(error))
        return 1
    return 0


def _check_project(examples: Path) -> None:
    if not examples.is_dir() or not Path("pyproject.toml").exists():
        raise DataServiceError("simpl-local must be started in the project's folder, where examples/ is.")


def _welcome(stack: LocalStack, options: argparse.Namespace) -> str:
    places = (
        ("Dagster UI", stack.ui, options.ui_port),
        ("S3 endpoint", stack.store.endpoint, options.s3_port),
        ("OpenBao", stack.keys.address, options.key_port),
    )
    lines = [
        f"{name:12} {url}" + ("" if url.endswith(f":{wanted}") else f"   (port {wanted} is taken)")
        for name, url, wanted in places
    ]
    return "\n".join(
        [
            "",
            *lines,
            f"{'S3 access':12} access key {stack.store.access_key}, secret key {stack.store.secret_key}",
            f"{'Logs':12} {stack.folder} (removed at the end)",
            "",
            f"The bucket {SAMPLE_BUCKET} holds the files of examples/. In the Dagster UI: Jobs → k_anonymity_job_s3 →",
            "Launchpad → Launch Run; then open the step apply_k_anonymity and press [Show Markdown] for the report.",
            f"OpenBao holds the published key {SAMPLE_KEY_NAME!r} of the sample data, which protects nothing.",
            "Ctrl-C stops everything.",
        ]
    )


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a console command


if __name__ == "__main__":
    sys.exit(main())

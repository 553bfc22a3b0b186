"""A real PostgreSQL server on loopback for tests: Debian's programs, a fresh folder, a password."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from util_services.servers import HOST, free_port, running

DATABASE = "dagster"
USER = "dagster"


@dataclass(frozen=True)
class Postgres:
    """A running server with one user and one empty database of that user's."""

    port: int
    password: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that deploy/dagster.yaml reads."""
        return {
            "DAGSTER_PG_HOST": HOST,
            "DAGSTER_PG_PORT": str(self.port),
            "DAGSTER_PG_DB": DATABASE,
            "DAGSTER_PG_USERNAME": USER,
            "DAGSTER_PG_PASSWORD": self.password,
        }


def programs() -> Path | None:
    """Find the newest PostgreSQL of Debian's, or the one on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda file: int(file.parts[-3]))
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def missing() -> str | None:
    """Say why no server can be started, if so."""
    if programs() is None:
        return "PostgreSQL is missing: apt-get install postgresql"
    if os.getuid() == 0 and "postgres" not in {entry.pw_name for entry in pwd.getpwall()}:
        return "PostgreSQL does not run as root, and there is no user postgres"
    return None


@contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    """Run a server until the block ends.

    Args:
        folder: Where its log goes. Its data lie in a folder of their own, which the server's user can enter.
    """
    binaries = programs()
    assert binaries, missing()
    server = Postgres(free_port(), secrets.token_urlsafe(16))
    environment = {"LC_ALL": "C", "TZ": "UTC", "PGPASSWORD": server.password}
    as_postgres = []
    if os.getuid() == 0:
        as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    with own_folder() as data:
        password = data / "password"
        password.touch(mode=0o600)
        password.write_text(server.password)
        if as_postgres:
            shutil.chown(password, "postgres")
        initialise = ["initdb", "-D", "data", "-U", USER, "-A", "scram-sha-256", "--pwfile=password", "--no-sync"]
        prepared = subprocess.run(
            [*as_postgres, str(binaries / initialise[0]), *initialise[1:]],
            cwd=data,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert prepared.returncode == 0, prepared.stderr
        command = [
            *as_postgres,
            str(binaries / "postgres"),
            *("-D", str(data / "data"), "-h", HOST, "-p", str(server.port), "-k", "", "-F"),
        ]
        ready = [str(binaries / "pg_isready"), "-h", HOST, "-p", str(server.port), "-q"]

        def accepts() -> bool:
            return subprocess.run(ready, check=False).returncode == 0

        with running(command, folder / "postgres.log", accepts, environment, disposable=True):
            create = [str(binaries / "createdb"), "-h", HOST, "-p", str(server.port), "-U", USER, DATABASE]
            subprocess.run(create, env=os.environ | environment, check=True, capture_output=True)
            yield server


@contextmanager
def own_folder() -> Iterator[Path]:
    """Make a folder for the user that the server runs as."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        yield folder
    finally:
        shutil.rmtree(folder)

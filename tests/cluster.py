"""The cluster's part in a release: when the manifest names another image, a new code server replaces the old.

As in Kubernetes, the old server serves until the new one is ready, and an image that the registry does not have is
never started. The server is the real one, run from the commit that the tag names; only the container is missing.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from util_services.servers import HOST, free_port

LOCATION = "template-code-location"
_POLL_SECONDS = 0.5
_TRIES = 2  # as a pod is restarted
_CHUNK = 65536


@dataclass
class Cluster:
    """Watches the manifest in a bare repository and keeps one code server behind a fixed port.

    Args:
        repository: Bare repository with the manifest and the code.
        image: Name of the image, without tag.
        has_image: Tells whether the registry has a tag.
        running: The tag that runs at first; its image is there already.
        folder: For checkouts and logs.
        environment: What the servers have in their environment.
    """

    repository: Path
    image: str
    has_image: Callable[[str], bool]
    running: str
    folder: Path
    environment: Mapping[str, str]
    port: int = field(default_factory=free_port)
    _server: "subprocess.Popen[bytes] | None" = None
    _target: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin to watch."""
        self._listener = socket.create_server((HOST, self.port))
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._serve, self._watch)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop watching, and the server."""
        self._stopped.set()
        self._threads[1].join()
        self._listener.close()
        _end(self._server)

    def _watch(self) -> None:
        self._roll_out(self.running)
        tries: Counter[str] = Counter()
        while not self._stopped.wait(_POLL_SECONDS):
            try:
                tag = self._tag()
                wanted = tag != self.running and tries[tag] < _TRIES and self.has_image(tag)
            except (OSError, subprocess.CalledProcessError) as error:  # the next look may be luckier
                print(f"The cluster saw nothing: {error!r}", file=sys.stderr)
                continue
            if wanted:
                tries[tag] += 1
                self._roll_out(tag)

    def _tag(self) -> str:
        values = yaml.safe_load(self._git("show", "main:deploy/values.yaml"))
        (deployment,) = values["dagster-user-deployments"]["deployments"]
        return str(deployment["image"]["tag"])

    def _roll_out(self, tag: str) -> None:
        checkout = self.folder / tag
        if not checkout.exists():
            self._git("worktree", "add", "--quiet", "--detach", str(checkout), tag)
        port = free_port()
        log = self.folder / f"{tag}.log"
        new = self._code_server(checkout, port, tag, log)
        while new.poll() is None and not self._stopped.wait(_POLL_SECONDS):
            if "Started Dagster code server" in log.read_text():
                old, self._server, self._target, self.running = self._server, new, port, tag
                _end(old)
                return
        print(f"The cluster could not start {tag}: {log.read_text()[-2000:]}", file=sys.stderr)
        _end(new)  # the old one goes on

    def _code_server(self, checkout: Path, port: int, tag: str, log: Path) -> "subprocess.Popen[bytes]":
        module = ["-m", "template_code_location.repository", "--location-name", LOCATION]
        with log.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "dagster", "api", "grpc", "-h", HOST, "-p", str(port), *module],
                cwd=checkout,
                env={
                    **os.environ,
                    **self.environment,
                    "DAGSTER_CURRENT_IMAGE": f"{self.image}:{tag}",
                    "KUBERNETES_SERVICE_HOST": HOST,
                    "PYTHONPATH": str(checkout / "src"),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _serve(self) -> None:
        """Be the Kubernetes service: one address, whichever server is behind it."""
        with suppress(OSError):  # closed at the end
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection((HOST, self._target))
                except OSError:
                    client.close()
                    continue
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=_pump, args=(source, sink), daemon=True).start()

    def _git(self, *arguments: str) -> str:
        command = ["git", "--git-dir", str(self.repository), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _end(server: "subprocess.Popen[bytes] | None") -> None:
    if server is None:
        return
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()

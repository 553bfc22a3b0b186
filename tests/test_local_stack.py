"""simpl-local as a newcomer meets it: one command, a real daemon, the Dagster UI in a real browser, Ctrl-C."""

import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from polling import until
from served import Webserver

PROJECT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium")
FLAGS = [
    f"--{name}"
    for name in (
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
    )
]


DRAWN = "charts => charts.every(each => each.complete && each.naturalWidth > 0)"


class Stack:
    def __init__(self, process: "subprocess.Popen[str]", said: str, posted: list[dict[str, Any]]) -> None:
        self.process = process
        self.said = said
        self.posted = posted

    def url(self, name: str) -> str:
        found = re.search(rf"^{name} +(http\S+)", self.said, flags=re.MULTILINE)
        assert found, self.said
        return found[1]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    posted: list[dict[str, Any]] = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    temporary = tmp_path_factory.mktemp("tmp")
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "util_services.local_stack", "--s3-port", str(receiver.server_port)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            **os.environ,
            "NOTIFY_URLS": f"json://127.0.0.1:{receiver.server_port}/",
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "TMPDIR": str(temporary),
        },
    )
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if "Ctrl-C" in line:
            break
    started = Stack(process, said, posted)
    yield started
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    process.wait(60)
    receiver.shutdown()
    receiver.server_close()
    assert [child for child in children if child.is_running() and child.status() != "zombie"] == []
    assert list(temporary.glob("simpl-local-*")) == []


def test_urls_and_what_to_click_are_told_and_a_taken_port_is_evaded(stack: Stack) -> None:
    assert "Launchpad" in stack.said
    assert re.search(r"^S3 endpoint +http://127\.0\.0\.1:\d+   \(port \d+ is taken\)$", stack.said, flags=re.MULTILINE)
    assert stack.url("OpenBao")


def test_no_dialog_of_dagster_s_stands_before_the_ui(stack: Stack) -> None:
    assert Webserver(stack.url("Dagster UI")).query("{ shouldShowNux }") == {"shouldShowNux": False}


def test_a_job_on_s3_runs_in_it_and_the_daemon_tells_of_its_end(stack: Stack) -> None:
    webserver = Webserver(stack.url("Dagster UI"))
    config = yaml.safe_load(webserver.default_config("k_anonymity_job_s3"))
    run_id, status = webserver.run("k_anonymity_job_s3", config)
    assert status == "SUCCESS"
    until(lambda: stack.posted or None, 60, lambda: "nothing was posted")
    assert stack.posted[0]["title"] == "k_anonymity_job_s3: SUCCESS"
    assert f"Link: {webserver.url}/runs/{run_id}" in stack.posted[0]["message"]


@pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")
def test_a_steward_finds_the_job_the_defaults_and_the_report_in_the_ui(stack: Stack, tmp_path: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    url = stack.url("Dagster UI")
    webserver = Webserver(url)
    run_id, status = webserver.run("k_anonymity_job", yaml.safe_load(webserver.default_config("k_anonymity_job")))
    assert status == "SUCCESS"
    shots = Path(os.environ.get("SCREENSHOTS", tmp_path))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(f"{url}/jobs")
        for job in ("data_processing_job", "k_anonymity_job", "k_anonymity_job_s3"):
            link = page.get_by_role("link", name=re.compile(rf"^job {job}( info)?$"))  # its description comes later
            expect(link).to_be_visible(timeout=30_000)
        page.goto(f"{url}/locations/template_code_location/jobs/k_anonymity_job_s3/playground")
        expect(page.get_by_text("dagster-workflow-bucket").first).to_be_visible(timeout=30_000)
        expect(page.get_by_role("button", name="Launch Run")).to_be_enabled()
        page.screenshot(path=shots / "launchpad.png")
        heading = page.get_by_role("heading", name=re.compile("met, verified on the output"))

        def report_is_open() -> bool:
            # As a click on the step leads to; a click may come before the page heeds it.
            page.goto(f"{url}/runs/{run_id}?selection=apply_k_anonymity&logs=step%3Aapply_k_anonymity")
            page.get_by_text("Show Markdown").first.click(timeout=30_000)
            try:
                expect(heading).to_be_visible(timeout=5_000)
            except AssertionError:  # the page had not yet narrowed its events to the step: it was a preview
                return False
            return True

        until(lambda: report_is_open() or None, 60, lambda: "a preview was opened, and no report")
        charts = page.locator("img[src^='data:image/svg+xml']")
        until(
            lambda: (charts.count() > 3 and charts.evaluate_all(DRAWN)) or None, 60, lambda: f"{charts.count()} charts"
        )
        page.screenshot(path=shots / "report.png")
        browser.close()

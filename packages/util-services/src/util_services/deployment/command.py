"""The command ``simpl-deploy``: the steps of a release, each of which may be repeated."""

import argparse
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from util_services.deployment.location import check_jobs, loaded, reload, wait_for_tag
from util_services.deployment.manifest import checked_tag, current_tag, set_tag
from util_services.deployment.runs import follow, launch, run_config
from util_services.deployment.webserver import AUTHORIZATION, UnreachableError, Webserver
from util_services.errors import DataServiceError

URL = "DAGSTER_WEBSERVER_URL"
LOCATION = "DAGSTER_CODE_LOCATION"
Run = Callable[[argparse.Namespace], None]
_FAILED, _UNREACHABLE, _INTERRUPTED = 1, 3, 130
_EPILOG = f"""\
environment:
  {URL}            the webserver's address, where --url is not given
  {LOCATION}            the location's name in the workspace, where --location is not given
  {AUTHORIZATION}  value of the Authorization header, such as "Bearer …", where the webserver asks for one
  REQUESTS_CA_BUNDLE               file of certificates, where the webserver's is of your own authority

exit code: 0 done; 1 refused or failed, one sentence on standard error says why; 2 wrong usage; 3 the webserver
cannot be reached; 130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Words of the command line; default those of the process.

    Returns:
        The exit code, see ``simpl-deploy --help``.
    """
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as a cancelled pipeline sends it
    try:
        options.run(options)
    except UnreachableError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command speaks by printing
        return _UNREACHABLE
    except DataServiceError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return _FAILED
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)  # noqa: T201
        return _INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="simpl-deploy",
        description="The steps of a release; each may be repeated without harm.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    manifest, webserver, settle = _manifest_options(), _webserver_options(), _settle_option()

    def command(name: str, run: Run, text: str, *options: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added = commands.add_parser(name, parents=options, help=text)
        added.set_defaults(run=run)
        return added

    command("current", _current, "print the image tag that a manifest names", manifest)

    image = command("set-image", _set_image, "name another image tag in a manifest, and change nothing else", manifest)
    image.add_argument("--tag", required=True, metavar="T", help="a commit or version, never latest")

    text = "have the webserver load a code location anew; tells why if it does not load"
    command("reload", _reload, text, webserver, settle)

    text = "wait until the loaded image has a tag, then look for every expected job"
    verify = command("verify", _verify, text, webserver, settle)
    verify.add_argument("--tag", required=True, metavar="T", help="the tag that must be loaded")
    verify.add_argument("--jobs", default="", metavar="A,B", help="jobs that must be there")
    text = "file that names such a job on each line, as simpl-deploy jobs prints them"
    verify.add_argument("--jobs-from", type=Path, metavar="FILE", help=text)

    jobs = command("jobs", _jobs, "print the names of the jobs in a module's Definitions")
    jobs.add_argument("-m", "--module", required=True, metavar="M", help="such as template_code_location.repository")

    text = "run a job, on a slice of its data if you like, and wait for the outcome"
    test = command("test-run", _test_run, text, webserver)
    test.add_argument("--job", required=True, metavar="J", help="name of the job")
    text = "YAML file with its run configuration (default: the job's own)"
    test.add_argument("--config", type=Path, metavar="F", help=text)
    test.add_argument("--limit-rows", type=_positive, metavar="N", help="read only so many rows at every step that can")

    text = "name an earlier image tag in a manifest; with --url, wait until it is loaded"
    back = command("rollback", _rollback, text, manifest, webserver)
    back.add_argument("--to", required=True, metavar="T", help="the tag to go back to")
    return parser


def _manifest_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("file", type=Path, metavar="FILE", help="Helm values of the official Dagster chart")
    options.add_argument("--deployment", metavar="NAME", help="which user deployment, if the file has several")
    return options


def _webserver_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--url", default=os.environ.get(URL), metavar="U", help="address of the Dagster webserver")
    options.add_argument(
        "--location", default=os.environ.get(LOCATION), metavar="L", help="the code location's name in the workspace"
    )
    options.add_argument(
        "--timeout", type=_positive, default=300, metavar="SECONDS", help="how long to wait (default: %(default)s)"
    )
    return options


def _settle_option() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument(
        "--settle",
        type=_positive,
        default=60,
        metavar="SECONDS",
        help="how long code that does not load may be that of the server before (default: %(default)s)",
    )
    return options


def _positive(text: str) -> int:
    number = int(text) if text.isdigit() else 0
    if not number:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return number


def _current(options: argparse.Namespace) -> None:
    _say(current_tag(options.file, options.deployment))


def _set_image(options: argparse.Namespace) -> None:
    changed = set_tag(options.file, options.tag, options.deployment)
    _say(f"{options.file} {'names' if changed else 'already names'} the tag {options.tag}.")


def _reload(options: argparse.Namespace) -> None:
    location = reload(_webserver(options), _location(options), options.timeout, options.settle)
    _say(f"{location.name} is loaded: {len(location.jobs)} jobs, image {location.image or 'not told'}.")


def _verify(options: argparse.Namespace) -> None:
    checked_tag(options.tag)
    expected = [name.strip() for name in options.jobs.split(",") if name.strip()]
    if options.jobs_from:
        expected += _named(options.jobs_from)
    webserver, name = _webserver(options), _location(options)
    location = wait_for_tag(webserver, name, options.tag, options.timeout, options.settle)
    check_jobs(location, expected)
    _say(f"{location.name} runs {location.image}; {len(set(expected))} expected jobs are there.")


def _jobs(options: argparse.Namespace) -> None:
    try:
        module = importlib.import_module(options.module)
    except ModuleNotFoundError as error:
        raise DataServiceError(
            f"The module {options.module!r} cannot be imported ({error.msg}): install it here."
        ) from None
    definitions = getattr(module, "defs", None)
    if definitions is None:
        raise DataServiceError(f"The module {options.module!r} has no defs: name the one with the Definitions.")
    for name in sorted(job.name for job in definitions.get_repository_def().get_all_jobs()):
        _say(name)


def _test_run(options: argparse.Namespace) -> None:
    webserver = _webserver(options)
    location = loaded(webserver, _location(options))
    given = _read(options.config) if options.config else None
    config = run_config(webserver, location, options.job, given, options.limit_rows)
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    run = launch(webserver, location, options.job, config)
    follow(webserver, run, options.timeout, _say, interrupted)


def _rollback(options: argparse.Namespace) -> None:
    changed = set_tag(options.file, options.to, options.deployment)
    _say(f"{options.file} {'names' if changed else 'already names'} the tag {options.to}{' again' if changed else ''}.")
    if options.url:
        webserver, name = _webserver(options), _location(options)
        location = wait_for_tag(webserver, name, options.to, options.timeout, options.timeout)
        _say(f"{location.name} runs {location.image} again.")


def _webserver(options: argparse.Namespace) -> Webserver:
    if not options.url:
        raise DataServiceError(f"The webserver's address is missing: give --url or set {URL}.")
    return Webserver(options.url)


def _location(options: argparse.Namespace) -> str:
    if not options.location:
        raise DataServiceError(f"The code location's name is missing: give --location or set {LOCATION}.")
    return str(options.location)


def _named(path: Path) -> list[str]:
    names = _read(path).split()
    if not names:
        raise DataServiceError(f"The file {str(path)!r} names no job: make it with simpl-deploy jobs.")
    return names


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise DataServiceError(f"The file {str(path)!r} cannot be read ({reason}): check its path.") from None


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())

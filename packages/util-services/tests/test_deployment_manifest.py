from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from util_services.deployment import command
from util_services.deployment.manifest import checked_tag, current_tag, set_tag
from util_services.errors import DataServiceError

VALUES = """\
# Values of the chart
global: {dagsterHome: /opt/dagster/home}   # kept
dagster-user-deployments:
  deployments:
    - name: "other"
      image: {repository: r, tag: 'keep-me', pullPolicy: Always}
    - image:
        tag: TAG  # a commit
        repository: gitea.example.org/simpl/location
      name: location
      env:
        - {name: tag, value: TAG}
"""
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True).filter(lambda tag: tag.lower() != "latest")


def written(folder: Path, text: str) -> Path:
    file = folder / "values.yaml"
    file.write_bytes(text.encode())
    return file


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tag=TAGS,
    before=st.sampled_from(["old", '"old"', "'old'", '&anchor "old"', "!!str old", "1.0"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_only_the_tag_changes_and_any_reader_takes_it_for_text(
    tag: str, before: str, line_end: str, tmp_path: Path
) -> None:
    text = VALUES.replace("TAG  #", f"{before}  #").replace("\n", line_end)
    file = written(tmp_path, text)
    known = current_tag(file, "location")
    assert set_tag(file, tag, "location") is (tag != known)
    changed = file.read_bytes().decode()
    pairs = list(zip(text.split(line_end), changed.split(line_end), strict=True))
    assert [number for number, (old, new) in enumerate(pairs) if old != new] in ([7], [])
    assert current_tag(file, "location") == tag
    assert current_tag(file, "other") == "keep-me"
    if tag[0].isdigit() and tag != known:
        assert f'"{tag}"' in changed or f"'{tag}'" in changed
    assert not set_tag(file, tag, "location")


@pytest.mark.parametrize("tag", ["1234e567", "0123", "1.10", "true", "null", "y", "on", "0x1f"])
def test_a_tag_that_a_reader_may_take_for_something_else_is_quoted(tag: str, tmp_path: Path) -> None:
    file = written(tmp_path, "deployments: [{name: location, image: {tag: v1}}]\n")
    set_tag(file, tag)
    assert file.read_text() == f'deployments: [{{name: location, image: {{tag: "{tag}"}}}}]\n'


@pytest.mark.parametrize("tag", ["latest", "Latest", "", ".hidden", "-x", "a b", "a/b", "ä", "x" * 129])
def test_what_is_no_lasting_tag_is_refused_and_nothing_written(tag: str, tmp_path: Path) -> None:
    file = written(tmp_path, VALUES)
    with pytest.raises(DataServiceError, match="The tag "):
        set_tag(file, tag, "location")
    assert file.read_text() == VALUES
    assert checked_tag("x" * 128)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (VALUES, "has 2 deployments: name one with --deployment; choose one of 'other', 'location'."),
        ("deployments: [", "is not valid YAML (line 1): correct it."),
        ("image: {tag: x}", "has no list 'deployments'"),
        ("deployments: [{name: a, image: {repository: r}}]", "'a' has no image.tag"),
        ("deployments: [{name: a, image: {tag: }}]", "'a' has no image.tag"),
        ("deployments: [{name: a, image: {tag: [x]}}]", "'a' has no image.tag"),
        ("", "has no list 'deployments'"),
    ],
)
def test_a_manifest_without_the_tag_is_explained(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(DataServiceError) as error:
        current_tag(written(tmp_path, text))
    assert sentence in str(error.value)


def test_an_unknown_deployment_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataServiceError, match="did you mean 'location'"):
        current_tag(written(tmp_path, VALUES), "locations")


def test_the_mode_of_the_file_and_a_link_to_it_stay(tmp_path: Path) -> None:
    file = written(tmp_path, VALUES)
    file.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    set_tag(link, "v1", "location")
    assert link.is_symlink()
    assert file.stat().st_mode & 0o7777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.yaml", "values.yaml"]


def test_the_command_prints_the_tag_and_says_when_nothing_is_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(written(tmp_path, "deployments: [{name: location, image: {tag: v1}}]\n"))
    assert command.main(["set-image", file, "--tag", "v2"]) == 0
    assert command.main(["set-image", file, "--tag", "v2"]) == 0
    assert command.main(["rollback", file, "--to", "v1"]) == 0
    assert command.main(["current", file]) == 0
    assert capsys.readouterr().out == (
        f"{file} names the tag v2.\n{file} already names the tag v2.\n{file} names the tag v1 again.\nv1\n"
    )
    assert command.main(["set-image", file, "--tag", "latest"]) == 1
    assert command.main(["current", f"{file}.none"]) == 1
    assert "cannot be read (No such file or directory)" in capsys.readouterr().err
    assert yaml.safe_load(Path(file).read_text())["deployments"][0]["image"]["tag"] == "v1"


def test_a_file_that_names_no_job_verifies_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "jobs.txt").write_text("\n")
    arguments = [
        "--url",
        "http://127.0.0.1:1",
        "--location",
        "x",
        "--tag",
        "v1",
        "--jobs-from",
        str(tmp_path / "jobs.txt"),
    ]
    assert command.main(["verify", *arguments]) == 1
    assert "names no job: make it with simpl-deploy jobs." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["reload", "--location", "x"], "The webserver's address is missing: give --url or set DAGSTER_WEBSERVER_URL."),
        (["reload", "--url", "http://127.0.0.1:1"], "The code location's name is missing"),
        (["reload", "--url", "dagster.example.org", "--location", "x"], "The address 'dagster.example.org' is none"),
        (["jobs", "-m", "no_such_module"], "The module 'no_such_module' cannot be imported"),
        (["jobs", "-m", "json"], "The module 'json' has no defs"),
    ],
)
def test_what_is_missing_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(command.URL, raising=False)
    monkeypatch.delenv(command.LOCATION, raising=False)
    assert command.main(arguments) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1

"""The image tag in a file of Helm values: read, and changed in place so that nothing else in the file moves."""

import re
from pathlib import Path

import yaml

from util_services.errors import DataServiceError, nearest
from util_services.files import whole_file

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")  # OCI distribution specification 1.1, "Pulling manifests"
_SUBCHART = "dagster-user-deployments"


def checked_tag(tag: str) -> str:
    """Check that a tag names one image for good.

    Args:
        tag: A commit or a version, such as ``1.4.0``.

    Returns:
        The tag.

    Raises:
        DataServiceError: If it is ``latest``, or not a tag at all.
    """
    if tag.lower() == "latest":
        raise DataServiceError(
            "The tag 'latest' is refused, as it means another image every day: give a commit or version."
        )
    if not _TAG.fullmatch(tag):
        raise DataServiceError(
            f"The tag {tag!r} is none: give up to 128 letters, digits, '.', '_' and '-', the first no '.' or '-'."
        )
    return tag


def current_tag(manifest: Path, deployment: str | None = None) -> str:
    """Give the tag that a file of Helm values names.

    Args:
        manifest: Values of the official Dagster chart, or of its subchart ``dagster-user-deployments``.
        deployment: Name of the user deployment; needed where the file has several.

    Raises:
        DataServiceError: If the file cannot be read, or has no such deployment or no tag in it.
    """
    return str(_tag_node(_read(manifest), manifest, deployment).value)


def set_tag(manifest: Path, tag: str, deployment: str | None = None) -> bool:
    """Write a tag in place of the one that a file of Helm values names; every other byte stays as it is.

    Args:
        manifest: As for :func:`current_tag`.
        tag: A commit or version.
        deployment: As for :func:`current_tag`.

    Returns:
        Whether the file changed: ``False`` if it names that tag already.

    Raises:
        DataServiceError: As :func:`current_tag` and :func:`checked_tag`.
    """
    checked_tag(tag)
    text = _read(manifest)
    node = _tag_node(text, manifest, deployment)
    if node.value == tag:
        return False
    start, end = _span(text, node)
    file = manifest.resolve()  # through a link, which stays one
    mode = file.stat().st_mode & 0o7777
    with whole_file(file) as partial:
        partial.write_text(text[:start] + _scalar(tag, node.style) + text[end:], encoding="utf-8", newline="")
    file.chmod(mode)
    return True


def _read(manifest: Path) -> str:
    try:
        return manifest.read_bytes().decode("utf-8")
    except OSError as error:
        raise DataServiceError(
            f"The manifest {str(manifest)!r} cannot be read ({error.strerror}): give a file of Helm values."
        ) from None
    except UnicodeError:
        raise DataServiceError(f"The manifest {str(manifest)!r} is not UTF-8: give a file of Helm values.") from None


def _tag_node(text: str, manifest: Path, deployment: str | None) -> yaml.ScalarNode:
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f" (line {place.line + 1})" if place else ""
        raise DataServiceError(f"The manifest {str(manifest)!r} is not valid YAML{line}: correct it.") from None
    entries = _entries(root)
    if not entries:
        raise DataServiceError(
            f"The manifest {str(manifest)!r} has no list 'deployments' (in {_SUBCHART!r} or at the top): "
            "give Helm values of the official Dagster chart."
        )
    named = {_text(_child(entry, "name")) or "": entry for entry in entries}
    if deployment is None:
        if len(named) > 1:
            raise DataServiceError(
                f"The manifest {str(manifest)!r} has {len(named)} deployments: name one with --deployment; "
                f"{nearest('', named)}"
            )
        deployment = next(iter(named))
    if deployment not in named:
        raise DataServiceError(f"The manifest has no deployment {deployment!r}: {nearest(deployment, named)}")
    node = _child(_child(named[deployment], "image"), "tag")
    if not isinstance(node, yaml.ScalarNode) or not node.value:
        raise DataServiceError(f"The deployment {deployment!r} has no image.tag in {str(manifest)!r}: add one.")
    return node


def _entries(root: yaml.Node | None) -> list[yaml.Node]:
    for parent in (_child(root, _SUBCHART), root):
        deployments = _child(parent, "deployments")
        if isinstance(deployments, yaml.SequenceNode):
            return list(deployments.value)
    return []


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    found: yaml.Node | None = next((value for name, value in node.value if _text(name) == key), None)
    return found


def _text(node: yaml.Node | None) -> str | None:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else None


def _span(text: str, node: yaml.ScalarNode) -> tuple[int, int]:
    """Tell where the value is written, without an anchor or type before it, which the node's own marks include."""
    end = node.end_mark.index
    start = next(
        token.start_mark.index
        for token in yaml.scan(text, yaml.SafeLoader)
        if isinstance(token, yaml.ScalarToken) and token.end_mark.index == end
    )
    return start, end


def _scalar(tag: str, style: str | None) -> str:
    """Write a tag as before: with the same quotes, or with none where every reader of YAML takes it for text.

    Helm takes ``1234e567`` for a number, PyYAML does not; and which words are truth values depends on the reader, too.
    """
    if style in {"'", '"'}:
        return f"{style}{tag}{style}"
    is_text = re.match(r"[A-Za-z]{2}|[A-Za-z][0-9]", tag) and yaml.safe_load(tag) == tag
    return tag if is_text else f'"{tag}"'

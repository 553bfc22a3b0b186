"""The command ``simpl-keys``: makes, lists and rotates keys in whichever store the environment names; shows none."""

import argparse
import sys
from collections.abc import Callable, Sequence

from field_level_pseudo_anonymisation.key_stores import key_store
from field_level_pseudo_anonymisation.keys import ManagedKeyStore
from util_services.errors import DataServiceError

_STORES = (
    "The key store is OpenBao or Vault if VAULT_ADDR is set (with VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID, "
    "or VAULT_KUBERNETES_ROLE), else the local file KEY_FILE. No command shows a key."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Words of the command line; default those of the process.

    Returns:
        0, or 1 after a mistake, which one sentence on standard error explains; argparse exits with 2 by itself.
    """
    options = _parser().parse_args(arguments)
    run: Callable[[ManagedKeyStore, argparse.Namespace], None] = options.run
    try:
        run(key_store(), options)
    except DataServiceError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command speaks by printing
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="simpl-keys", description="Makes, lists and rotates the keys of pseudonyms.", epilog=_STORES
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    create = commands.add_parser("create", help="make a key; an existing one is never overwritten")
    create.set_defaults(run=_create)
    rotate = commands.add_parser("rotate", help="make a new version of a key; the old ones stay for restoring")
    rotate.set_defaults(run=_rotate)
    for command in (create, rotate):
        command.add_argument("name", metavar="NAME", help="letters, digits, ., - and _")
    commands.add_parser("list", help="list the names of the keys and their version numbers").set_defaults(run=_list)
    return parser


def _create(store: ManagedKeyStore, options: argparse.Namespace) -> None:
    store.create(options.name)
    print(f"Created the key {options.name!r}, version 1.")  # noqa: T201


def _rotate(store: ManagedKeyStore, options: argparse.Namespace) -> None:
    version = store.rotate(options.name)
    print(f"Rotated the key {options.name!r}: new pseudonyms are made with version {version}.")  # noqa: T201


def _list(store: ManagedKeyStore, options: argparse.Namespace) -> None:
    del options
    for name in store.names():
        versions = ", ".join(map(str, store.version_numbers(name)))
        print(f"{name}\t{versions}")  # noqa: T201

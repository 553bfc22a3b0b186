"""Roles of columns: identifier, quasi-identifier, sensitive attribute."""

from collections.abc import Sequence

from util_services.errors import DataServiceError, nearest


def check_roles(
    columns: Sequence[str], identifiers: Sequence[str], quasi_identifiers: Sequence[str], sensitive: Sequence[str]
) -> None:
    """Check that every named column exists and has one role, and that there is a quasi-identifier.

    Args:
        columns: Columns of the table.
        identifiers: Columns that identify a person directly.
        quasi_identifiers: At least one column.
        sensitive: Sensitive attributes.

    Raises:
        DataServiceError: If they do not.

    Examples:
        >>> check_roles(["age", "disease"], [], ["age"], ["disease"])
    """
    if not quasi_identifiers:
        raise DataServiceError("The quasi_identifiers are empty: name at least one column.")
    roles = {"ident": identifiers, "quasi_identifiers": quasi_identifiers, "sensitive_attributes": sensitive}
    role_of: dict[str, str] = {}
    for role, names in roles.items():
        for name in names:
            if name not in columns:
                raise DataServiceError(f"The column {name!r} in {role} does not exist: {nearest(name, columns)}")
            if name in role_of:
                raise DataServiceError(
                    f"The column {name!r} is named in {role_of[name]} and again in {role}: give it one role."
                )
            role_of[name] = role

"""The roles of columns: each has one at most."""

from collections.abc import Mapping, Sequence

from util_services.errors import DataServiceError, nearest


def check_roles(columns: Sequence[str], roles: Mapping[str, Sequence[str]]) -> None:
    """Check that every column named exists and has one role.

    Args:
        columns: Columns of the table.
        roles: Column names by role, as the roles are called in run configurations.

    Raises:
        DataServiceError: If there are no quasi-identifiers, a column does not exist or is named twice.
    """
    if not roles.get("quasi_identifiers"):
        raise DataServiceError("The quasi_identifiers are empty: name at least one column.")
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

"""Settings of the operator, from environment variables."""

from util_services.errors import DataServiceError


def whole_number(variable: str, setting: str | None, default: int, *, least: int = 1, what: str | None = None) -> int:
    """Read a whole number.

    Args:
        variable: Name of the variable, for the message.
        setting: Its text; ``None`` if it is not set.
        default: What holds then.
        least: The smallest that is allowed, 0 or more.
        what: What it shall be, for the message.

    Raises:
        DataServiceError: If it is none, or too small; the text is not told.

    Examples:
        >>> whole_number("S3_MAX_ATTEMPTS", "3", 5), whole_number("S3_MAX_ATTEMPTS", None, 5)
        (3, 5)
    """
    if setting is None:
        return default
    if not (setting.isascii() and setting.isdigit()) or int(setting) < least:
        expected = what or f"a whole number from {least}"
        raise DataServiceError(f"The environment variable {variable} is not {expected}: correct it.")
    return int(setting)

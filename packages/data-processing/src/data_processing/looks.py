"""What the cells of a column look like, told by their texts: one small definition each, the more telling first."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """A shape of texts.

    Attributes:
        name: What a column of such cells holds, for reports.
        pattern: A regular expression for the whole text.
        identifies: Whether such a cell belongs to one person or thing.
        date_format: Of dates: how they are written, with ``%Y``, ``%m`` and ``%d``.
        numeric: Whether the texts are numbers as :func:`expressions.values.to_number` reads them.
    """

    name: str
    pattern: str
    identifies: bool = False
    date_format: str | None = None
    numeric: bool = False


LOOKS: Mapping[str, Look] = {
    look.name: look
    for look in (
        Look("truth values", r"(?i:true|false|yes|no|y|n|t|f)"),
        Look("e-mail addresses", r"[^@\s]+@[^@\s]+\.[^@\s]+", identifies=True),
        Look("UUIDs", r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", identifies=True),
        Look("IBANs", r"[A-Z]{2}[0-9]{2}( ?[0-9A-Z]){11,30}", identifies=True),
        Look("IP addresses", r"[0-9]{1,3}(\.[0-9]{1,3}){3}", identifies=True),
        Look("URLs", r"[a-z]+://\S+"),
        Look("dates", r"[0-9]{4}-[0-9]{2}-[0-9]{2}", date_format="%Y-%m-%d"),
        Look("dates written 31.12.2026", r"[0-9]{2}\.[0-9]{2}\.[0-9]{4}", date_format="%d.%m.%Y"),
        Look("dates written 31/12/2026", r"(0[1-9]|[12][0-9]|3[01])/(0[1-9]|1[0-2])/[0-9]{4}", date_format="%d/%m/%Y"),
        Look("times", r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}.*"),
        Look("whole numbers", r"[+-]?([1-9][0-9]{0,17}|0)", numeric=True),
        Look("digits, some with a leading zero", r"[0-9]{1,18}"),
        Look("decimal numbers", r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", numeric=True),
        Look("decimal numbers with a comma", r"[+-]?[0-9]{1,3}(\.?[0-9]{3})*(,[0-9]+)?"),
        Look("telephone numbers", r"(\+|00)[0-9][0-9 ()/.-]{6,20}", identifies=True),
    )
}
"""By name."""

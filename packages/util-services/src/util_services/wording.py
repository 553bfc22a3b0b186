"""How figures are written in reports."""


def percent(share: float) -> str:
    """Write a share; what is little is never written as nothing, nor nearly all as all.

    Args:
        share: 0 to 1.

    Examples:
        >>> percent(0.25), percent(0.0), percent(1e-6), percent(0.99999), percent(1.0)
        ('25.0%', '0%', '<0.1%', '>99.9%', '100%')
    """
    if share in {0, 1}:
        return f"{share:.0%}"
    rounded = f"{share:.1%}"
    return {"0.0%": "<0.1%", "100.0%": ">99.9%"}.get(rounded, rounded)

"""Text from elsewhere, fit to be shown."""


def printable(text: str) -> str:
    """Control characters and lone surrogates escaped: a file name may hold anything."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)

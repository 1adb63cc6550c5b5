"""Numbers with their noun, as people say them."""


def counted(n: int, noun: str) -> str:
    """Return a number and its noun, such as ``1 night`` and ``2 nights``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"

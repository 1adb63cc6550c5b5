"""A selection under work as it is kept on disk: expression, exclusions with reasons, what is half typed."""

from dataclasses import dataclass, field
from typing import Any

FORMER_KEPT = 20
"""Earlier expressions that up and down bring back."""


@dataclass(slots=True)
class SelectionDraft:
    """What was changed and is not stored yet."""

    where: str | None = None
    """None: as stored, or as proposed."""
    exclude: dict[int, str] | None = None
    """Exposure -> reason; None: as stored, or as proposed."""
    typing: str = ""
    """An expression that was begun and not taken."""
    former: list[str] = field(default_factory=list)
    """Expressions before this one, oldest first."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to keep."""
        return self.where is None and self.exclude is None and not self.typing

    def take_where(self, before: str, where: str) -> None:
        """Make another expression the one in force."""
        if before and before != where:
            self.former = [*(one for one in self.former if one != before), before][-FORMER_KEPT:]
        self.where, self.typing = where, ""

    def content(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        exclude = None if self.exclude is None else [[one, reason] for one, reason in self.exclude.items()]
        return {"where": self.where, "exclude": exclude, "typing": self.typing, "former": self.former}


def draft_key(instrument: str, ticket: str, calib_type: str, purpose: str) -> str:
    """Return the name of the draft of one selection."""
    return "/".join(["raws", ticket or instrument, calib_type or "any", purpose])


def draft_of(content: dict[str, Any]) -> SelectionDraft:
    """Return a draft as it was kept; what is no draft is as good as none."""
    where, exclude, former = content.get("where"), content.get("exclude"), content.get("former")
    try:
        kept = None if exclude is None else {int(one): str(reason) for one, reason in exclude}
    except (TypeError, ValueError):
        kept = None
    return SelectionDraft(
        where=where if isinstance(where, str) else None,
        exclude=kept,
        typing=str(content.get("typing") or ""),
        former=[str(one) for one in former] if isinstance(former, list) else [],
    )

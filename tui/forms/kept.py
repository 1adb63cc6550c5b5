"""The draft of a form: what was changed and where the cursor was, on disk after every key."""

from dataclasses import dataclass

from tui.drafts import Drafts
from tui.forms.model import FormModel


@dataclass(frozen=True, slots=True)
class Kept:
    """A draft that was taken up."""

    at: str
    """When it was typed, for people."""
    field: str
    """Where the cursor was."""
    labels: tuple[str, ...]
    """What is another way than proposed."""


def take_draft(drafts: Drafts, form: FormModel) -> Kept | None:
    """Put the draft of a form into it, if there is one that changes something."""
    draft = drafts.load(form.key)
    fields = draft.content.get("fields") if draft is not None else None
    if draft is None or not isinstance(fields, dict):
        return None
    taken = form.take_changes(fields)
    return Kept(draft.saved_at or "before", str(draft.content.get("at", "")), taken) if taken else None


def keep_draft(drafts: Drafts, form: FormModel, *, field: str, now_tai_ns: int) -> None:
    """Keep what was changed; when nothing is, there is no draft."""
    from calibstore.model.times import ns_to_iso

    changes = form.changes()
    if changes:
        at = ns_to_iso(now_tai_ns)[:16].replace("T", " ") + " TAI"
        drafts.save(form.key, {"fields": changes, "at": field}, at=at)
    else:
        drafts.discard(form.key)

"""The draft of a form: what was changed and where the cursor was, on disk after every key."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tui.drafts import Drafts
from tui.forms.model import FormField, FormModel, Value
from tui.forms.paint import shown_value

if TYPE_CHECKING:
    from calibstore.services.actions import Effect


@dataclass(frozen=True, slots=True)
class Kept:
    """A draft that was taken up."""

    at: str
    """When it was typed, for people."""
    field: str
    """Where the cursor was."""
    labels: tuple[str, ...]
    """What is another way than proposed."""
    moved: dict[str, str]
    """By field: what is proposed is no longer what it was when this was typed."""


def take_draft(drafts: Drafts, form: FormModel) -> Kept | None:
    """Put the draft of a form into it, if there is one that changes something."""
    draft = drafts.load(form.key)
    fields = draft.content.get("fields") if draft is not None else None
    if draft is None or not isinstance(fields, dict):
        return None
    taken = form.take_changes(fields)
    if not taken:
        return None
    at = draft.saved_at or "before"
    return Kept(at, str(draft.content.get("at", "")), taken, _moved(form, draft.content.get("proposed"), at))


def _moved(form: FormModel, then: Any, at: str) -> dict[str, str]:
    """Tell by field where something else is proposed now than when the draft was typed."""
    found = {}
    for field in form.fields:
        base = form.base[field.name]
        if field.name not in form.changes() or not isinstance(then, dict) or field.name not in then:
            continue
        before = tuple(then[field.name]) if isinstance(then[field.name], list) else then[field.name]
        if before != base:
            typed, now = told_value(field, form.values[field.name]), told_value(field, base)
            found[field.name] = (
                f"W-DRAFT {field.label} is {typed}, from the draft of {at}; since then something else is proposed: "
                f"{now}. ^x takes what is proposed"
            )
    return found


def told_value(field: FormField, value: Value) -> str:
    """Return a value inside a sentence."""
    if isinstance(value, tuple):
        return "; ".join(value) or "empty"
    return str(shown_value(field, value)) or "empty"


def keep_draft(drafts: Drafts, form: FormModel, *, field: str, now_tai_ns: int) -> None:
    """Keep what was changed; when nothing is, there is no draft."""
    from calibstore.model.times import ns_to_iso

    changes = form.changes()
    if changes:
        at = ns_to_iso(now_tai_ns)[:16].replace("T", " ") + " TAI"
        proposed = {name: form.base.get(name, "") for name in changes}
        drafts.save(form.key, {"fields": changes, "at": field, "proposed": proposed}, at=at)
    else:
        drafts.discard(form.key)


def title_text(form: FormModel, kept: Kept | None, n_problems: int) -> str:
    """Return the title of a form: its verb, whether there is a draft, what is missing."""
    parts = [form.cls.verb]
    if form.changes():
        parts.append(f"draft of {kept.at}" if kept else "draft kept")
    if n_problems:
        parts.append(f"{n_problems} to fill in or mend")
    return " · ".join(parts)


def with_draft(effect: "Effect", kept: Kept, form: FormModel) -> "Effect":
    """Return an effect that tells where the draft and what is proposed now went apart."""
    told = tuple(text for name, text in kept.moved.items() if name in form.changes())
    return replace(effect, warnings=(*told, *effect.warnings), ask=effect.ask or bool(told)) if told else effect

"""The rules as the doctor tells them."""

from calibstore.errors import CabstandError
from calibstore.model.rules import KINDS, Rule, group_reasons, rule, rules
from calibstore.services.actions import Answer
from calibstore.services.context import Context
from calibstore.services.layout import folded


def kind_of(context: Context) -> str:
    """Return the kind of a repository; empty where there is none that can be read."""
    try:
        if not context.has_store:
            return ""
        with context.unit_of_work() as uow:
            return uow.repository.record().kind
    except (CabstandError, OSError):
        return ""


def rules_answer(name: str, kind: str) -> Answer:
    """Return the list of rules, or one explained.

    Parameters
    ----------
    name : str
        Id of one rule; empty for all.
    kind : str
        Kind of the repository that is open; empty for none.

    Raises
    ------
    NotFoundError
        If no rule has that id.
    """
    if name:
        one = rule(name)
        return Answer(lines=tuple(_explained(one, kind)), data=_data(one, kind))
    lines: list[str] = []
    for group, reason in group_reasons().items():
        lines += [*([""] if lines else []), *folded(f"{group.upper()}  {reason}")]
        for one in rules():
            if one.group == group:
                lines += folded(f"{one.id:<18}{_short(one, kind):<13}{one.what}", "  ", " " * 31)
    here = f"here ({kind})" if kind else "on main and rehearsal / on user and test repositories"
    lines += ["", *folded(f"{len(rules())} rules; the second column says what they do {here}."), _HINT]
    return Answer(lines=tuple(lines), data={"kind": kind, "rules": [_data(one, kind) for one in rules()]})


_HINT = "One explained: cabstand doctor E-NOMODE"


def _short(one: Rule, kind: str) -> str:
    if kind:
        return str(one.severity(kind))
    strict, loose = one.severity("main"), one.severity("test")
    return str(strict) if strict is loose else f"{strict}/{loose}"


def _explained(one: Rule, kind: str) -> list[str]:
    rows = [("what", one.what), ("why", one.why), ("remedy", one.remedy), ("severity", one.severity_text)]
    if kind:
        rows.append(("here", f"{one.severity(kind)} (a {kind} repository)"))
    lines = [f"{one.id}  ({one.group})"]
    for label, text in rows:
        lines += folded(f"{label:<10}{text}", "  ", " " * 10)
    return lines


def _data(one: Rule, kind: str) -> dict[str, object]:
    return {
        "id": one.id,
        "group": one.group,
        "what": one.what,
        "why": one.why,
        "remedy": one.remedy,
        "severity": {name: str(one.severity(name)) for name in KINDS},
        "here": str(one.severity(kind)) if kind else None,
    }

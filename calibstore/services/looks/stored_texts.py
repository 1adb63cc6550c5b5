"""Texts a ticket has in the store: its report, and what was sent to the board."""

from calibstore.errors import NotFoundError
from calibstore.services import next_lines as lines
from calibstore.services.checklist_gates import rerun_of
from calibstore.services.context import Context
from calibstore.services.standing import standing

REPORT = "report"
HAILING = "hailing"


def stored_text(context: Context, ticket: str, name: str) -> tuple[str, ...]:
    """Return a stored text of a ticket as lines.

    Parameters
    ----------
    context : Context
        Repository.
    ticket : str
        Construction ticket.
    name : str
        ``report`` or ``hailing``.

    Raises
    ------
    NotFoundError
        If there is none yet, or its file is gone.
    """
    return _hailing(context, ticket) if name == HAILING else _report(context, ticket)


def _report(context: Context, ticket: str) -> tuple[str, ...]:
    with context.unit_of_work() as uow:
        found = standing(uow, ticket, now_tai_ns=context.clock())
    hint = f"{lines.report_line(found)} --overwrite"
    if found.report is None:
        raise NotFoundError(f"{ticket} has no report yet", hint=lines.report_line(found), code="E-NOREPORT")
    folder = context.absolute(found.report.path)
    told: list[str] = []
    for one in found.verifiable:
        if one.verification is None:
            continue
        path = folder / f"{one.calib_type}.{rerun_of(one.verification.verify_run)}.md"
        try:
            told += [f"{path}", "", *path.read_text("utf-8", "replace").splitlines()]
        except OSError as problem:
            raise NotFoundError(
                f"{path} cannot be read: {problem.strerror or problem}", hint=hint, code="E-NOREPORT"
            ) from problem
    return tuple(told)


def _hailing(context: Context, ticket: str) -> tuple[str, ...]:
    with context.unit_of_work() as uow:
        uow.campaigns.campaign(ticket)
        hailings = uow.campaigns.hailings(ticket)
    if not hailings:
        raise NotFoundError(
            f"{ticket} was not put before the board yet", hint=f"cabstand hail {ticket} {lines.HAILING_KEY}"
        )
    return tuple(hailings[-1].text.rstrip("\n").split("\n"))

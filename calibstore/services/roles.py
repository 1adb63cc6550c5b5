"""Who may do what: the roles of the repository, or where it gives none, of the user's own configuration."""

from calibstore.commands.fields import ROLES, VIEWER, Command
from calibstore.config import REPOSITORY_FILE
from calibstore.errors import WorkflowError
from calibstore.services.context import Context


def holders(context: Context, role: str) -> tuple[str, ...] | None:
    """Return who has a role; None: everybody, since nobody was named.

    Parameters
    ----------
    context : Context
        The repository, whose own file wins over the configuration.
    role : str
        One of `calibstore.commands.fields.ROLES`.
    """
    found = context.repository_file.roles.get(role)
    return found if found is not None else context.config.roles.get(role)


def given_in(context: Context, role: str) -> str:
    """Return where a role is given, for messages."""
    if role in context.repository_file.roles:
        return str(context.root / REPOSITORY_FILE)
    return "the user's configuration file"


def has_role(context: Context, role: str) -> bool:
    """Tell whether the user may act in a role; who has any other one may look."""
    named = holders(context, role)
    if named is None or context.user in named:
        return True
    return role == VIEWER and any(context.user in (holders(context, one) or ()) for one in ROLES)


def roles_of(context: Context) -> tuple[str, ...]:
    """Return the roles the user has."""
    return tuple(role for role in ROLES if has_role(context, role))


def require_role(context: Context, role: str, *, what: str = "") -> None:
    """Refuse a user who may not act in a role.

    Parameters
    ----------
    context : Context
        Who acts, and where.
    role : str
        What is needed.
    what : str
        The verb that needs it.

    Raises
    ------
    WorkflowError
        E-ROLE, naming the role, who has it and where it is given.
    """
    if has_role(context, role):
        return
    named = holders(context, role) or ()
    needs = f": cabstand {what} needs it" if what else ""
    raise WorkflowError(
        f"{context.user} has not the role {role}{needs}",
        hint=f"ask one of {', '.join(named) or 'nobody yet'}, or have the name added to roles.{role} in "
        f"{given_in(context, role)}",
        code="E-ROLE",
    )


def require_for(command: Command, context: Context, *, is_looking: bool) -> None:
    """Refuse a command to a user without its role; looking at what it would do takes a viewer.

    Raises
    ------
    WorkflowError
        E-ROLE.
    """
    require_role(context, VIEWER if is_looking else command.needs_role, what=command.verb)

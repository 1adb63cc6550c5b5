"""Roles (E-ROLE): every registered command names one, and both doors hold the user against it."""

from dataclasses import replace
from typing import Any

import pytest

from calibstore import config
from calibstore.commands import registered
from calibstore.commands.collections import RegisterCollection
from calibstore.commands.fields import ROLES, Command, asked_fields
from calibstore.commands.generation import Generate, Jobs
from calibstore.commands.store import QueryCollections
from calibstore.config import REPOSITORY_FILE
from calibstore.errors import WorkflowError
from calibstore.services.doors import ask, execute
from calibstore.services.roles import roles_of

NEEDED = {
    "decide": "board",
    "deploy": "deployer",
    "import": "deployer",
    "rollback": "deployer",
    "jobs": "viewer",
    "observe": "viewer",
    "verify": "verifier",
    "report": "verifier",
    "prove": "verifier",
}
MAKE = RegisterCollection(name="u/ada/x", type="chained")


def example(cls: type[Command]) -> Command:
    """Return a command whose values need not make sense: nobody looks at them before the role."""
    values: dict[str, Any] = {}
    for one in asked_fields(cls):
        if not one.is_optional:
            value = one.choices[0] if one.choices else one.type("1")
            values[one.name] = (value,) if one.is_many else value
    return cls(**values)


def test_the_configuration_knows_the_same_roles() -> None:
    assert config.ROLES == ROLES


@pytest.mark.parametrize("verb", sorted(registered()))
def test_every_command_is_held_against_its_role(verb: str, strict_repo: Any) -> None:
    cls = registered()[verb]
    assert cls.needs_role == NEEDED.get(verb, "builder" if cls.writes else "viewer")
    roles = dict.fromkeys(ROLES, ("bob",))
    context = replace(strict_repo.context, config=replace(strict_repo.context.config, roles=roles))
    for dry_run in (False, True):
        with pytest.raises(WorkflowError) as caught:
            execute(example(cls), context, dry_run=dry_run) if cls.writes else ask(example(cls), context)
        problem = caught.value
        assert problem.code == "E-ROLE"
        assert ("viewer" if dry_run else cls.needs_role) in problem.message
        assert "ada" in problem.message
        assert "bob" in problem.hint
        assert "configuration file" in problem.hint


def test_the_repository_wins_over_the_configuration(strict_repo: Any) -> None:
    config = replace(strict_repo.context.config, roles={"builder": ("ada",)})
    context = replace(strict_repo.context, config=config)
    (context.root / REPOSITORY_FILE).write_text('[roles]\nbuilder = ["bob"]\n', encoding="utf-8")
    with pytest.raises(WorkflowError) as caught:
        execute(MAKE, context)
    assert caught.value.code == "E-ROLE"
    assert REPOSITORY_FILE in caught.value.hint
    assert execute(MAKE, replace(context, user="bob")).state


def test_looking_takes_a_viewer_only(strict_repo: Any) -> None:
    roles = {"builder": ("bob",), "board": ("eve",), "viewer": ("ada",)}
    context = replace(strict_repo.context, config=replace(strict_repo.context.config, roles=roles))
    assert execute(MAKE, context, dry_run=True).summary
    assert ask(QueryCollections(), context).lines
    assert execute(Jobs(), context).summary
    assert execute(Generate(graph=True, instrument="LATISS"), context).lines
    with pytest.raises(WorkflowError, match="builder"):
        execute(Jobs(resume="j1"), context)
    # Who may act may look.
    assert ask(QueryCollections(), replace(context, user="eve")).lines
    assert roles_of(replace(context, user="eve")) == ("viewer", "verifier", "board", "deployer")


def test_a_role_that_is_listed_nowhere_is_everybodys(strict_repo: Any) -> None:
    assert roles_of(strict_repo.context) == ROLES
    assert execute(MAKE, strict_repo.context).state

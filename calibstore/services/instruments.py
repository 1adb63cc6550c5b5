"""Which instrument is meant, when the user need not say it."""

from typing import TYPE_CHECKING

from calibstore.errors import UserInputError

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def one_instrument(uow: "UnitOfWork", given: str) -> str:
    """Return the instrument that is meant.

    Parameters
    ----------
    uow : UnitOfWork
        The repository.
    given : str
        What the user said; empty for "the only one".

    Raises
    ------
    UserInputError
        If nothing was said and the repository has several.
    NotFoundError
        If the repository has no such instrument.
    """
    known = uow.repository.instruments()
    if given:
        uow.repository.camera(given)
        return given
    if len(known) != 1:
        raise UserInputError(
            f"the repository has {len(known)} instruments: {', '.join(known)}",
            hint=f"say which: --instrument {known[0] if known else 'NAME'}",
        )
    return known[0]

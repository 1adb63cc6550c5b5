"""Table products through the look: which is shown, what it is held against, what is said of a damaged one."""

from collections.abc import Callable
from typing import Any

import pytest

from calibstore.errors import UserInputError
from calibstore.services.looks.data import Wish, data_look, save_png
from calibstore.services.looks.data_tables import PageWish, Room
from tests.support.table_products import GAIN, store_products

PAGE = PageWish(room=Room(columns=36, rows=18))


@pytest.fixture
def tables(make_repo: Callable[..., Any]) -> Any:
    """A repository with two RUNs of a ptc and of crosstalk."""
    repo = make_repo()
    store_products(repo.context, ("ptc", "crosstalk"))
    return repo


def test_a_table_is_read_and_drawn_of_the_newest_run(tables: Any) -> None:
    look = data_look(tables.context, dataset_type="ptc", page=PAGE)
    assert look.run.endswith("20250601b")
    assert look.table is not None
    assert look.table.rows[0].values[0] == pytest.approx(GAIN)
    assert len(look.table.panels) == 2
    assert look.picture is None
    assert data_look(tables.context, dataset_type="ptc").table.panels == ()


def test_a_difference_is_to_the_attempt_before(tables: Any) -> None:
    look = data_look(tables.context, dataset_type="ptc", page=PAGE, is_difference=True)
    assert look.compared.relation == "the attempt before"
    assert (look.is_difference, look.table.is_difference) == (True, True)
    assert look.table.rows[0].values[0] == pytest.approx(-0.02)


def test_a_damaged_table_says_what_is_wrong(tables: Any) -> None:
    run = data_look(tables.context, dataset_type="crosstalk").run
    tables.context.absolute(f"{run}/0.fits").write_bytes(b"SIMPLE  = nothing of the kind")
    look = data_look(tables.context, dataset_type="crosstalk", page=PAGE)
    assert look.table is None
    assert "0.fits" in look.picture_fault
    with pytest.raises(UserInputError, match="is a table"):
        save_png(tables.context, Wish(columns=1, rows=1), dataset_type="crosstalk")

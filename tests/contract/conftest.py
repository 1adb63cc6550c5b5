"""Every test here runs twice: once with its store in a SQLite file, once in a PostgreSQL database."""

import pytest


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.pg)])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Say where stores are kept."""
    kind: str = request.param
    return kind

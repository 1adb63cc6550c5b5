"""Migrations give exactly the declared schema, all or nothing."""

import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

import calibstore.db.migrate
from calibstore.db.engine import check_version, open_engine
from calibstore.db.migrate import upgrade
from calibstore.db.schema import SCHEMA_VERSION, metadata
from calibstore.errors import StoreError

PROJECT_SCRIPTS = Path(calibstore.db.migrate.__file__).parent / "migrations"

NEXT = '''
"""Add a table, fill it, change another one, then fail."""
import sqlalchemy as sa
from alembic import op
revision = "0003"
down_revision = "0002"

def upgrade() -> None:
    op.create_table("half", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("insert into half values (1)")
    op.add_column("repository", sa.Column("more", sa.Text, nullable=True))
    op.execute("update repository set name = 'changed'")
    op.execute("this is not SQL")
'''


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite3"


@pytest.fixture
def engine(path: Path) -> Iterable[sa.Engine]:
    made = open_engine(path, must_exist=False)
    upgrade(made)
    yield made
    made.dispose()


def dump(path: Path) -> str:
    connection = sqlite3.connect(path)
    text = "\n".join(connection.iterdump())
    connection.close()
    return text


def test_migrated_schema_is_the_declared_one(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "target_metadata": metadata})
        assert compare_metadata(context, metadata) == []
    check_version(engine)


def test_check_constraints_and_partial_indexes_arrive(engine: sa.Engine) -> None:
    # compare_metadata does not look at these.
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("select name, sql from sqlite_master where sql is not null").all()
    migrated = {row.name: " ".join(row.sql.split()) for row in rows}
    from sqlalchemy.dialects import sqlite
    from sqlalchemy.schema import CreateIndex

    for table in metadata.tables.values():
        for check in (one for one in table.constraints if isinstance(one, sa.CheckConstraint)):
            assert f"CONSTRAINT {check.name} CHECK" in migrated[table.name], check.name
        for index in table.indexes:
            declared = " ".join(str(CreateIndex(index).compile(dialect=sqlite.dialect())).split())
            assert migrated[str(index.name)].lower() == declared.lower()


def test_failing_half_way_leaves_the_file_as_it_was(engine: sa.Engine, path: Path, tmp_path: Path) -> None:
    with engine.connect().execution_options(cabstand_write=True) as connection, connection.begin():
        connection.exec_driver_sql("insert into repository values ('i', 'kept', 'test', 'cabstand', 'here', 1)")
    scripts = tmp_path / "scripts"
    shutil.copytree(PROJECT_SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "0003_fails.py").write_text(NEXT)
    before = dump(path)
    with pytest.raises(StoreError):
        upgrade(engine, scripts=scripts)
    assert dump(path) == before
    assert "half" not in before
    check_version(engine)


def test_failing_first_migration_leaves_no_table(tmp_path: Path, path: Path) -> None:
    scripts = tmp_path / "scripts"
    shutil.copytree(PROJECT_SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "0003_fails.py").write_text(NEXT)
    engine = open_engine(path, must_exist=False)
    with pytest.raises(StoreError):
        upgrade(engine, scripts=scripts)
    engine.dispose()
    connection = sqlite3.connect(path)
    assert connection.execute("select count(*) from sqlite_master").fetchone() == (0,)
    connection.close()


def test_succeeding_again_after_a_failure(engine: sa.Engine, tmp_path: Path) -> None:
    scripts = tmp_path / "scripts"
    shutil.copytree(PROJECT_SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    step = scripts / "versions" / "0003_fails.py"
    step.write_text(NEXT)
    with pytest.raises(StoreError):
        upgrade(engine, scripts=scripts)
    step.write_text(NEXT.replace('    op.execute("this is not SQL")\n', ""))
    upgrade(engine, scripts=scripts)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select version_num from alembic_version").scalar() == "0003"
    with pytest.raises(StoreError) as caught:
        check_version(engine)
    assert caught.value.code == "E-SCHEMA"
    assert f"this Cabstand reads schema {SCHEMA_VERSION}" in caught.value.message
    assert "pip install --upgrade" in caught.value.hint


def test_upgrading_twice_changes_nothing(engine: sa.Engine, path: Path) -> None:
    before = dump(path)
    upgrade(engine)
    assert dump(path) == before

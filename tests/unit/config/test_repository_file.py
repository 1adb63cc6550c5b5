"""The repository's own settings: read once, wrong entries told in one line, no password ever repeated."""

from pathlib import Path

import pytest

from calibstore.config import REPOSITORY_FILE, RepositoryFile, load_repository_file
from calibstore.errors import UserInputError
from calibstore.services.context import Context

URL = "postgresql+psycopg://calib@db.example/calib"


def write(root: Path, text: str) -> Path:
    path = root / REPOSITORY_FILE
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_is_an_empty_one(tmp_path: Path) -> None:
    assert load_repository_file(tmp_path) == RepositoryFile()
    assert load_repository_file(tmp_path / "missing") == RepositoryFile()


def test_all_entries_are_read(tmp_path: Path) -> None:
    write(tmp_path, f'database = "{URL}"\nbutler = "/repo/main"\n[roles]\ndeployer = ["ada", "bo"]\n')
    assert load_repository_file(tmp_path) == RepositoryFile(
        database=URL, butler="/repo/main", roles={"deployer": ("ada", "bo")}
    )


@pytest.mark.parametrize(
    ("text", "told", "code"),
    [
        ("data = 1", "no setting 'data'", "E-REPOFILE"),
        ("database = 3", "database must be text", "E-REPOFILE"),
        ("roles = 3", "roles must be a table", "E-REPOFILE"),
        ('[roles]\ndeployer = "ada"', "deployer = 'ada' is no list", "E-REPOFILE"),
        ('[roles]\nbord = ["ada"]', "there is no role 'bord'", "E-REPOFILE"),
        ("butler = [", "Invalid value", "E-REPOFILE"),
        ('database = "sqlite:///x"', "must begin with postgresql+psycopg://", "E-DATABASE"),
        ('database = "postgresql+psycopg://a@host:x/db"', "cannot be read", "E-DATABASE"),
        ('database = "postgresql+psycopg://a@host/"', "names no database", "E-DATABASE"),
        ('database = "postgresql+psycopg://a:topsecret@host/db"', "holds a password", "E-PASSWORD"),
        ('database = "postgresql+psycopg://a@host/db?password=topsecret"', "holds a password", "E-PASSWORD"),
    ],
)
def test_a_wrong_entry_is_told_in_one_line(tmp_path: Path, text: str, told: str, code: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserInputError) as caught:
        load_repository_file(tmp_path)
    assert told in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.code == code
    assert caught.value.hint
    assert "\n" not in caught.value.message
    assert "topsecret" not in f"{caught.value.message} {caught.value.hint}"


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / REPOSITORY_FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(UserInputError, match=REPOSITORY_FILE):
        load_repository_file(tmp_path)


def test_the_context_reads_it_again_only_when_it_changed(
    empty_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = empty_context.root
    assert empty_context.repository_file == RepositoryFile()
    path = write(root, 'butler = "/repo/main"\n')
    assert empty_context.repository_file.butler == "/repo/main"
    with monkeypatch.context() as patch:
        patch.setattr("calibstore.services.context.load_repository_file", lambda _root: pytest.fail("read again"))
        assert empty_context.repository_file.butler == "/repo/main"
    other = root / "other.toml"
    other.write_text('butler = "/repo/mine"\n')
    other.replace(path)
    assert empty_context.repository_file.butler == "/repo/mine"


@pytest.fixture
def empty_context(tmp_path: Path) -> Context:
    from calibstore.config import Config

    return Context(
        root=tmp_path,
        clock=lambda: 0,
        user="ada",
        host="here",
        config=Config(data_dir=tmp_path / "data", state_dir=tmp_path / "state"),
    )

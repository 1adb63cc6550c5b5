"""How a Butler repository is named, and where the store that accompanies it stands."""

from pathlib import Path

import pytest

from calibstore.config import Config, butler_named, companion_folder, find_repository
from calibstore.errors import UserInputError


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        repositories={"main": f"butler:{tmp_path}/main", "own": str(tmp_path / "own")},
        data_dir=tmp_path / "data",
        state_dir=tmp_path / "state",
    )


@pytest.mark.parametrize("given", ["main", "butler:{}/main", "butler:{}/main/", "butler:{}/x/../main/butler.yaml"])
def test_a_butler_repository_is_named_by_folder_or_configured_name(config: Config, tmp_path: Path, given: str) -> None:
    assert butler_named(given.format(tmp_path), config, {}) == str(tmp_path / "main")
    assert find_repository(given.format(tmp_path), config, {}) == tmp_path / "main.cabstand"


def test_the_environment_names_one_too(config: Config, tmp_path: Path) -> None:
    assert butler_named("", config, {"CABSTAND_REPO": "main"}) == str(tmp_path / "main")
    assert butler_named("own", config, {"CABSTAND_REPO": "main"}) == ""


def test_a_registered_name_and_a_uri_are_kept_as_given(config: Config) -> None:
    assert butler_named("butler:embargo", config, {}) == "embargo"
    assert butler_named("butler:s3://bucket/repo", config, {}) == "s3://bucket/repo"
    one, other = (companion_folder(place, config) for place in ("s3://bucket/repo", "s3://bucket-repo"))
    assert one.parent == other.parent == config.data_dir / "butler"
    assert one != other


def test_where_nothing_may_be_written_the_companion_is_among_the_users_data(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    found = companion_folder(str(tmp_path / "main"), config)
    assert found.parent == config.data_dir / "butler"
    (tmp_path / "main.cabstand").mkdir()
    assert companion_folder(str(tmp_path / "main"), config) == tmp_path / "main.cabstand"


def test_a_prefix_alone_names_nothing(config: Config) -> None:
    with pytest.raises(UserInputError) as caught:
        find_repository("butler:", config, {})
    assert caught.value.code == "E-BUTLER"

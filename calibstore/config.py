"""Where things are: the user's configuration file, data and state folders, and the repository that is meant."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from calibstore.errors import UserInputError

STORE_FILE: Final = "cabstand.sqlite3"
"""Name of the database inside a repository folder."""


THEMES: Final = ("dark", "light", "ansi", "mono")


@dataclass(frozen=True, slots=True, kw_only=True)
class UiConfig:
    """The [ui] and [keys] tables: how the terminal UI looks and listens."""

    theme: str = "dark"
    glyphs: str = "auto"
    """``unicode``, ``ascii``, or ``auto``: ASCII where the locale is not UTF-8."""
    mouse: str = "auto"
    """``on``, ``off``, or ``auto``: off over SSH when every cell is resent."""
    driver: str = "frugal"
    """``frugal`` sends changed cells only; ``textual`` is Textual's own."""
    is_writable: bool = False
    """Open repositories for writing without being asked by ``--write``."""
    keys: dict[str, str] = field(default_factory=dict)
    """Id of an action -> keys, comma separated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The user's configuration, read once at the front door."""

    default_repository: str = ""
    repositories: dict[str, str] = field(default_factory=dict)
    """Short names of repositories."""
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Role -> user names; a role that is not listed belongs to everybody."""
    data_dir: Path
    """Where rehearsals go."""
    state_dir: Path
    """Drafts, cached answers."""
    ui: UiConfig = field(default_factory=UiConfig)

    def has_role(self, user: str, role: str) -> bool:
        """Tell whether a user may act in a role."""
        return role not in self.roles or user in self.roles[role]


def load_config(environment: Mapping[str, str]) -> Config:
    """Read the configuration file.

    Parameters
    ----------
    environment : mapping
        Environment variables; ``CABSTAND_CONFIG`` names another file.

    Raises
    ------
    UserInputError
        If the file cannot be read as TOML or has a wrong entry.
    """
    import platformdirs

    places = platformdirs.PlatformDirs("cabstand", appauthor=False)
    path = Path(environment.get("CABSTAND_CONFIG") or places.user_config_path / "config.toml")
    found: dict[str, object] = {}
    if path.exists():
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
            raise UserInputError(f"{path}: {problem}", hint="mend the file, or move it away") from problem
    for name in found:
        if name not in _TABLES:
            raise UserInputError(f"{path}: there is no setting {name!r}", hint=f"known: {', '.join(_TABLES)}")
    repositories = found.get("repositories", {})
    roles = found.get("roles", {})
    if not isinstance(repositories, dict) or not isinstance(roles, dict):
        raise UserInputError(f"{path}: [repositories] and [roles] must be tables", hint="see README, Configuration")
    for table, entries, kind, example in (
        ("repositories", repositories, str, 'main = "/repo/calib"'),
        ("roles", roles, list, 'deployer = ["jane"]'),
    ):
        for key, value in entries.items():
            parts = value if isinstance(value, list) else [value]
            if not isinstance(value, kind) or not all(isinstance(part, str) for part in parts):
                raise UserInputError(f"{path}: [{table}] {key} = {value!r} is no such entry", hint=f"write {example}")
    return Config(
        default_repository=str(found.get("default_repository", "")),
        repositories={str(name): str(place) for name, place in repositories.items()},
        roles={str(role): tuple(str(one) for one in who) for role, who in roles.items()},
        data_dir=places.user_data_path,
        state_dir=places.user_state_path,
        ui=_ui_config(path, found),
    )


_TABLES: Final = ("default_repository", "repositories", "roles", "ui", "keys")
_UI_CHOICES: Final = {
    "theme": THEMES,
    "glyphs": ("auto", "unicode", "ascii"),
    "mouse": ("auto", "on", "off"),
    "driver": ("frugal", "textual"),
}


def _ui_config(path: Path, found: Mapping[str, object]) -> UiConfig:
    table, keys = found.get("ui", {}), found.get("keys", {})
    if not isinstance(table, dict) or not isinstance(keys, dict):
        raise UserInputError(f"{path}: [ui] and [keys] must be tables", hint="see README, Configuration")
    for name, value in table.items():
        if name == "write":
            if not isinstance(value, bool):
                raise UserInputError(f"{path}: [ui] write = {value!r} is not true or false", hint="write = true")
        elif name not in _UI_CHOICES:
            known = ", ".join((*_UI_CHOICES, "write"))
            raise UserInputError(f"{path}: [ui] has no setting {name!r}", hint=f"known: {known}")
        elif value not in _UI_CHOICES[name]:
            choices = ", ".join(_UI_CHOICES[name])
            raise UserInputError(f"{path}: [ui] {name} = {value!r} is not one of {choices}", hint="mend the file")
    for name, value in keys.items():
        if not isinstance(value, str):
            raise UserInputError(
                f"{path}: [keys] {name} = {value!r} is no text", hint='write "timeline.zoom_in" = "plus,z"'
            )
    chosen = {name: str(value) for name, value in table.items() if name != "write"}
    return UiConfig(**chosen, is_writable=bool(table.get("write", False)), keys=dict(keys))


def find_repository(given: str, config: Config, environment: Mapping[str, str]) -> Path:
    """Return the folder of the repository that is meant.

    Parameters
    ----------
    given : str
        What ``-R`` said: a folder or a configured name; empty for none.

    Raises
    ------
    UserInputError
        If nothing says which repository is meant.
    """
    chosen = given or environment.get("CABSTAND_REPO", "") or config.default_repository
    if not chosen:
        raise UserInputError(
            "no repository is named",
            hint="give -R PATH, set CABSTAND_REPO, or try the rehearsal: cabstand rehearse",
            code="E-NOREPO",
        )
    return Path(config.repositories.get(chosen, chosen)).expanduser().absolute()

"""Where things are: the user's configuration file, data and state folders, and the repository that is meant."""

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from calibstore.errors import UserInputError

STORE_FILE: Final = "cabstand.sqlite3"
"""Name of the database inside a repository folder."""

REPOSITORY_FILE: Final = "cabstand.toml"
"""Name of the repository's own settings inside its folder."""

POSTGRESQL: Final = "postgresql+psycopg://"
"""How the URL of a database that is not a file begins."""

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


ROLES: Final = ("viewer", "builder", "verifier", "board", "deployer")
"""Names that ``[roles]`` may give; a misspelt one would leave its role to everybody."""


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
    scheme: str = ""
    """Dependency scheme of calibrations, new or legacy; empty: nothing is said."""
    types: dict[str, object] = field(default_factory=dict)
    """Calibration types that are changed or added, as written; `calibstore.model.catalogue` reads them."""
    engine: str = ""
    """Engine that jobs use when none is said."""
    engines: dict[str, object] = field(default_factory=dict)
    """Engines that are declared, as written; `calibstore.model.engine_spec` reads them."""

    def has_role(self, user: str, role: str) -> bool:
        """Tell whether a user may act in a role."""
        return role not in self.roles or user in self.roles[role]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFile:
    """What a repository's own ``cabstand.toml`` says; all empty where there is none."""

    database: str = ""
    """URL of a PostgreSQL database, without a password; empty: the SQLite file in the folder."""
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Role -> user names; they win over the user's own configuration."""
    butler: str = ""
    """Path of the Butler repository this folder accompanies."""
    scheme: str = ""
    """Dependency scheme of calibrations; it wins over the user's own."""
    types: dict[str, object] = field(default_factory=dict)
    """Calibration types that are changed or added; they win over the user's own."""
    engine: str = ""
    """Engine that jobs use when none is said; it wins over the user's own."""
    engines: dict[str, object] = field(default_factory=dict)
    """Engines that are declared; they win over the user's own."""


def load_repository_file(root: Path) -> RepositoryFile:
    """Read the settings of a repository.

    Parameters
    ----------
    root : Path
        Folder of the repository.

    Raises
    ------
    UserInputError
        If the file cannot be read as TOML or has a wrong entry.
    """
    path = root / REPOSITORY_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return RepositoryFile()
    except (OSError, UnicodeDecodeError) as problem:
        raise UserInputError(f"{path}: {problem}", hint="mend the file", code="E-REPOFILE") from problem
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise UserInputError(f"{path}: {problem}", hint="mend the file", code="E-REPOFILE") from problem
    for name, value in found.items():
        if name not in _REPOSITORY_ENTRIES:
            raise _wrong_entry(path, f"there is no setting {name!r}", f"known: {', '.join(_REPOSITORY_ENTRIES)}")
        if not isinstance(value, _REPOSITORY_ENTRIES[name]):
            kind = "a table" if _REPOSITORY_ENTRIES[name] is dict else "text"
            raise _wrong_entry(path, f"{name} must be {kind}", f"write {_REPOSITORY_EXAMPLES[name]}")
    roles = found.get("roles", {})
    for role, who in roles.items():
        if role not in ROLES:
            raise _wrong_entry(path, f"[roles] there is no role {role!r}", f"known: {', '.join(ROLES)}")
        if not isinstance(who, list) or not all(isinstance(one, str) for one in who):
            raise _wrong_entry(path, f"[roles] {role} = {who!r} is no list of names", f'write {role} = ["jane"]')
    database = found.get("database", "")
    if database:
        check_database_url(database, where=str(path))
    return RepositoryFile(
        database=database,
        roles={role: tuple(who) for role, who in roles.items()},
        butler=found.get("butler", ""),
        scheme=_checked_scheme(path, found.get("scheme", ""), code="E-REPOFILE"),
        types=dict(found.get("types", {})),
        engine=found.get("engine", ""),
        engines=dict(found.get("engines", {})),
    )


def check_database_url(url: str, *, where: str) -> None:
    """Refuse a URL that is not one of PostgreSQL, or that holds a password; the message never shows one.

    Parameters
    ----------
    url : str
        As given.
    where : str
        File or option it stands in.

    Raises
    ------
    UserInputError
        If it cannot serve.
    """
    if not url.startswith(POSTGRESQL):
        raise UserInputError(
            f"{where}: the database URL must begin with {POSTGRESQL}",
            hint=f"write {POSTGRESQL}user@host/name; a SQLite store needs no URL",
            code="E-DATABASE",
        )
    try:
        parts = urlsplit(url)
        has_password = bool(parts.password)
        _ = parts.port
    except ValueError as problem:
        raise UserInputError(
            f"{where}: the database URL cannot be read",
            hint=f"write {_REPOSITORY_EXAMPLES['database']}",
            code="E-DATABASE",
        ) from problem
    if has_password or "password" in parse_qs(parts.query):
        raise UserInputError(
            f"{where}: the database URL holds a password, which everybody who reads the repository would see",
            hint="take it out of the URL; keep it in ~/.pgpass (chmod 600), in PGPASSFILE or a pg_service file",
            code="E-PASSWORD",
        )
    if not parts.path.strip("/") and "dbname" not in parse_qs(parts.query) and "service" not in parse_qs(parts.query):
        raise UserInputError(
            f"{where}: the database URL names no database",
            hint=f"write {_REPOSITORY_EXAMPLES['database']}",
            code="E-DATABASE",
        )


_REPOSITORY_ENTRIES: Final[dict[str, type]] = {
    "database": str,
    "roles": dict,
    "butler": str,
    "scheme": str,
    "types": dict,
    "engine": str,
    "engines": dict,
}
_REPOSITORY_EXAMPLES: Final = {
    "database": f'database = "{POSTGRESQL}user@host/name"',
    "roles": '[roles], then deployer = ["jane"]',
    "butler": 'butler = "/repo/main"',
    "scheme": 'scheme = "legacy"',
    "types": '[types.coldBias], then like = "bias"',
    "engine": 'engine = "dask"',
    "engines": '[engines.night], then kind = "dask-slurm"',
}
SCHEMES: Final = ("new", "legacy")
"""Which calibration is made before which: as isrTaskLSST has it, or as before."""


def _checked_scheme(path: Path, scheme: object, *, code: str = "") -> str:
    if scheme and scheme not in SCHEMES:
        raise UserInputError(f"{path}: there is no scheme {scheme!r}", hint=f"one of {', '.join(SCHEMES)}", code=code)
    return str(scheme)


def _wrong_entry(path: Path, what: str, hint: str) -> UserInputError:
    return UserInputError(f"{path}: {what}", hint=hint, code="E-REPOFILE")


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
    types = found.get("types", {})
    if not isinstance(types, dict):
        raise UserInputError(f"{path}: types must be tables", hint='write [types.coldBias], then like = "bias"')
    engine, engines = found.get("engine", ""), found.get("engines", {})
    if not isinstance(engine, str) or not isinstance(engines, dict):
        hint = 'write engine = "night" and [engines.night], then kind = "dask-slurm"'
        raise UserInputError(f"{path}: engine must be a name and engines must be tables", hint=hint)
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
    for role in roles:
        if role not in ROLES:
            raise UserInputError(f"{path}: [roles] there is no role {role!r}", hint=f"known: {', '.join(ROLES)}")
    return Config(
        default_repository=str(found.get("default_repository", "")),
        repositories={str(name): str(place) for name, place in repositories.items()},
        roles={str(role): tuple(str(one) for one in who) for role, who in roles.items()},
        data_dir=places.user_data_path,
        state_dir=places.user_state_path,
        ui=_ui_config(path, found),
        scheme=_checked_scheme(path, found.get("scheme", "")),
        types=dict(types),
        engine=engine,
        engines=dict(engines),
    )


_TABLES: Final = ("default_repository", "repositories", "roles", "ui", "keys", "scheme", "types", "engine", "engines")
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


BUTLER_PREFIX: Final = "butler:"
"""Before the place of a real Butler repository."""


def butler_named(given: str, config: Config, environment: Mapping[str, str]) -> str:
    """Return the Butler repository that is meant, or nothing where one of ours is.

    Parameters
    ----------
    given : str
        As for `find_repository`.

    Returns
    -------
    str
        An absolute folder, or the URI or registered name as given; empty for a repository of ours.
    """
    chosen = _chosen(given, config, environment)
    if not chosen.startswith(BUTLER_PREFIX):
        return ""
    place = chosen.removeprefix(BUTLER_PREFIX)
    if not place:
        raise UserInputError("butler: names no repository", hint="give its folder: -R butler:PATH", code="E-BUTLER")
    is_name = "://" in place or ("/" not in place and not Path(place).exists())
    if is_name:
        return place
    path = Path(os.path.normpath(Path(place).expanduser().absolute()))
    return str(path.parent if path.name == "butler.yaml" else path)


def companion_folder(butler: str, config: Config) -> Path:
    """Return the folder of the store that accompanies a Butler repository.

    It stands beside the repository where that may be written, else among the user's own data.
    """
    if butler.startswith("/"):
        path = Path(butler)
        beside = path.with_name(f"{path.name}.cabstand")
        if beside.exists() or os.access(path.parent, os.W_OK):
            return beside
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", butler).strip("-")[-40:]
    mark = hashlib.sha256(butler.encode()).hexdigest()[:8]
    return config.data_dir / "butler" / f"{name}-{mark}.cabstand"


def _chosen(given: str, config: Config, environment: Mapping[str, str]) -> str:
    chosen = given or environment.get("CABSTAND_REPO", "") or config.default_repository
    return config.repositories.get(chosen, chosen)


def find_repository(given: str, config: Config, environment: Mapping[str, str]) -> Path:
    """Return the folder of the repository that is meant.

    Parameters
    ----------
    given : str
        What ``-R`` said: a folder, a configured name, or ``butler:`` and the place of a real Butler repository;
        empty for none.

    Raises
    ------
    UserInputError
        If nothing says which repository is meant.
    """
    chosen = _chosen(given, config, environment)
    if not chosen:
        raise UserInputError(
            "no repository is named",
            hint="give -R PATH, set CABSTAND_REPO, or try the rehearsal: cabstand rehearse",
            code="E-NOREPO",
        )
    butler = butler_named(given, config, environment)
    return companion_folder(butler, config) if butler else Path(chosen).expanduser().absolute()

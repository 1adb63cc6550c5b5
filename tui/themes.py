"""Four looks of the same meanings: dark, light, ansi (the terminal's own 16 colours) and mono (attributes only)."""

from collections.abc import Mapping
from typing import Final

from rich.style import Style

from tui.spans import Role

RoleStyles = Mapping[Role, Style]


def _table(background: str, foreground: str, styles: Mapping[Role, str]) -> RoleStyles:
    base = Style.parse(f"{foreground} on {background}")
    return {role: base + Style.parse(styles.get(role, "")) for role in Role}


DARK: Final = _table(
    "#101418",
    "#d0d4d8",
    {
        Role.DIM: "#8a949e",
        Role.STRONG: "bold #f2f4f6",
        Role.TITLE: "bold #8ec7ff",
        Role.HEAD: "#8ec7ff",
        Role.KEY: "bold #ffd479",
        Role.OK: "#7fd88f",
        Role.WARN: "#ffc04d",
        Role.FAIL: "bold #ff7b72",
        Role.ACCENT: "bold #ffd479",
        Role.CURSOR: "bold #ffffff on #1f4f82",
        Role.CURSOR_IDLE: "on #2a3440",
        Role.SELECTED: "#ffd479 on #2a3440",
        Role.CODE: "#b8c7a8",
        Role.BAR: "#f2f4f6 on #1d2730",
        Role.TAB: "#8a949e",
        Role.TAB_ACTIVE: "bold #ffffff on #1f4f82",
        Role.LABEL: "#a9c1d9",
    },
)
LIGHT: Final = _table(
    "#fbfbf8",
    "#24292e",
    {
        Role.DIM: "#5c656e",
        Role.STRONG: "bold #000000",
        Role.TITLE: "bold #0b4f8a",
        Role.HEAD: "#0b4f8a",
        Role.KEY: "bold #8a4b00",
        Role.OK: "#1a6b2d",
        Role.WARN: "#8a5200",
        Role.FAIL: "bold #b3150c",
        Role.ACCENT: "bold #8a4b00",
        Role.CURSOR: "bold #ffffff on #0b4f8a",
        Role.CURSOR_IDLE: "on #dfe5ea",
        Role.SELECTED: "#8a4b00 on #e9edf0",
        Role.CODE: "#3d5a2a",
        Role.BAR: "#000000 on #dfe5ea",
        Role.TAB: "#5c656e",
        Role.TAB_ACTIVE: "bold #ffffff on #0b4f8a",
        Role.LABEL: "#2b5379",
    },
)
ANSI: Final = _table(
    "default",
    "default",
    {
        Role.DIM: "bright_black",
        Role.STRONG: "bold",
        Role.TITLE: "bold cyan",
        Role.HEAD: "cyan",
        Role.KEY: "bold yellow",
        Role.OK: "green",
        Role.WARN: "yellow",
        Role.FAIL: "bold red",
        Role.ACCENT: "bold yellow",
        Role.CURSOR: "reverse",
        Role.CURSOR_IDLE: "underline",
        Role.SELECTED: "yellow underline",
        Role.CODE: "green",
        Role.BAR: "bold",
        Role.TAB: "bright_black",
        Role.TAB_ACTIVE: "reverse",
        Role.LABEL: "cyan",
    },
)
MONO: Final = _table(
    "default",
    "default",
    {
        Role.STRONG: "bold",
        Role.TITLE: "bold",
        Role.HEAD: "underline",
        Role.KEY: "bold",
        Role.WARN: "bold",
        Role.FAIL: "bold reverse",
        Role.ACCENT: "bold",
        Role.CURSOR: "reverse",
        Role.CURSOR_IDLE: "underline",
        Role.SELECTED: "bold underline",
        Role.BAR: "bold",
        Role.TAB_ACTIVE: "reverse",
    },
)
THEMES: Final[Mapping[str, RoleStyles]] = {"dark": DARK, "light": LIGHT, "ansi": ANSI, "mono": MONO}

"""Four looks of the same meanings: dark, light, ansi (the terminal's own 16 colours) and mono (attributes only)."""

from collections.abc import Mapping
from typing import Final

from rich.color import Color
from rich.style import Style
from textual.theme import Theme

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
        Role.BEYOND: "#ff7b72",
        Role.ACCENT: "bold #ffd479",
        Role.CURSOR: "bold #ffffff on #1f4f82",
        Role.CURSOR_IDLE: "on #2a3440",
        Role.SELECTED: "#ffd479 on #2a3440",
        Role.CODE: "#b8c7a8",
        Role.BAR: "#f2f4f6 on #1d2730",
        Role.TAB: "#8a949e",
        Role.TAB_ACTIVE: "bold #ffffff on #1f4f82",
        Role.LABEL: "#a9c1d9",
        Role.OFF: "strike #8a949e",
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
        Role.BEYOND: "#b3150c",
        Role.ACCENT: "bold #8a4b00",
        Role.CURSOR: "bold #ffffff on #0b4f8a",
        Role.CURSOR_IDLE: "on #dfe5ea",
        Role.SELECTED: "#8a4b00 on #e9edf0",
        Role.CODE: "#3d5a2a",
        Role.BAR: "#000000 on #dfe5ea",
        Role.TAB: "#5c656e",
        Role.TAB_ACTIVE: "bold #ffffff on #0b4f8a",
        Role.LABEL: "#2b5379",
        Role.OFF: "strike #5c656e",
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
        Role.BEYOND: "red",
        Role.ACCENT: "bold yellow",
        Role.CURSOR: "reverse",
        Role.CURSOR_IDLE: "underline",
        Role.SELECTED: "yellow underline",
        Role.CODE: "green",
        Role.BAR: "bold",
        Role.TAB: "bright_black",
        Role.TAB_ACTIVE: "reverse",
        Role.LABEL: "cyan",
        Role.OFF: "strike",
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
        Role.BEYOND: "bold",
        Role.ACCENT: "bold",
        Role.CURSOR: "reverse",
        Role.CURSOR_IDLE: "underline",
        Role.SELECTED: "bold underline",
        Role.BAR: "bold",
        Role.TAB_ACTIVE: "reverse",
        Role.OFF: "strike",
    },
)
THEMES: Final[Mapping[str, RoleStyles]] = {"dark": DARK, "light": LIGHT, "ansi": ANSI, "mono": MONO}


def textual_theme(name: str) -> Theme:
    """Return the Textual theme for inputs and scroll bars that goes with the roles of a look."""
    if name in ("ansi", "mono"):
        return Theme(
            name=f"cabstand-{name}",
            ansi=True,
            primary="ansi_default",
            foreground="ansi_default",
            background="ansi_default",
            surface="ansi_default",
            panel="ansi_default",
            boost="ansi_default",
            variables={
                "ansi-background": "ansi_default",
                "input-cursor-background": "ansi_default",
                "input-cursor-foreground": "ansi_default",
                "input-cursor-text-style": "reverse",
                "input-selection-background": "ansi_default",
                "input-selection-foreground": "ansi_default",
                "block-cursor-foreground": "ansi_default",
                "block-cursor-background": "ansi_default",
                "block-cursor-text-style": "reverse",
                "border": "ansi_default",
                "border-blurred": "ansi_default",
                "scrollbar": "ansi_default",
                "scrollbar-hover": "ansi_default",
                "scrollbar-active": "ansi_default",
                "scrollbar-background": "ansi_default",
                "scrollbar-background-hover": "ansi_default",
                "scrollbar-background-active": "ansi_default",
                "scrollbar-corner-color": "ansi_default",
            },
        )
    styles = THEMES[name]
    base, title, cursor = styles[Role.PLAIN], styles[Role.TITLE], styles[Role.CURSOR]
    return Theme(
        name=f"cabstand-{name}",
        dark=name == "dark",
        primary=_hex(title.color),
        secondary=_hex(title.color),
        accent=_hex(styles[Role.ACCENT].color),
        warning=_hex(styles[Role.WARN].color),
        error=_hex(styles[Role.FAIL].color),
        success=_hex(styles[Role.OK].color),
        foreground=_hex(base.color),
        background=_hex(base.bgcolor),
        surface=_hex(base.bgcolor),
        panel=_hex(base.bgcolor),
        boost=_hex(base.bgcolor),
        variables={
            "scrollbar": _hex(styles[Role.DIM].color),
            "scrollbar-background": _hex(base.bgcolor),
            "scrollbar-corner-color": _hex(base.bgcolor),
            "block-cursor-background": _hex(cursor.bgcolor),
            "block-cursor-foreground": _hex(cursor.color),
            "input-selection-background": _hex(cursor.bgcolor),
        },
    )


def _hex(color: Color | None) -> str:
    if color is None or color.triplet is None:
        raise ValueError(f"a theme of true colours has no triplet: {color}")
    return color.triplet.hex

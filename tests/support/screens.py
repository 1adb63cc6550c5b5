"""The interface on a stage of the walk, and its screen as a page that people can review: text, then runs of styles."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.style import Style

from calibstore.config import Config, UiConfig
from tests.support.stages import NOW_TAI_NS
from tui.app import CabstandApp, Opening
from tui.places import Place, parse_place
from tui.spans import Role
from tui.themes import THEMES

# A number with decimals was measured; its last digits, its sign and so its width may differ between processors.
_MEASURED = re.compile(r" *(?<![\w.:])[-+]?\d*\.\d+(?:e[-+]?\d+)?(?![\w.:]|-\d)")

# A checksum of files that hold measured numbers.
_CHECKSUM = re.compile(r"(?<![\w-])(?!\d{8}[a-z]\b)(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,64}(?![\w-])")


def cabstand(root: Path, place: str = "", *, state_dir: Path = Path("state"), **more: Any) -> CabstandApp:
    """Return the interface on a repository: fixed clock and user, its own state directory, nothing of the machine.

    Parameters
    ----------
    root : Path
        The repository; relative where its path is to be shown.
    place : str
        Words of the first place.
    state_dir : Path
        Where drafts and memory go.
    **more
        Fields of `Opening`, and ``keys`` for a key map.
    """
    ui = UiConfig(keys=more.pop("keys", {}))
    settings: dict[str, Any] = {
        "root": root,
        "config": Config(data_dir=state_dir.parent / "data", state_dir=state_dir, ui=ui),
        "clock": lambda: NOW_TAI_NS,
        "user": "jane",
        "host": "bench",
        "environment": {},
        "place": parse_place(place.split()) if place else Place(""),
    }
    return CabstandApp(Opening(**(settings | more)))


def screen_page(app: CabstandApp) -> str:
    """Return the screen as a page for the golden files.

    First the text, each row between bars; then, for every row, which columns have another style than plain, by the
    name of the role, or by colours where no role has them.
    """
    strips = app.screen._compositor.render_strips()  # Textual has no public way
    names = _role_names(app.theme_name)
    width = app.size.width
    text = [f"|{neutral(strip.text)}|" for strip in strips]
    styled = []
    for row, strip in enumerate(strips):
        runs = list(_runs(strip, names))
        assert sum(segment.cell_length for segment in strip) == width, f"row {row} is not {width} cells wide"
        if runs:
            styled.append(f"{row:2d}: " + "  ".join(f"{begin}-{end} {name}" for begin, end, name in runs))
    return "\n".join([*text, "", *styled, ""])


def neutral(text: str) -> str:
    """Put one sign, right-aligned, for each measured number with the room before it, and h for checksums."""
    text = _CHECKSUM.sub(lambda found: "h" * len(found[0]), text)
    return _MEASURED.sub(lambda found: " " * (len(found[0]) - 1) + "#", text)


def _role_names(theme: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for role in Role:
        found.setdefault(_look_of(THEMES[theme][role]), str(role))
    return found


def _look_of(style: Style | None) -> str:
    if style is None:
        return "unstyled"
    attributes = [
        name for name in ("bold", "dim", "italic", "underline", "reverse", "strike", "blink") if getattr(style, name)
    ]
    colours = ["/".join(_colour(one) for one in (style.color, style.bgcolor))]
    return "/".join(colours + attributes)


def _colour(colour: Any) -> str:
    if colour is None or colour.is_default:
        return "-"
    return colour.triplet.hex if colour.triplet is not None else str(colour.name)


def _runs(strip: Iterable[Any], names: dict[str, str]) -> Iterator[tuple[int, int, str]]:
    """Give first column, last column and style; neighbours of one style are one run, cells of a picture too."""
    x, begun, present = 0, 0, "plain"
    for segment in strip:
        look = _look_of(segment.style)
        name = "picture" if segment.text[:1] in "▀▄█" and look not in names and segment.text.strip() else ""
        name = name or names.get(look, look)
        if name != present:
            if present != "plain" and x > begun:
                yield begun, x - 1, present
            begun, present = x, name
        x += segment.cell_length
    if present != "plain" and x > begun:
        yield begun, x - 1, present

"""Styles of cells as small integers: reading them out of SGR codes, and the cheapest codes from one to another."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

PLAIN: Final = 0
"""The style of a terminal that was just reset."""

_WEIGHT: Final = ("bold", "dim")
_SLOTS: Final = (
    *_WEIGHT,
    "italic",
    "underline",
    "double",
    "blink",
    "rapid",
    "reverse",
    "conceal",
    "strike",
    "frame",
    "circle",
    "overline",
    "under_color",
)
_ON: Final = {
    "1": "bold",
    "2": "dim",
    "3": "italic",
    "4": "underline",
    "5": "blink",
    "6": "rapid",
    "7": "reverse",
    "8": "conceal",
    "9": "strike",
    "21": "double",
    "51": "frame",
    "52": "circle",
    "53": "overline",
    **{str(code): "foreground" for code in (*range(30, 38), *range(90, 98))},
    **{str(code): "background" for code in (*range(40, 48), *range(100, 108))},
}
_OFF: Final = {
    "22": _WEIGHT,
    "23": ("italic",),
    "24": ("underline", "double"),
    "4:0": ("underline", "double"),
    "25": ("blink", "rapid"),
    "27": ("reverse",),
    "28": ("conceal",),
    "29": ("strike",),
    "39": ("foreground",),
    "49": ("background",),
    "54": ("frame", "circle"),
    "55": ("overline",),
    "59": ("under_color",),
}
_COLORS: Final = {"38": "foreground", "48": "background", "58": "under_color"}
_GROUPS: Final = {code: slots for code, slots in _OFF.items() if code.isdigit() and code not in ("39", "49")}
_SHOWN_ON_BLANKS: Final = frozenset(_SLOTS) - {*_WEIGHT, "italic"}


class Pen(NamedTuple):
    """What a cell looks like; every part is the code that turns it on, empty when off."""

    foreground: str = ""
    background: str = ""
    attributes: tuple[str, ...] = ("",) * len(_SLOTS)
    link: str = ""
    """Parameters and address of an OSC 8 link, as sent: ``id=1;https://...``."""


class StylePool:
    """Give every style that occurs a number, once.

    Numbers stay true until `kept` makes a pool anew.
    """

    def __init__(self) -> None:
        self.pens: list[Pen] = [Pen()]
        self.after: list[dict[str, int]] = [{"[0": PLAIN, "[": PLAIN}]
        """For each style, the style that follows an SGR code (``[`` and parameters, without the final ``m``)."""
        self._numbers: dict[Pen, int] = {Pen(): PLAIN}
        self._codes: dict[tuple[int, int], str] = {}
        self.has_links = False
        """Whether a link was ever seen: terminals that know none are not sent the end of one."""

    def __len__(self) -> int:
        return len(self.pens)

    def number(self, pen: Pen) -> int:
        """Return the number of a style, a new one when it was never seen."""
        known = self._numbers.get(pen)
        if known is not None:
            return known
        fresh = self._numbers[pen] = len(self.pens)
        self.pens.append(pen)
        plain = fresh if pen == Pen(link=pen.link) else self.number(Pen(link=pen.link))
        self.after.append({"[0": plain, "[": plain})
        return fresh

    def follow(self, style: int, code: str) -> int | None:
        """Return the style after an SGR code, or None when the code says something unknown here.

        Parameters
        ----------
        style : int
            The style before.
        code : str
            ``[`` and the parameters: ``[1;38;5;208``.
        """
        known = self.after[style].get(code)
        if known is not None:
            return known
        pen = _changed(self.pens[style], code[1:])
        if pen is None:
            return None
        after = self.after[style][code] = self.number(pen)
        return after

    def linked(self, style: int, link: str) -> int:
        """Return the same style inside an OSC 8 link (or outside, with an empty one)."""
        self.has_links = self.has_links or bool(link)
        return self.number(self.pens[style]._replace(link=link))

    def change(self, before: int, after: int) -> str:
        """Return the shortest sequence that turns one style into another."""
        codes = self._codes
        found = codes.get((before, after))
        if found is None:
            if len(codes) > 20_000:  # pictures in many colours; all of it can be computed again
                codes.clear()
            found = codes[before, after] = _shortest(self.pens[before], self.pens[after])
        return found

    def is_blank_erasable(self, style: int, *, with_color: bool) -> bool:
        """Return whether an erased cell looks as a space of this style does."""
        return _is_erasable(self.pens[style], with_color)

    def kept(self, used: set[int]) -> "tuple[StylePool, dict[int, int]]":
        """Return a pool with the given styles only, and how numbers change."""
        pool = StylePool()
        pool.has_links = self.has_links
        return pool, {old: pool.number(self.pens[old]) for old in sorted(used | {PLAIN})}


@lru_cache(maxsize=4096)
def _is_erasable(pen: Pen, with_color: bool) -> bool:
    if pen.link or (pen.background and not with_color):
        return False
    return not any(on and slot in _SHOWN_ON_BLANKS for slot, on in zip(_SLOTS, pen.attributes, strict=True))


def _changed(pen: Pen, parameters: str) -> Pen | None:
    slots = {**dict(zip(_SLOTS, pen.attributes, strict=True)), "foreground": pen[0], "background": pen[1]}
    codes = iter(parameters.split(";"))
    for code in codes:
        head, _, tail = code.partition(":")
        if head in ("", "0"):
            slots = dict.fromkeys(slots, "")
        elif head in _COLORS:
            color = code if tail else _color(head, next(codes, ""), codes)
            if color is None:
                return None
            slots[_COLORS[head]] = color
        elif code in _OFF:
            slots.update(dict.fromkeys(_OFF[code], ""))
        elif head in _ON and (not tail or head == "4"):
            slots[_ON[head]] = code
        else:
            return None
    return Pen(slots["foreground"], slots["background"], tuple(slots[slot] for slot in _SLOTS), pen.link)


def _color(head: str, kind: str, codes: Iterator[str]) -> str | None:
    n_numbers = {"5": 1, "2": 3}.get(kind)
    if n_numbers is None:
        return None
    numbers = [next(codes, "") for _ in range(n_numbers)]
    return ";".join((head, kind, *numbers)) if all(one.isdigit() for one in numbers) else None


def _shortest(before: Pen, after: Pen) -> str:
    link = "" if before.link == after.link else f"\x1b]8;{after.link or ';'}\x1b\\"
    if before[:3] == after[:3]:
        return link
    anew = [code for code in (*after.attributes, after.foreground, after.background) if code]
    from_reset = f"\x1b[{';'.join(('0', *anew))}m" if anew else "\x1b[m"
    codes = _step(before.attributes, after.attributes)
    if after.foreground != before.foreground:
        codes.append(after.foreground or "39")
    if after.background != before.background:
        codes.append(after.background or "49")
    step = f"\x1b[{';'.join(codes)}m"
    return link + min(step, from_reset, key=len)


def _step(before: tuple[str, ...], after: tuple[str, ...]) -> list[str]:
    if before == after:
        return []
    off, on = [], []
    old, new = dict(zip(_SLOTS, before, strict=True)), dict(zip(_SLOTS, after, strict=True))
    for code, slots in _GROUPS.items():  # one code turns a whole group off
        is_lost = any(old[slot] and old[slot] != new[slot] for slot in slots)
        if is_lost:
            off.append(code)
        on += [new[slot] for slot in slots if new[slot] and (is_lost or new[slot] != old[slot])]
    return off + on

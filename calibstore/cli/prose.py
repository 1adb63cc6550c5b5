"""Lines for a terminal of 80 columns: prose is folded, what people copy is not."""

import re
import textwrap
from typing import Final

WIDTH: Final = 80
_COPIED: Final = re.compile(r"--[a-z]|cabstand |butler |bps |rucio |cpv_report|[a-z_]+ ?= ?'|https?:|\$ ")


def for_terminal(line: str) -> list[str]:
    """Return a line folded at 80 columns, under its own text; one that holds a command stays whole, and so does a path.

    Parameters
    ----------
    line : str
        As a service told it. A line of columns, ``label  text``, folds under the text.
    """
    if len(line) <= WIDTH or _COPIED.search(line):
        return line.split("\n")
    shaped = re.match(r"(\s*(?:- )?)(?:(\S+(?: \S+){0,2}\s{2,}))?", line)
    head = shaped.group(0) if shaped else ""
    indent = " " * (len(head) if head.strip() else len(head) + 2)
    return textwrap.wrap(
        line[len(head) :],
        WIDTH,
        initial_indent=head,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )

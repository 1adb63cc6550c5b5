"""The verb `ui`: what a bare `cabstand` runs. Textual is imported when it is called, not before."""

import gc
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from calibstore.config import (
    REPOSITORY_FILE,
    THEMES,
    Config,
    butler_named,
    find_repository,
    load_config,
    load_repository_file,
)
from calibstore.errors import UserInputError
from tui.catalogue import check_place
from tui.places import Place, parse_place

if TYPE_CHECKING:
    from tui.opening import Opening

_HELP = """Open the terminal interface, at a place where one is named.

\b
  cabstand ui                                  where the last session ended
  cabstand ui timeline bias --at 2024-10-24
  cabstand ui checklist DM-48520
  cabstand ui rehearse                         the guided walk for new staff

Views: home, collections, timeline, raws, data, metrics, checklist, jobs, journal, chains, states. Options after a view
belong to it. Opens READ-ONLY unless the configuration or --write says otherwise.
"""


@click.command("ui", help=_HELP, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[VIEW [WORDS]...]")
@click.option("-R", "--repo", metavar="PATH|NAME", help="repository; else $CABSTAND_REPO, else the configured default")
@click.option("--write", is_flag=True, help="allow writing; each form still shows its effect first")
@click.option("--read-only", is_flag=True, help="open READ-ONLY even where the configuration allows writing")
@click.option("--plain", is_flag=True, help="print the screen as text and exit")
@click.option("--width", type=click.IntRange(40, 500), default=None, help="columns of --plain [default 80]")
@click.option("--theme", type=click.Choice(THEMES), default=None, help="colours")
@click.option("--ascii", "is_ascii", is_flag=True, help="draw ASCII only")
@click.option("--instrument", metavar="NAME", default="", help="which camera, where a repository has several")
@click.option("--no-mouse", is_flag=True, help="leave the mouse to the terminal")
@click.option("--resend-all", is_flag=True, help="Textual's own driver: resend whole regions instead of changed cells")
@click.option("--reset", is_flag=True, help="with rehearse: throw the earlier walk away and begin anew")
@click.option("--keys", is_flag=True, help="list every action with its id, as [keys] of the configuration names it")
@click.option("--fresh", is_flag=True, help="forget where the last session ended")
@click.pass_context
def ui(ctx: click.Context, /, words: tuple[str, ...], repo: str, **given: Any) -> int:
    """Open the terminal interface."""
    surroundings = ctx.obj.surroundings
    environment: Mapping[str, str] = surroundings.environment
    config = load_config(environment)
    if given["keys"]:
        return _print_keys()
    place = parse_place(words)
    named = repo or str(ctx.obj.given.get("repo") or "")
    is_guided = place.view == "rehearse"
    butler = ""
    check_place(Place("", place.words, place.options) if is_guided else place)
    if config.ui.keys:
        from tui.key_map import checked_keys

        config = replace(config, ui=replace(config.ui, keys=checked_keys(config.ui.keys)))
    if is_guided:
        root, place = _rehearsal(config, surroundings, named, is_reset=given["reset"]), Place("")
    else:
        root = find_repository(named, config, environment)
        butler = butler_named(named, config, environment) or load_repository_file(root).butler
    # Textual waits this long [ms] whether Esc begins a longer sequence; a packet brings those whole.
    os.environ.setdefault("ESCDELAY", "40")
    from tui.opening import Opening

    opening = Opening(
        root=root,
        config=config,
        clock=surroundings.clock,
        user=surroundings.user,
        host=surroundings.host,
        environment=environment,
        place=place,
        instrument=given["instrument"],
        butler=butler,
        is_observing=not (given["read_only"] or ctx.obj.given.get("read_only")),
        is_writable=(given["write"] or config.ui.is_writable or is_guided)
        and not (given["read_only"] or ctx.obj.given.get("read_only")),
        theme=given["theme"] or ("mono" if environment.get("NO_COLOR") else config.ui.theme),
        is_ascii=given["is_ascii"] or _is_ascii(config, environment),
        is_guided=is_guided,
        is_fresh=given["fresh"],
    )
    if butler and (given["plain"] or not (root / REPOSITORY_FILE).exists()):
        # The first reading takes a while and may fail: it is told on the plain terminal.
        from tui.plain import attend_to_butler

        attend_to_butler(opening)
    if given["plain"]:
        from tui.plain import print_page

        return print_page(opening, given["width"] or 80)
    while True:
        code, wants_anew = _run(opening, config, is_resending=given["resend_all"], wants_mouse=not given["no_mouse"])
        if not wants_anew:
            return code
        _rehearsal(config, surroundings, named, is_reset=True)


def _run(opening: "Opening", config: Config, *, is_resending: bool, wants_mouse: bool) -> tuple[int, bool]:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserInputError(
            "the terminal interface needs a terminal", hint="print a screen with --plain", code="E-NOTTY"
        )
    from tui.app import CabstandApp

    is_frugal = config.ui.driver == "frugal" and not is_resending
    driver = None
    if is_frugal:
        from tui.driver import FrugalDriver

        driver = FrugalDriver
    is_remote = "SSH_CONNECTION" in opening.environment
    mouse = {"on": True, "off": False}.get(config.ui.mouse, is_frugal or not is_remote) and wants_mouse
    # What was imported stays: looking through it again would hold the event loop for tens of milliseconds.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    app = CabstandApp(opening, driver_class=driver)
    code = app.run(mouse=mouse)
    if app.fault is not None:
        raise app.fault
    return app.return_code or code or 0, app.wants_anew


def _print_keys() -> int:
    from tui.key_map import key_rows

    click.echo("\n".join(key_rows()))
    return 0


def _is_ascii(config: Config, environment: Mapping[str, str]) -> bool:
    if config.ui.glyphs != "auto":
        return config.ui.glyphs == "ascii"
    character_type, language = environment.get("LC_CTYPE", ""), environment.get("LANG", "")
    if language and character_type in ("C.UTF-8", "C.utf8", "UTF-8"):
        character_type = ""  # Python itself puts that there at its start, where the locale is C (PEP 538)
    locale = environment.get("LC_ALL") or character_type or language
    return "utf" not in locale.lower()


def _rehearsal(config: Config, surroundings: Any, named: str, *, is_reset: bool) -> Path:
    from tui.guide.rehearsal import open_rehearsal

    return open_rehearsal(config, surroundings, named, is_reset=is_reset)


def add_ui(group: click.Group) -> None:
    """Add the verb to the command line, and run it where no verb is given."""
    group.add_command(ui)
    group.no_args_is_help = False
    group.invoke_without_command = True
    inner = group.callback

    @click.pass_context
    def callback(ctx: click.Context, /, **given: object) -> object:
        result = inner(**given) if inner is not None else None
        if ctx.invoked_subcommand is None:
            if not (sys.stdin.isatty() and sys.stdout.isatty()):
                raise click.exceptions.NoArgsIsHelpError(ctx)
            return ctx.invoke(ui, words=())
        return result

    group.callback = callback

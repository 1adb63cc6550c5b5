"""The click group, its global options, and the last line of defence against tracebacks."""

import os
import sys
from collections.abc import Callable, Sequence

import click

from calibstore.cli.group import VerbGroup, global_options
from calibstore.cli.session import Session, Surroundings, system_surroundings
from calibstore.errors import CabstandError, file_fault

_EPILOG = """\
New here? `cabstand rehearse` walks the whole procedure on a simulated camera, told as text.

Exit codes: 0 done; 2 bad input; 3 not found; 4 conflict; 5 workflow gate; 6 execution failed;
7 store or file fault; 8 verdict is no pass (with --fail-on-verdict).
"""


def make_group(surroundings: Surroundings) -> click.Group:
    """Build the command group.

    Parameters
    ----------
    surroundings : Surroundings
        Clock, user, environment and streams.
    """

    @click.group(
        cls=VerbGroup,
        make_verbs=_make_verbs,
        name="cabstand",
        epilog=_EPILOG,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        no_args_is_help=True,
    )
    @click.version_option(package_name="cabstand", prog_name="cabstand")
    @click.pass_context
    def group(ctx: click.Context, /, **given: object) -> None:
        """Generate, verify, certify, hail and distribute camera calibrations."""
        ctx.obj = Session(surroundings, given)

    group.params += global_options()
    return group


def _make_verbs(group: click.Group) -> None:
    from calibstore.cli.verbs import add_verbs

    add_verbs(group)


def run(
    argv: Sequence[str], surroundings: Surroundings, extend: Callable[[click.Group], None] = lambda _group: None
) -> int:
    """Run one command line and return its exit code; no exception leaves it.

    Parameters
    ----------
    argv : sequence of str
        Words after ``cabstand``.
    surroundings : Surroundings
        Clock, user, environment and streams.
    extend : callable
        Adds verbs to the group, such as the terminal interface.
    """
    made = make_group(surroundings)
    extend(made)
    wants_json = "--json" in argv
    try:
        code = made.main(args=list(argv), prog_name="cabstand", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except CabstandError as problem:
        problem.hint = problem.hint or "cabstand --help"
        surroundings.print_error(problem, as_json=wants_json)
        return problem.exit_code
    except click.exceptions.NoArgsIsHelpError as problem:
        click.echo(problem.ctx.get_help() if problem.ctx else "", file=surroundings.out)
        return 2
    except click.UsageError as problem:
        verb = problem.ctx.command_path if problem.ctx else "cabstand"
        told = problem.format_message().replace("No such command", "No such verb")
        surroundings.print_problem("E-USAGE", told, f"{verb} --help", as_json=wants_json)
        return 2
    except click.exceptions.Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, click.Abort):
        surroundings.print_problem(
            "E-INTERRUPTED", "interrupted; what was not yet written stays unwritten", "", as_json=wants_json
        )
        return 130
    except BrokenPipeError:
        # The reader went away (`| head`): quiet, and keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as problem:
        fault = file_fault(problem)
        surroundings.print_error(fault, as_json=wants_json)
        return fault.exit_code
    except Exception as problem:  # a traceback must never reach a user
        surroundings.print_crash(problem, as_json=wants_json)
        return 7


def main(extend: Callable[[click.Group], None] = lambda _group: None) -> None:
    """Run the command line of this process and exit; `extend` adds verbs to the group."""
    sys.exit(run(sys.argv[1:], system_surroundings(), extend))

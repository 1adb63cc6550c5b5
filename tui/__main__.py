"""The entry point of `cabstand`: the command line, and the verb `ui`."""

from calibstore.cli import main as _main
from tui.verb import add_ui


def main() -> None:
    """Run the command line; without a verb the terminal interface opens."""
    _main(add_ui)


if __name__ == "__main__":
    main()

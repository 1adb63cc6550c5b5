"""The entry point of `cabstand`."""

from calibstore.cli import main as _main


def main() -> None:
    """Run the command line."""
    _main()


if __name__ == "__main__":
    main()

"""`python -m calibstore.cli`: the command line without the UI."""

from calibstore.cli.main import main

if __name__ == "__main__":
    main()

"""`python -m calibstore.cli`: the command line without the UI."""

from calibstore.cli.program import main

if __name__ == "__main__":
    main()

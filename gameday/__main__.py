"""``python -m gameday``: the command line without its script."""

from gameday.cli import main

if __name__ == "__main__":
    main()

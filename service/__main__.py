"""`python -m service` is the `quarry` command."""

from service.cli import app


def main() -> None:
    """Run the command line."""
    app(prog_name="quarry")


if __name__ == "__main__":
    main()

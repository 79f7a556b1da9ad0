"""The command `lightclient`, also as `python -m host_bridge`. It takes a moment to load: Ctrl-C then is no error."""

import sys


def main() -> None:
    try:
        from host_bridge.cli import app  # noqa: PLC0415 - see above
    except KeyboardInterrupt:
        sys.exit(130)
    app(prog_name="lightclient")


if __name__ == "__main__":
    main()

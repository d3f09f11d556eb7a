"""`python -m movenet` and the command `movenet`: from the first import on, Ctrl-C is one line."""

import sys


def main() -> int:
    """What `movenet.cli` returns; 130 where it was interrupted before it could answer itself."""
    try:
        from movenet import cli  # noqa: PLC0415 (an interrupt may come while it is imported)

        return cli.main()
    except KeyboardInterrupt:
        print("movenet: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

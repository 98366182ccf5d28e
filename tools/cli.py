"""Options, error lines and exit codes that all operator tools share.

Each tool takes the stack from ``--env``, an environment of samconfig.toml, or from ``--base``, the
stack's address. An error is one line on stderr. It names an argument as ``make`` does: HOST for
``--host``. Exit codes:

    0  done
    1  incomplete, or a difference was found; the output says which
    2  failed, or called with a wrong argument
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from urllib3.exceptions import HTTPError

from waypost.errors import WaypostError

EXIT_DONE: Final = 0
EXIT_INCOMPLETE: Final = 1
EXIT_FAILED: Final = 2

_THIS_MACHINE: Final = ("localhost", "127.0.0.1")
_NO_CREDENTIALS: Final = (
    "there are no AWS credentials; sign in to AWS first, or name a stack on this machine: "
    "BASE=http://127.0.0.1:8080"
)


class _Parser(argparse.ArgumentParser):
    """Reports an error in one line, without the usage: the operator typed ``make``."""

    def error(self, message: str) -> NoReturn:
        _exit_with_error(re.sub(r"^argument (?:--)?([\w-]+):", _format_variable, message))


def _format_variable(match: re.Match[str]) -> str:
    return match[1].upper().replace("-", "_")


def build_parser(tool: str, description: str | None) -> argparse.ArgumentParser:
    """Build the parser of ``python -m tools.<tool>`` with the options that all tools share."""
    parser = _Parser(
        prog=f"python -m tools.{tool}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--env", default="dev", help="an environment of samconfig.toml")
    parser.add_argument(
        "--base", type=parse_address, default="", help="the address of a stack instead"
    )
    return parser


def parse_address(text: str) -> str:
    """Parse a stack's address; ``http://`` is optional on this machine."""
    if text and "://" not in text and urlsplit(f"//{text}").hostname in _THIS_MACHINE:
        text = f"http://{text}"
    if text and not re.match(r"https?://[^/]", text):
        raise argparse.ArgumentTypeError(f"is {text!r}, and has to begin with http:// or https://")
    return text


def parse_required(text: str) -> str:
    """Parse an argument that must not be empty; make passes an empty one if it has no value."""
    if not text:
        raise argparse.ArgumentTypeError("is missing")
    return text


def parse_number(text: str) -> int:
    """Parse a whole number."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"is {text!r}, which is not a whole number")
    return int(text)


def read_text(file: Path) -> str:
    """Read a file without changing its line ends.

    :raises SystemExit: when the file is not UTF-8.
    """
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise SystemExit(f"{file}: not UTF-8 text; save it as UTF-8") from error


def run_command(main: Callable[[], int]) -> NoReturn:
    """End the process with the exit code of ``main``, or with one line about its error."""
    try:
        sys.exit(main())
    except SystemExit as end:
        if isinstance(end.code, str):
            _exit_with_error(end.code)
        raise
    except NoCredentialsError:
        _exit_with_error(_NO_CREDENTIALS)
    except (BotoCoreError, ClientError, HTTPError, OSError, WaypostError) as error:
        _exit_with_error(_format_error(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _format_error(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _exit_with_error(reason: str) -> NoReturn:
    print(reason, file=sys.stderr)
    sys.exit(EXIT_FAILED)

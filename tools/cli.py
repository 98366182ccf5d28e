"""How every operator's tool is called, and how it ends.

All take the stack in the same two ways: ``--env`` names an environment of samconfig.toml, and
``--base`` the address of a stack instead. What goes wrong is one line on stderr, in the words of
``make``: an argument is called as the variable is that make passes on. Exit status:

    0  done
    1  something is left to do, or differs; the tool has said what
    2  it could not be done, or was called wrongly
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
    """Says what is wrong in one line, without the usage of a command that nobody typed."""

    def error(self, message: str) -> NoReturn:
        _exit_with_error(re.sub(r"^argument (?:--)?([\w-]+):", _format_variable, message))


def _format_variable(match: re.Match[str]) -> str:
    return match[1].upper().replace("-", "_")


def build_parser(tool: str, description: str | None) -> argparse.ArgumentParser:
    """The parser of ``python -m tools.<tool>``, with the options that all tools have."""
    made = _Parser(
        prog=f"python -m tools.{tool}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--env", default="dev", help="an environment of samconfig.toml")
    made.add_argument(
        "--base", type=parse_address, default="", help="the address of a stack instead"
    )
    return made


def parse_address(text: str) -> str:
    """The type of a stack's address; one of this machine may lack its ``http://``."""
    if text and "://" not in text and urlsplit(f"//{text}").hostname in _THIS_MACHINE:
        text = f"http://{text}"
    if text and not re.match(r"https?://[^/]", text):
        raise argparse.ArgumentTypeError(f"is {text!r}, and has to begin with http:// or https://")
    return text


def parse_required(text: str) -> str:
    """The type of an argument that must not be empty, as it is where make was not told it."""
    if not text:
        raise argparse.ArgumentTypeError("is missing")
    return text


def parse_number(text: str) -> int:
    """The type of an argument that is a whole number."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"is {text!r}, which is not a whole number")
    return int(text)


def read_text(file: Path) -> str:
    """The text of a file, line ends as they are. Ends the tool where it is none."""
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise SystemExit(f"{file} is no text in UTF-8; if it is text, save it as UTF-8") from error


def run_command(main: Callable[[], int]) -> NoReturn:
    """End the process with what ``main`` returns, or with one line that says why it could not."""
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

"""How every operator's tool is called, and how it ends.

All take the stack in the same two ways: ``--env`` names an environment of samconfig.toml, and
``--base`` the address of a stack instead. What goes wrong is one line on stderr. Exit status:

    0  done
    1  something is left to do, or differs; the tool has said what
    2  it could not be done, or was called wrongly
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Final, NoReturn

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from urllib3.exceptions import HTTPError

from waypost.errors import WaypostError

DONE: Final = 0
LEFT: Final = 1
IMPOSSIBLE: Final = 2

_NO_CREDENTIALS: Final = (
    "there are no credentials; sign in to AWS first, or name a stack on this machine: "
    "BASE=http://127.0.0.1:8080"
)


def parser(tool: str, description: str | None) -> argparse.ArgumentParser:
    """The parser of ``python -m tools.<tool>``, with the options that all tools have."""
    made = argparse.ArgumentParser(
        prog=f"python -m tools.{tool}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--env", default="dev", help="an environment of samconfig.toml")
    made.add_argument("--base", default="", help="the address of a stack instead")
    return made


def given(text: str) -> str:
    """The type of an argument that must not be empty, as it is where make was not told it."""
    if not text:
        raise argparse.ArgumentTypeError("is missing")
    return text


def run(main: Callable[[], int]) -> NoReturn:
    """End the process with what ``main`` returns, or with one line that says why it could not."""
    try:
        sys.exit(main())
    except SystemExit as end:
        if isinstance(end.code, str):
            _give_up(end.code)
        raise
    except NoCredentialsError:
        _give_up(_NO_CREDENTIALS)
    except (BotoCoreError, ClientError, HTTPError, OSError, WaypostError) as error:
        _give_up(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _give_up(reason: str) -> NoReturn:
    print(reason, file=sys.stderr)
    sys.exit(IMPOSSIBLE)

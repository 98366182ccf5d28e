"""`python -m local serve --port 8080`: serve an empty embedded stack until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import IO, NoReturn

from local.errors import StackError
from local.stack import TEMPLATE, EmbeddedStack

_LOG = Path(".waypost/serve.log")
_LAST_PORT = 65_535
_NEXT_STEPS = """
It is empty. Ctrl-C ends it. To try it, in another terminal:

  make rewrite BASE={url} WORKSPACE=acme CAMPAIGN=spring-sale FILE=local/demo/spring_sale.html
  make share BASE={url} WORKSPACE=acme CAMPAIGN=spring-sale PEOPLE=yes
  curl -s {url}/v1/workspaces/acme/campaigns/spring-sale | python3 -m json.tool

docs/embedded-stack.md lists the other addresses.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _build_parser().parse_args(arguments)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # the user's profile and endpoint must not reach the stack
    try:
        with contextlib.ExitStack() as closing:
            log = closing.enter_context(_open_log(options.log))
            serve(options, log)
    except StackError as error:
        print(f"cannot serve: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # while starting
        return 130
    return 0


def serve(options: argparse.Namespace, log: IO[bytes]) -> None:
    """Serve until interrupted; print one line when everything answers.

    In a terminal, commands to try follow that line.
    """
    stack = EmbeddedStack(
        options.template,
        parameters=dict(options.parameter),
        host=options.host,
        port=options.port,
        log=log,
    )
    with stack:
        print(
            f"waypost is ready on {stack.url} (logs: {options.log}, AWS: {stack.cloud.url})",
            flush=True,
        )
        if sys.stdout.isatty():
            print(_NEXT_STEPS.format(url=stack.url))
        stack.wait_for_interrupt()


def _open_log(log_path: str) -> contextlib.AbstractContextManager[IO[bytes]]:
    if log_path == "-":
        return contextlib.nullcontext(sys.stderr.buffer)
    Path(log_path).parent.mkdir(parents=True, exist_ok=True)
    return Path(log_path).open("wb")


def _parse_port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; use 0 to {_LAST_PORT}")
    return int(text)


def _parse_parameter(text: str) -> tuple[str, str]:
    name, assigned, value = text.partition("=")
    if not assigned:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


class _Parser(argparse.ArgumentParser):
    """A parser with one-line errors, without usage: make wrote the command."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"cannot serve: {message.removeprefix('argument ')}\n")


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("serve", help="serve the whole stack, empty")
    command.add_argument("--port", type=_parse_port, default=8080, help="0: any free port")
    command.add_argument("--host", default="127.0.0.1")
    command.add_argument("--template", type=Path, default=TEMPLATE)
    command.add_argument(
        "--log", default=str(_LOG), help="file for the functions' output; - is stderr"
    )
    command.add_argument(
        "--parameter",
        type=_parse_parameter,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="parameter of the template; repeatable",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

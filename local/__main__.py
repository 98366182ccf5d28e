"""`python -m local serve --port 8080`: the embedded stack alone, until it is interrupted."""

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

docs/embedded-stack.md tells what else answers here.
"""


def main(arguments: list[str] | None = None) -> int:
    options = _build_parser().parse_args(arguments)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # a profile or endpoint of whoever serves is none of this stack's
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
    """Prints one line once everything answers, and returns when interrupted.

    At a terminal it goes on to say what can be typed next.
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
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to {_LAST_PORT}")
    return int(text)


def _parse_parameter(text: str) -> tuple[str, str]:
    name, assigned, value = text.partition("=")
    if not assigned:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage of a command that make typed."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"cannot serve: {message.removeprefix('argument ')}\n")


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("serve", help="serve the whole stack, empty")
    command.add_argument("--port", type=_parse_port, default=8080, help="0 takes any free one")
    command.add_argument("--host", default="127.0.0.1")
    command.add_argument("--template", type=Path, default=TEMPLATE)
    command.add_argument(
        "--log", default=str(_LOG), help="where functions' output goes; - is stderr"
    )
    command.add_argument(
        "--parameter",
        type=_parse_parameter,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the template; may be repeated",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""Why an embedded stack cannot start or answer.

StackError
├── TemplateError    the template asks for something that cannot be, or is not emulated; says where
├── PortInUse        somebody else listens on the port that was asked for
├── CannotListen     this machine does not let the stack have the address or port
└── NotStarted       a process of the stack did not come up
"""

from __future__ import annotations


class StackError(Exception):
    """Root of the tree. Its text is written for the person at the console."""


class TemplateError(StackError):
    """Raised with the place in the template, as a dotted path, and what is wrong there."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"template: {where}: {reason}")
        self.where = where


class PortInUse(StackError):
    """Raised before anything is started."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is in use; choose another one with PORT=")
        self.port = port


class ListenError(StackError):
    """Raised before anything is started, with the reason of the operating system."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"{host}, port {port}: {reason}; choose another one with PORT=")
        self.port = port


class ProcessStartError(StackError):
    """Raised when a process of the stack ended, or stayed silent, while it was starting."""

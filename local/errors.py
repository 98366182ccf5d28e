"""Errors of the embedded stack.

StackError
├── TemplateError      the template is invalid, or has something that is not emulated
├── PortInUse          another process listens on the port
├── ListenError        this machine does not allow the address or port
└── ProcessStartError  a process of the stack did not start
"""

from __future__ import annotations


class StackError(Exception):
    """Root of the tree; its text is for the person at the console."""


class TemplateError(StackError):
    """Raised with the place in the template, as a dotted path, and the problem."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"template: {where}: {reason}")
        self.where = where


class PortInUse(StackError):
    """Raised before any process starts."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is in use; choose another one with PORT=")
        self.port = port


class ListenError(StackError):
    """Raised before any process starts, with the operating system's reason."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"{host}, port {port}: {reason}; choose another one with PORT=")
        self.port = port


class ProcessStartError(StackError):
    """Raised when a process of the stack ends or does not answer while it starts."""

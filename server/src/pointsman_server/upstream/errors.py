"""Why an exchange with a provider failed; no text holds anything that the peer sent.

UpstreamError
 +-- ConnectFailed       no response began, and the reason why
 +-- NotHttp             what came is not HTTP/1.1, or is out of its bounds
 +-- Interrupted         a response that had begun broke off
 +-- BadEncoding         the body is compressed in a way that cannot be undone
"""

from __future__ import annotations

from enum import StrEnum


class ConnectReason(StrEnum):
    """Why no response began; each value ends the sentence "the provider cannot be reached: "."""

    TIMEOUT = "connecting took too long"
    NAME = "its name does not resolve"
    REFUSED = "the connection was refused"
    UNROUTABLE = "no route leads to its address"
    CERTIFICATE = "its TLS certificate is not trusted"
    TLS = "the TLS handshake failed"
    NO_SOCKET = "its socket does not exist"
    FORBIDDEN_SOCKET = "its socket may not be opened"
    PROXY_ADDRESS = "the proxy that the environment names is no http or https address"
    PROXY_UNREACHABLE = "the proxy does not answer"
    PROXY_REFUSED = "the proxy refused the connection"
    DISCONNECTED = "it closed the connection without answering"
    RESET = "it reset the connection without answering"
    TOO_MANY_FILES = "this process has too many open files"
    CLIENT_CLOSED = "the provider's client is closed"
    FAILED = "the connection failed"


class UpstreamError(Exception):
    """An exchange failed; ``str()`` is a sentence that is safe to show and to log."""


class ConnectFailed(UpstreamError):
    """No response began."""

    def __init__(self, reason: ConnectReason) -> None:
        self.reason = reason
        super().__init__(f"the provider cannot be reached: {reason}")


class NotHttp(UpstreamError):
    """What came is not HTTP/1.1, or its head is out of bounds."""

    def __init__(self) -> None:
        super().__init__("the provider's answer is not HTTP")


class Interrupted(UpstreamError):
    """A response that had begun did not go on: the connection broke, or the framing is wrong."""

    def __init__(self) -> None:
        super().__init__("the provider's connection broke in the middle of the answer")


class BadEncoding(UpstreamError):
    """The body is not what its content encoding says, or in one that was not asked for."""

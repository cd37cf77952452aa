"""What aiohttp and the operating system raise, as failures in pointsman's own vocabulary.

Their texts are never passed on: they may hold bytes that the provider sent.
"""

from __future__ import annotations

import aiohttp

from pointsman_server.domain.attempts import Failure, FailureKind

_CONNECT_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    # In order: several of these are subclasses of ones further down.
    (aiohttp.ConnectionTimeoutError, "connecting took too long"),
    (aiohttp.ClientConnectorDNSError, "its name does not resolve"),
    (aiohttp.ClientConnectorCertificateError, "its TLS certificate is not trusted"),
    (aiohttp.ClientSSLError, "the TLS handshake failed"),
    (aiohttp.ClientProxyConnectionError, "the proxy does not answer"),
    (aiohttp.ClientHttpProxyError, "the proxy refused the connection"),
    (aiohttp.ServerDisconnectedError, "it closed the connection without answering"),
    (ConnectionRefusedError, "the connection was refused"),
    (ConnectionResetError, "it reset the connection without answering"),
    (FileNotFoundError, "its socket does not exist"),
    (PermissionError, "its socket may not be opened"),
    (TimeoutError, "connecting took too long"),
)


def connect_failure(error: BaseException) -> Failure:
    """Say why no response began."""
    if isinstance(error, aiohttp.ClientResponseError) and not isinstance(
        error, aiohttp.ClientHttpProxyError
    ):
        return Failure(FailureKind.PROTOCOL, "the provider's answer is not HTTP")
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    for candidate in (error, cause):
        for kind, reason in _CONNECT_REASONS:
            if isinstance(candidate, kind):
                return _unreachable(reason)
    return _unreachable("the connection failed")


def _unreachable(reason: str) -> Failure:
    return Failure(FailureKind.UNREACHABLE, f"the provider cannot be reached: {reason}")


def body_failure(_error: BaseException) -> Failure:
    """Say why a response that had begun did not go on."""
    return Failure(
        FailureKind.INTERRUPTED, "the provider's connection broke in the middle of the answer"
    )

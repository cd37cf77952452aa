"""gRPC over HTTP/2 as its protocol has it, sans I/O: messages, metadata, timeouts, statuses.

The rules are those of gRPC's PROTOCOL-HTTP2.md and compression.md.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import quote

from google.rpc.code_pb2 import INTERNAL, UNIMPLEMENTED
from google.rpc.status_pb2 import Status

from pointsman_server.domain.errors import FieldViolation, InvalidRequest

Headers = list[tuple[bytes, bytes]]

PREFIX_BYTES = 5
"""Before each message: whether it is compressed, and its length in four bytes."""

CONTENT_TYPE = (b"content-type", b"application/grpc")
ACCEPTS = (b"grpc-accept-encoding", b"identity,deflate,gzip")
OK: Headers = [(b"grpc-status", b"0")]

_WINDOW_BITS = {b"gzip": 31, b"deflate": 15}  # zlib's names for what it shall expect
_TIMEOUT_DIGITS = 8
_UNITS_S = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


class Refusal(Exception):
    """A call that breaks, or asks too much of, the protocol itself. ``code`` is gRPC's."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


def frame(message: bytes) -> bytes:
    """A message as it goes over the wire, uncompressed."""
    return b"\0" + len(message).to_bytes(4, "big") + message


class Unframer:
    """Messages out of a request's body, which comes in pieces of any size.

    Holds one message at most: what was fed must be taken before more is fed. ``encoding`` is the
    request's grpc-encoding.

    Raises:
        Refusal: such messages cannot be read.
    """

    def __init__(self, max_bytes: int, encoding: bytes | None = None) -> None:
        self._max_bytes = max_bytes
        self._window_bits = 0
        if encoding is not None and encoding != b"identity":
            if encoding not in _WINDOW_BITS:
                name = encoding[:40].decode("ascii", "replace")
                accepted = ACCEPTS[1].decode()
                said = f"grpc-encoding {name!r} is not supported; use one of {accepted}"
                raise Refusal(UNIMPLEMENTED, said)
            self._window_bits = _WINDOW_BITS[encoding]
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Add a piece."""
        self._buffer += data

    def take(self) -> bytes | None:
        """The next message; ``None`` where more must be fed first.

        Raises:
            InvalidRequest: it is longer than may be, or does not inflate.
            Refusal: it is compressed, and the request does not say how.
        """
        buffer = self._buffer
        if len(buffer) < PREFIX_BYTES:
            return None
        length = int.from_bytes(buffer[1:PREFIX_BYTES], "big")
        if length > self._max_bytes:
            raise _invalid(f"the request has {length} bytes; the limit is {self._max_bytes}")
        end = PREFIX_BYTES + length
        if len(buffer) < end:
            return None
        compressed = buffer[0]
        message = bytes(memoryview(buffer)[PREFIX_BYTES:end])
        del buffer[:end]
        return self._inflated(message) if compressed else message

    def finish(self) -> None:
        """The body has ended.

        Raises:
            InvalidRequest: in the middle of a message.
        """
        if self._buffer:
            raise _invalid("the request broke off in the middle of a message")

    def _inflated(self, data: bytes) -> bytes:
        if not self._window_bits:
            raise Refusal(INTERNAL, "a message is compressed, and no grpc-encoding says how")
        inflater = zlib.decompressobj(self._window_bits)
        try:
            message = inflater.decompress(data, self._max_bytes + 1)
        except zlib.error:
            raise _invalid("a compressed message does not inflate") from None
        if len(message) > self._max_bytes:
            raise _invalid(f"the request inflates to more than {self._max_bytes} bytes")
        if not inflater.eof:
            raise _invalid("a compressed message breaks off")
        return message


def timeout_s(value: bytes) -> float:
    """A grpc-timeout header in seconds.

    Raises:
        InvalidRequest: it is not one.
    """
    digits, unit_s = value[:-1], _UNITS_S.get(value[-1:])
    if unit_s is None or not digits.isdigit() or len(digits) > _TIMEOUT_DIGITS:
        problem = "is not up to eight digits and one of H, M, S, m, u, n"
        raise InvalidRequest(FieldViolation("grpc-timeout", problem))
    return int(digits) * unit_s


def is_grpc(content_type: bytes) -> bool:
    """Whether a content-type is gRPC's, with protobuf messages."""
    kind = content_type.partition(b";")[0].strip().lower()
    return kind in (b"application/grpc", b"application/grpc+proto")


def metadata(pairs: Mapping[str, str]) -> Headers:
    """Custom metadata as headers or trailers. Values of names in -bin go in base64."""
    return [
        (name.encode("ascii"), b64encode(value.encode()).rstrip(b"="))
        if name.endswith("-bin")
        else (name.encode("ascii"), value.encode("ascii"))
        for name, value in pairs.items()
    ]


def status_trailers(status: Status, trailers: Mapping[str, str]) -> Headers:
    """What ends a call that failed."""
    details = b64encode(status.SerializeToString()).rstrip(b"=")
    fields = code_and_message(status.code, status.message)
    return [*fields, (b"grpc-status-details-bin", details), *metadata(trailers)]


def code_and_message(code: int, message: str) -> Headers:
    """A status without details."""
    text = quote(message, safe=_PRINTABLE).encode("ascii")
    return [(b"grpc-status", str(code).encode("ascii")), (b"grpc-message", text)]


def _invalid(problem: str) -> InvalidRequest:
    return InvalidRequest(FieldViolation("", problem))

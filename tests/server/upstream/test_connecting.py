"""Sockets, names, TLS and proxies; each way that connecting fails has a reason of its own."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from certificates import Certificates
from pointsman_server.upstream.client import UpstreamClient
from pointsman_server.upstream.connector import connect_reason
from pointsman_server.upstream.errors import ConnectFailed, ConnectReason
from pointsman_server.upstream.settings import UpstreamSettings
from raw_server import Peer, RawServer, raw_server, saying, saying_once
from upstream import Upstream, upstream_server
from upstream import whole as whole_reply
from weight_sources import until

R = ConnectReason
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


async def answer(settings: UpstreamSettings, calls: int = 1) -> bytes:
    client = UpstreamClient(settings)
    target = client.prepare("POST", "x", {"authorization": "Bearer secret"})
    try:
        for _ in range(calls):
            body = await (await client.send(target, b"{}")).read_bounded(1000)
        return body
    finally:
        await client.close()


async def reason(settings: UpstreamSettings) -> ConnectReason:
    with pytest.raises(ConnectFailed) as raised:
        await answer(settings)
    error = raised.value
    assert error.__context__ is None or error.__suppress_context__
    assert str(error) == f"the provider cannot be reached: {error.reason}"
    return error.reason


def unused_port() -> int:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        return int(placeholder.getsockname()[1])


async def test_nobody_listens() -> None:
    assert await reason(UpstreamSettings(f"http://127.0.0.1:{unused_port()}")) is R.REFUSED
    assert await reason(UpstreamSettings(f"http://localhost:{unused_port()}")) is R.REFUSED


async def test_a_name_that_does_not_resolve() -> None:
    assert await reason(UpstreamSettings("http://nobody.invalid")) is R.NAME


async def test_a_socket_that_does_not_exist(tmp_path: Path) -> None:
    settings = UpstreamSettings("http://localhost", unix_socket=str(tmp_path / "none"))
    assert await reason(settings) is R.NO_SOCKET


async def test_a_socket_that_nobody_listens_on(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(path)
    assert await reason(UpstreamSettings("http://localhost", unix_socket=path)) is R.REFUSED


async def test_a_connection_that_is_not_accepted_times_out() -> None:
    # A listener whose backlog is full answers no SYN.
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        assert await reason(UpstreamSettings(url, connect_timeout_s=0.1)) is R.TIMEOUT
        for filler in fillers:
            filler.close()


async def test_closing_ends_those_who_are_connecting() -> None:
    async with raw_server(hanging) as server:
        client = UpstreamClient(UpstreamSettings(f"https://127.0.0.1:{server.port}"))
        task = asyncio.create_task(client.send(client.prepare("GET", "x", {})))
        await asyncio.wait_for(server.accepted.wait(), 5)
        await client.close()
        with pytest.raises(ConnectFailed) as raised:
            await asyncio.wait_for(task, 1)
        assert raised.value.reason is R.CLIENT_CLOSED
        assert client._leases.pool.leased == 0


async def test_a_connection_that_is_reset_gave_no_answer() -> None:
    async def resetting(peer: Peer) -> None:
        # With the request unread, a close sends RST.
        await asyncio.sleep(0.02)
        peer.writer.transport.abort()

    async with raw_server(resetting) as server:
        client = UpstreamClient(UpstreamSettings(server.url))
        target = client.prepare("POST", "x", {})
        with pytest.raises(ConnectFailed) as raised:
            await client.send(target, bytes(10_000_000))
        assert raised.value.reason in (R.RESET, R.DISCONNECTED)
        await client.close()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (socket.gaierror(socket.EAI_NONAME, "SECRET"), R.NAME),
        (ssl.SSLCertVerificationError(1, "SECRET"), R.CERTIFICATE),
        (ssl.SSLError(1, "SECRET"), R.TLS),
        (ConnectionRefusedError(errno.ECONNREFUSED, "SECRET"), R.REFUSED),
        (ConnectionResetError(errno.ECONNRESET, "SECRET"), R.RESET),
        (BrokenPipeError(errno.EPIPE, "SECRET"), R.RESET),
        (TimeoutError(errno.ETIMEDOUT, "SECRET"), R.TIMEOUT),
        (FileNotFoundError(errno.ENOENT, "SECRET"), R.NO_SOCKET),
        (PermissionError(errno.EACCES, "SECRET"), R.FORBIDDEN_SOCKET),
        (OSError(errno.EMFILE, "SECRET"), R.TOO_MANY_FILES),
        (OSError(errno.ENETUNREACH, "SECRET"), R.UNROUTABLE),
        (OSError(errno.EHOSTUNREACH, "SECRET"), R.UNROUTABLE),
        (OSError(errno.ENOBUFS, "SECRET"), R.FAILED),
        (OSError("Multiple exceptions: SECRET"), R.FAILED),
    ],
)
def test_what_the_system_says_becomes_a_reason(error: OSError, expected: ConnectReason) -> None:
    assert connect_reason(error) is expected


# TLS


async def hanging(peer: Peer) -> None:
    await peer.gone()


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, certificates: Certificates) -> Certificates:
    """An authority that the environment tells to trust, as it would a company's own."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    return certificates


async def test_tls_with_a_trusted_certificate(trusted: Certificates) -> None:
    seen: list[bytes] = []

    async def handler(peer: Peer) -> None:
        seen.append(await peer.request())
        tls = peer.writer.get_extra_info("ssl_object")
        await peer.send(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n", b"0\r\n\r\n"
        )
        assert tls.selected_alpn_protocol() == "http/1.1"
        seen.append(await peer.request())
        await peer.send(OK)
        await peer.gone()

    context = trusted.server_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with raw_server(handler, context) as server:
        settings = UpstreamSettings(f"https://127.0.0.1:{server.port}/v1")
        assert await answer(settings, calls=2) == b"ok"
        assert server.connections == 1
    assert seen[0].startswith(b"POST /v1/x HTTP/1.1\r\n")


async def test_large_bodies_go_through_tls_both_ways(trusted: Certificates) -> None:
    size = 3_000_000

    async def handler(peer: Peer) -> None:
        assert len(await peer.request()) > size
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size
        await peer.send(head + bytes(size))
        await peer.gone()

    async with raw_server(handler, trusted.server_context()) as server:
        client = UpstreamClient(UpstreamSettings(f"https://127.0.0.1:{server.port}"))
        response = await client.send(client.prepare("POST", "x", {}), bytes(size))
        await asyncio.sleep(0.05)
        assert len(await response.read_bounded(size + 1)) == size
        await client.close()


async def test_a_certificate_that_nobody_vouches_for(certificates: Certificates) -> None:
    async with raw_server(saying(OK), certificates.server_context()) as server:
        url = f"https://127.0.0.1:{server.port}"
        assert await reason(UpstreamSettings(url)) is R.CERTIFICATE


async def test_a_certificate_for_somebody_else(trusted: Certificates) -> None:
    async with raw_server(saying(OK), trusted.server_context()) as server:
        url = f"https://localhost:{server.port}"
        assert await reason(UpstreamSettings(url)) is R.CERTIFICATE


async def test_plain_http_where_tls_was_expected() -> None:
    async def plain(peer: Peer) -> None:
        await peer.reader.read(100)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_server(plain) as server:
        assert await reason(UpstreamSettings(f"https://127.0.0.1:{server.port}")) is R.TLS


async def test_a_server_that_closes_during_the_handshake() -> None:
    async def closing(peer: Peer) -> None:
        await peer.reader.read(1)

    async with raw_server(closing) as server:
        assert await reason(UpstreamSettings(f"https://127.0.0.1:{server.port}")) is R.TLS


async def test_a_handshake_that_stalls_times_out_and_closes() -> None:
    gone = asyncio.Event()

    async def stalling(peer: Peer) -> None:
        await peer.gone()
        gone.set()

    async with raw_server(stalling) as server:
        url = f"https://127.0.0.1:{server.port}"
        assert await reason(UpstreamSettings(url, connect_timeout_s=0.5)) is R.TIMEOUT
        await asyncio.wait_for(gone.wait(), 1)


async def test_cancelling_within_tls_closes_the_connection(trusted: Certificates) -> None:
    gone = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.gone()
        gone.set()

    async with raw_server(handler, trusted.server_context()) as server:
        client = UpstreamClient(UpstreamSettings(f"https://127.0.0.1:{server.port}"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.send(client.prepare("GET", "x", {})), 0.1)
        await asyncio.wait_for(gone.wait(), 0.1)
        await client.close()


# Proxies


async def test_a_plain_proxy_is_asked_with_the_whole_address(
    monkeypatch: pytest.MonkeyPatch, upstream: Upstream
) -> None:
    monkeypatch.setenv("http_proxy", upstream.url.replace("//", "//me:pass@"))
    upstream.enqueue(whole_reply("through the proxy"))
    assert await answer(UpstreamSettings("http://models.invalid/v1")) == b"through the proxy"
    (request,) = upstream.requests
    assert request.path == "http://models.invalid/v1/x"
    assert request.headers["proxy-authorization"] == "Basic bWU6cGFzcw=="
    monkeypatch.setenv("no_proxy", "models.invalid")
    assert await reason(UpstreamSettings("http://models.invalid/v1")) is R.NAME
    assert upstream.connections == 1


async def test_loopback_never_goes_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, upstream: Upstream
) -> None:
    async with upstream_server() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        upstream.enqueue(whole_reply("direct"))
        assert await answer(UpstreamSettings(upstream.url)) == b"direct"
        assert proxy.connections == 0


async def test_a_netrc_file_is_not_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, upstream: Upstream, client: UpstreamClient
) -> None:
    (tmp_path / "netrc").write_text("default login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    upstream.enqueue(whole_reply("ok"))
    await client.send(client.prepare("GET", "x", {}))
    assert "authorization" not in upstream.requests[0].headers


async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(1 << 16):
            sink.write(data)
            await sink.drain()
    sink.close()


class ConnectProxy:
    """Tunnels wherever it is asked to, which is always to ``server``."""

    def __init__(
        self, server: RawServer, answer: bytes = b"HTTP/1.1 200 Connected\r\n\r\n"
    ) -> None:
        self.server = server
        self.answer = answer
        self.requests: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        self.requests.append(await peer.request())
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            await self.tunnel(peer, reader, writer)
        finally:
            writer.close()

    async def tunnel(
        self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await peer.send(self.answer)
        await asyncio.gather(carry(peer.reader, writer), carry(reader, peer.writer))


@pytest.mark.parametrize("proxy_tls", [False, True], ids=["plain", "tls"])
async def test_https_goes_through_a_tunnel(
    monkeypatch: pytest.MonkeyPatch, trusted: Certificates, proxy_tls: bool
) -> None:
    seen: list[bytes] = []

    async def handler(peer: Peer) -> None:
        while True:
            seen.append(await peer.request())
            await peer.send(OK)

    context = trusted.server_context()
    async with raw_server(handler, context) as server:
        proxy = ConnectProxy(server, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
        async with raw_server(proxy, trusted.server_context() if proxy_tls else None) as way:
            scheme = "https" if proxy_tls else "http"
            monkeypatch.setenv("https_proxy", f"{scheme}://me:p%40ss@127.0.0.1:{way.port}")
            settings = UpstreamSettings("https://models.test/v1")
            assert await answer(settings, calls=2) == b"ok"
            assert (way.connections, server.connections) == (1, 1)
    (connect,) = proxy.requests
    assert connect.startswith(b"CONNECT models.test:443 HTTP/1.1\r\nuser-agent: pointsman\r\n")
    assert b"\r\nhost: models.test:443\r\n" in connect
    assert b"\r\nproxy-authorization: Basic bWU6cEBzcw==\r\n" in connect
    # The key is for the provider, the password for the proxy.
    assert b"secret" not in connect
    assert seen[0].startswith(b"POST /v1/x HTTP/1.1\r\n")
    assert b"proxy-authorization" not in seen[0]


async def test_the_certificate_at_the_tunnels_end_is_checked(
    monkeypatch: pytest.MonkeyPatch, trusted: Certificates
) -> None:
    async with (
        raw_server(saying(OK), trusted.server_context()) as server,
        raw_server(ConnectProxy(server)) as way,
    ):
        monkeypatch.setenv("https_proxy", way.url)
        assert await reason(UpstreamSettings("https://other.test")) is R.CERTIFICATE


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 2\r\n\r\nno",
        b"HTTP/1.1 302 Found\r\nlocation: /\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"\x05\x00 no HTTP\r\n\r\n",
        b"HTTP/1.1 200 O",
        b"",
    ],
)
async def test_a_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    async with raw_server(saying_once(said)) as way:
        monkeypatch.setenv("https_proxy", way.url)
        assert await reason(UpstreamSettings("https://models.test")) is R.PROXY_REFUSED


async def test_a_proxy_that_says_nothing_times_out_and_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.gone()
        gone.set()

    async with raw_server(silent) as way:
        monkeypatch.setenv("https_proxy", way.url)
        settings = UpstreamSettings("https://models.test", connect_timeout_s=0.5)
        assert await reason(settings) is R.TIMEOUT
        await asyncio.wait_for(gone.wait(), 1)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv(f"{scheme}_proxy", f"http://127.0.0.1:{unused_port()}")
    assert await reason(UpstreamSettings(f"{scheme}://models.test")) is R.PROXY_UNREACHABLE
    monkeypatch.setenv(f"{scheme}_proxy", "http://nobody.invalid:3128")
    assert await reason(UpstreamSettings(f"{scheme}://models.test")) is R.PROXY_UNREACHABLE


async def test_a_proxy_that_is_none_is_not_gone_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1080")
    assert await reason(UpstreamSettings("http://models.test")) is R.PROXY_ADDRESS


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_failing_to_connect_leaves_no_socket_open(
    monkeypatch: pytest.MonkeyPatch, certificates: Certificates
) -> None:
    async with (
        raw_server(saying_once(b""), certificates.server_context()) as server,
        raw_server(ConnectProxy(server)) as way,
    ):
        url = f"https://127.0.0.1:{server.port}"
        await reason(UpstreamSettings(url))
        before = open_files()
        for _ in range(3):
            assert await reason(UpstreamSettings(url)) is R.CERTIFICATE
            monkeypatch.setenv("https_proxy", way.url)
            assert await reason(UpstreamSettings("https://models.test")) is R.CERTIFICATE
        # The servers' ends of them close a little later.
        await until(lambda: open_files() <= before)

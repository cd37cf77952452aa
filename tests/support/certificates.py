"""A certificate authority of one's own, and what it says of servers on loopback."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = pointsman tests
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
authorityKeyIdentifier = keyid
subjectAltName = DNS:models.test, IP:127.0.0.1
"""


@dataclass(frozen=True, slots=True)
class Certificates:
    """``authority`` is the file that a client trusts, or does not."""

    authority: Path
    key: Path
    certificate: Path

    def server_context(self) -> ssl.SSLContext:
        """What a server at 127.0.0.1, or called models.test, speaks TLS with."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_certificates(folder: Path) -> Certificates:
    """Have openssl make them in ``folder``; they are valid for two days."""
    names = ("openssl.cnf", "signing.pem", "authority.pem", "key.pem", "server.pem")
    config, signing, authority, key, certificate = (str(folder / name) for name in names)
    Path(config).write_text(_CONFIG)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    common = ["openssl", "req", "-x509", "-config", config, "-days", "2", "-keyout"]
    issued_by = ["-CA", authority, "-CAkey", signing]
    for command in (
        [*common, signing, *curve, "-extensions", "authority", "-out", authority],
        [*common, key, *curve, "-extensions", "server", "-out", certificate, *issued_by],
    ):
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    return Certificates(Path(authority), Path(key), Path(certificate))

"""The bridge's certificate: its devices are given it at pairing, and accept no other (docs/PROTOCOL.md).

Self-signed, of a P-256 key (RSA would take a device tens of seconds), valid from 2020 to 2060 because a
device's clock starts wrong, for the one name lightclient.bridge, because a bridge's address may change.
"""

import datetime
import fcntl
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from host_bridge.pairing.private_files import NotPrivate, read_private, write_private
from lightclient.limits import MAX_CERTIFICATE
from lightclient.pairing import SERVER_NAME, short_fingerprint

KEY_FILE = "bridge.key"
CERTIFICATE_FILE = "bridge.crt"
_MAX_FILE = 16_384
_FROM = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_UNTIL = datetime.datetime(2060, 1, 1, tzinfo=datetime.UTC)
# ECDHE with ECDSA alone; TLS 1.3 has its own names for what it takes
_CIPHERS = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"


class BadCertificate(Exception):
    """The bridge's certificate or key can't be used; the text is one line."""


class Certificate:
    """`der` is what devices are given; `key_path` and `path` are the files (PEM)."""

    def __init__(self, path: Path, key_path: Path, der: bytes) -> None:
        self.path = path
        self.key_path = key_path
        self.der = der
        self.digest = sha256(der).digest()
        self.fingerprint = short_fingerprint(self.digest)

    def server_context(self) -> ssl.SSLContext:
        """For a server: TLS 1.2 or newer, ECDHE-ECDSA. Raises BadCertificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        try:
            context.load_cert_chain(self.path, self.key_path)
        except (ssl.SSLError, OSError) as error:
            raise BadCertificate(f"{self.path}: {error}") from None
        return context


def load_or_make(folder: Path) -> Certificate:
    """The certificate in `folder`, which is made where there is none yet.

    Raises BadCertificate, also when others can read the key, and OSError.
    """
    key_path = folder / KEY_FILE
    path = folder / CERTIFICATE_FILE
    with _alone(folder):
        try:
            if not key_path.exists():
                if path.exists():
                    raise BadCertificate(
                        f"{key_path} is missing, but not {path}: put it back, or remove {path} as well"
                        " to make a new certificate (every device has to be paired again then)"
                    )
                write_private(key_path, _new_key())
            key = serialization.load_pem_private_key(read_private(key_path, _MAX_FILE), None)
            if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
                raise BadCertificate(f"{key_path}: not a P-256 key")
            if not path.exists():
                write_private(path, _self_signed(key))
            certificate = x509.load_pem_x509_certificate(path.read_bytes()[:_MAX_FILE])
        except (ValueError, TypeError) as error:
            raise BadCertificate(f"{folder}: the key or the certificate can't be read: {error}") from None
        except NotPrivate as error:
            raise BadCertificate(str(error)) from None
    if certificate.public_key() != key.public_key():
        raise BadCertificate(f"{path} is not the certificate of {key_path}")
    der = certificate.public_bytes(serialization.Encoding.DER)
    if len(der) > MAX_CERTIFICATE:
        raise BadCertificate(f"{path}: {len(der)} bytes in DER, at most {MAX_CERTIFICATE}")
    return Certificate(path, key_path, der)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two programs that start at the same moment make one key."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _new_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _self_signed(key: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SERVER_NAME)])
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), _FROM, _UNTIL)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SERVER_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

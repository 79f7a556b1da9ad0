"""The bridge's certificate: what is in it, who can read its key, and what TLS it speaks."""

import datetime
import os
import ssl
import stat
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from host_bridge.pairing import private_files
from host_bridge.pairing.certificate import CERTIFICATE_FILE, KEY_FILE, BadCertificate, load_or_make
from host_bridge.pairing.private_files import write_private
from lightclient.limits import MAX_CERTIFICATE


def test_what_is_in_it(tmp_path: Path) -> None:
    made = load_or_make(tmp_path)
    certificate = x509.load_der_x509_certificate(made.der)
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
    assert certificate.not_valid_before_utc == datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    assert certificate.not_valid_after_utc == datetime.datetime(2060, 1, 1, tzinfo=datetime.UTC)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["lightclient.bridge"]
    assert len(made.der) < MAX_CERTIFICATE // 2
    assert made.fingerprint == " ".join(made.digest.hex().upper()[i : i + 4] for i in (0, 4, 8))


def test_it_stays_the_same_and_its_files_are_for_their_owner(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        made = load_or_make(tmp_path)
    finally:
        os.umask(old)
    assert load_or_make(tmp_path).der == made.der
    assert sorted(os.listdir(tmp_path)) == [CERTIFICATE_FILE, KEY_FILE]
    for path in (made.key_path, made.path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nobody_can_read_the_key_while_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    opened = os.open

    def watched(path: str, flags: int, mode: int = 0o777, **more: int) -> int:
        handle = opened(path, flags, mode, **more)
        modes.append(stat.S_IMODE(os.fstat(handle).st_mode))
        return handle

    old = os.umask(0)
    monkeypatch.setattr(private_files.os, "open", watched)
    try:
        write_private(tmp_path / "secret", b"x")
    finally:
        monkeypatch.undo()
        os.umask(old)
    assert modes[0] == 0o600


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o666])
def test_a_key_that_others_can_reach_is_refused(mode: int, tmp_path: Path) -> None:
    made = load_or_make(tmp_path)
    made.key_path.chmod(mode)
    with pytest.raises(BadCertificate, match="chmod 600") as caught:
        load_or_make(tmp_path)
    assert "\n" not in str(caught.value)


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
        load_or_make(folder)
    (folders[0] / CERTIFICATE_FILE).write_bytes((folders[1] / CERTIFICATE_FILE).read_bytes())
    with pytest.raises(BadCertificate, match="is not the certificate of"):
        load_or_make(folders[0])
    (folders[1] / KEY_FILE).unlink()
    with pytest.raises(BadCertificate, match=r"bridge\.key is missing"):
        load_or_make(folders[1])
    (folders[0] / CERTIFICATE_FILE).write_bytes(b"nonsense")
    with pytest.raises(BadCertificate, match="can't be read"):
        load_or_make(folders[0])
    (folders[0] / KEY_FILE).write_bytes(b"nonsense")
    with pytest.raises(BadCertificate, match="can't be read"):
        load_or_make(folders[0])


def test_a_cut_between_the_two_files_is_mended(tmp_path: Path) -> None:
    made = load_or_make(tmp_path)
    key = made.key_path.read_bytes()
    made.path.unlink()
    assert load_or_make(tmp_path).der != made.der and made.key_path.read_bytes() == key


def test_two_that_start_at_once_make_one(tmp_path: Path) -> None:
    made: list[bytes] = []
    threads = [threading.Thread(target=lambda: made.append(load_or_make(tmp_path).der)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 6 and len(set(made)) == 1


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "lightclient.bridge") -> ssl.SSLObject:
    """Client and server joined in memory."""
    a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(a, b, server_hostname=name), server.wrap_bio(b, a, server_side=True)]
    for _ in range(6):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
    assert ends[0].cipher() is not None
    return ends[0]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_what_tls_it_speaks(tmp_path: Path) -> None:
    made = load_or_make(tmp_path)

    def client() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=made.der)
        return context

    assert handshake(made.server_context(), client()).version() == "TLSv1.3"
    as_device = client()
    as_device.maximum_version = ssl.TLSVersion.TLSv1_2
    line = handshake(made.server_context(), as_device)
    assert line.version() == "TLSv1.2" and line.cipher()[0].startswith("ECDHE-ECDSA")  # type: ignore[index]
    old = client()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        handshake(made.server_context(), old)
    with pytest.raises(ssl.SSLError):
        handshake(made.server_context(), client(), "another.name")
    with pytest.raises(ssl.SSLError):  # not pinned
        handshake(made.server_context(), ssl.create_default_context())

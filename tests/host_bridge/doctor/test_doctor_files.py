"""`lightclient doctor` and the state folder: certificate, key, paired devices, headers; and where it listens."""

import datetime
import re
import subprocess
import sys

import pytest
from bridge_process import BridgeProcess, write_archive
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from doctor_calls import HOST_ONLY, diagnose, only, repair, results, write_config

from host_bridge.chain.header_index import HeaderIndex
from host_bridge.demo.recording import Recording
from host_bridge.pairing.certificate import CERTIFICATE_FILE, KEY_FILE, load_or_make
from host_bridge.pairing.paired_devices import DEVICES_FILE, PairedDevices
from lightclient.limits import HEADER_SIZE
from lightclient.params import REGTEST

LISTENS = """
import socket, time
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
time.sleep(60)
"""
RECORDING = Recording.load_default()


@pytest.fixture
def arguments(tmp_path):
    """A bridge with everything, in a folder whose name has to be quoted."""
    folder = tmp_path / "the bridge's; $HOME"
    folder.mkdir(mode=0o700)
    load_or_make(folder)
    PairedDevices(folder).add(b"door", bytes(32), "door")
    index = HeaderIndex(folder / "headers" / "regtest", REGTEST)
    index.accept(RECORDING.headers[HEADER_SIZE : 500 * HEADER_SIZE], 0, 0)
    index.close()
    return ["--node", write_archive(tmp_path / "archive"), "--state-dir", folder, *HOST_ONLY]


def folder_of(arguments):
    return arguments[3]


def headers_of(arguments):
    return folder_of(arguments) / "headers" / "regtest" / "headers_0.bin"


def test_all_is_well(arguments):
    before = {path: path.read_bytes() for path in folder_of(arguments).rglob("*") if path.is_file()}
    found = diagnose(*arguments)
    assert set(results(found).values()) == {"good"}
    certificate = load_or_make(folder_of(arguments))
    assert only(found, "certificate")["detail"].startswith(f"{certificate.fingerprint}, P-256, ")
    assert "one is paired" in only(found, "devices")["detail"]
    assert only(found, "headers")["detail"] == "regtest to height 499: every rule holds"
    assert before == {path: path.read_bytes() for path in folder_of(arguments).rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("name", "mode", "check", "result"),
    [
        (KEY_FILE, 0o644, "certificate", "broken"),
        (DEVICES_FILE, 0o640, "devices", "broken"),
        (".", 0o755, "state", "warning"),
        (".", 0o777, "state", "broken"),
    ],
)
def test_wrong_modes(arguments, name, mode, check, result):
    path = folder_of(arguments) / name
    path.chmod(mode)
    finding = only(diagnose(*arguments, code=1 if result == "broken" else 0), check)
    assert finding["result"] == result and finding["fix"].startswith(("chmod 600 ", "chmod 700 "))
    repair(finding)
    assert only(diagnose(*arguments), check)["result"] == "good"


def make_certificate(arguments, key, first=2020, last=2060, name="lightclient.bridge"):
    called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    times = [datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) for year in (first, last)]
    builder = x509.CertificateBuilder(called, called, key.public_key(), 1, *times)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    path = folder_of(arguments) / CERTIFICATE_FILE
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder_of(arguments) / KEY_FILE).write_bytes(pem)


@pytest.mark.parametrize(
    ("words", "make"),
    [
        ("no P-256 key", lambda a: make_certificate(a, rsa.generate_private_key(65537, 2048))),
        ("no P-256 key", lambda a: make_certificate(a, ec.generate_private_key(ec.SECP384R1()))),
        ("to 2021-01-01", lambda a: make_certificate(a, ec.generate_private_key(ec.SECP256R1()), last=2021)),
        ("from 2055-01-01", lambda a: make_certificate(a, ec.generate_private_key(ec.SECP256R1()), first=2055)),
        ("not for the name", lambda a: make_certificate(a, ec.generate_private_key(ec.SECP256R1()), name="x.org")),
        ("holds no key", lambda a: (folder_of(a) / KEY_FILE).write_bytes(b"\x1b[2J" * 10)),
        ("holds no certificate", lambda a: (folder_of(a) / CERTIFICATE_FILE).write_bytes(b"\x1b[2J" * 10)),
        ("is missing, but not", lambda a: (folder_of(a) / KEY_FILE).unlink()),
    ],
)
def test_certificates_that_cannot_be_used(arguments, words, make):
    make(arguments)
    finding = only(diagnose(*arguments, code=1), "certificate")
    assert finding["result"] == "broken" and words in finding["detail"], finding
    repair(finding)
    # what is left is good, or is made anew by the bridge
    finding = only(diagnose(*arguments), "certificate")
    assert finding["result"] == "warning" and "lightclient pair" in finding["fix"]
    load_or_make(folder_of(arguments))
    assert only(diagnose(*arguments), "certificate")["result"] == "good"


def test_a_certificate_of_another_key(arguments, tmp_path):
    (tmp_path / "other").mkdir()
    other = load_or_make(tmp_path / "other")
    (folder_of(arguments) / CERTIFICATE_FILE).write_bytes(other.path.read_bytes())
    finding = only(diagnose(*arguments, code=1), "certificate")
    assert "is not the certificate of" in finding["detail"]
    repair(finding)
    assert only(diagnose(*arguments), "certificate")["result"] == "warning"


def test_a_bridge_that_has_never_run(tmp_path):
    found = diagnose("--node", write_archive(tmp_path / "a"), "--state-dir", tmp_path / "none", *HOST_ONLY)
    told = results(found)
    assert [told[name] for name in ("state", "certificate", "devices", "headers")] == ["good", *["warning"] * 3]
    assert not (tmp_path / "none").exists()
    (tmp_path / "none").write_text("")
    finding = only(diagnose("--state-dir", tmp_path / "none", *HOST_ONLY, "--node", "archive:x", code=1), "state")
    assert "is no folder" in finding["detail"]
    repair(finding)
    assert not (tmp_path / "none").exists()


def test_a_list_of_devices_that_is_none(arguments):
    path = folder_of(arguments) / DEVICES_FILE
    path.write_text('{"format": "\x1b[2J"}')
    finding = only(diagnose(*arguments, code=1), "devices")
    assert "not a list of devices" in finding["detail"] and finding["fix"].startswith("mv ")


@pytest.mark.parametrize(
    ("spoil", "result", "words"),
    [
        (lambda data: data[:-30], "warning", "50 bytes of a header that was torn off"),
        (lambda data: data[:-200] + bytes(200), "warning", "MalformedBits"),
        (lambda data: b"\x02" + data[1:], "broken", "BadGenesis"),
        (lambda data: b"", "warning", "is empty"),
    ],
)
def test_headers_that_are_spoilt(arguments, spoil, result, words):
    path = headers_of(arguments)
    path.write_bytes(spoil(path.read_bytes()))
    found = diagnose(*arguments, code=1 if result == "broken" else 0)
    finding = only(found, "headers")
    assert finding["result"] == result and words in finding["detail"], finding
    if words != "is empty":
        repair(finding)
        after = only(diagnose(*arguments), "headers")
        assert after["result"] == ("warning" if result == "broken" else "good"), after


def test_a_running_bridge(arguments):
    with BridgeProcess(*arguments[:4], "--listen", "127.0.0.1:0") as bridge:
        address = bridge.event(event="listening")["address"]
        bridge.event(event="index")
        found = diagnose(*arguments[:4], "--listen", address)
        assert set(results(found).values()) == {"good"}
        assert only(found, "listen")["detail"].startswith(f"{address}: the bridge listens there")
        assert f"(pid {bridge.pid})" in only(found, "state")["detail"]
        # another one's place
        found = diagnose(*arguments[:2], "--state-dir", folder_of(arguments).parent, "--listen", address, code=1)
        finding = only(found, "listen")
        assert f"(pid {bridge.pid})" in finding["detail"] and finding["fix"] == f"kill {bridge.pid}"
        repair(finding)
        assert bridge.wait() == 0
    assert set(results(diagnose(*arguments[:4], "--listen", address)).values()) == {"good"}


def test_an_address_of_another_computer(arguments, tmp_path):
    config = write_config(
        tmp_path / "b.toml", node=arguments[1], state_dir=str(folder_of(arguments)), listen=["192.0.2.1:8433"]
    )
    finding = only(diagnose("--config", config, code=1), "listen")
    assert "this computer has no such address" in finding["detail"]
    repair(finding)
    assert 'listen = ["0.0.0.0:8433"]' in config.read_text()


def test_a_port_that_a_stranger_has(arguments):
    with subprocess.Popen([sys.executable, "-c", LISTENS], stdout=subprocess.PIPE, text=True) as other:
        try:
            port = other.stdout.readline().strip()
            finding = only(diagnose(*arguments[:4], "--listen", f"127.0.0.1:{port}", code=1), "listen")
            assert f"(pid {other.pid})" in finding["detail"]
            (free,) = re.findall(r"--listen (127\.0\.0\.1:\d+)$", finding["fix"])  # the stranger is left alone
            assert only(diagnose(*arguments[:4], "--listen", free), "listen")["result"] == "good"
        finally:
            other.kill()

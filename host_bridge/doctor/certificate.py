"""The bridge's certificate and its key. Nothing is made here: the bridge does that, or pairing."""

import datetime
import os
import stat
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from host_bridge.doctor.access import is_mine, let_in, may, owner_of
from host_bridge.doctor.finding import Finding, broken, good, warning
from host_bridge.doctor.setup import Setup, take_over
from host_bridge.doctor.shell import as_root, command
from host_bridge.pairing.certificate import CERTIFICATE_FILE, KEY_FILE, BadCertificate, load_or_make
from lightclient.pairing import SERVER_NAME

_CHECK = "certificate"
_MAX_FILE = 16_384
_ANEW = "every device has to be paired again then"


def look_at_certificate(setup: Setup) -> list[Finding]:
    key_path = setup.folder / KEY_FILE
    path = setup.folder / CERTIFICATE_FILE
    there = [os.path.lexists(place) for place in (key_path, path)]
    if there == [False, False]:
        text = f"there is none yet in {setup.folder}: pairing makes it, as the bridge does when it listens"
        return [warning(_CHECK, text, setup.pair_command())]
    if there == [False, True]:
        text = f"{key_path} is missing, but not {path}: a new certificate is made without it; {_ANEW}"
        return [broken(_CHECK, text, _aside(path))]
    wrong = _key(key_path) or (_certificate(key_path, path) if there[1] else None)
    if wrong:
        return [wrong]
    if not there[1]:
        text = f"{path} is missing, but not its key: the bridge makes it anew; {_ANEW}"
        return [warning(_CHECK, text, setup.pair_command())]
    try:
        certificate = load_or_make(setup.folder)
        certificate.server_context()
    except (BadCertificate, OSError) as error:
        return [broken(_CHECK, f"{error}; {_ANEW}", _aside(path))]
    return [good(_CHECK, f"{certificate.fingerprint}, P-256, {path}")]


def _key(path: Path) -> Finding | None:
    """What is wrong with the key."""
    try:
        owner = owner_of(path)
        status = path.stat()
    except OSError as error:
        return broken(_CHECK, f"{path}: {error.strerror or error}", _aside(path))
    if not stat.S_ISREG(status.st_mode):
        return broken(_CHECK, f"{path}: not a regular file", _aside(path))
    if owner.mode & 0o077:
        text = f"{path} is open to others than its owner ({owner}); if one of them may have read it, remove it instead"
        fix = command("chmod", "600", path)
        return broken(_CHECK, text, fix if is_mine(owner) else as_root(fix))
    if not may(path, os.R_OK):
        mine = is_mine(owner)
        return broken(_CHECK, f"{path} can't be read by this user ({owner})", _open(path, mine))
    try:
        with path.open("rb") as file:
            key = serialization.load_pem_private_key(file.read(_MAX_FILE), None)
    except (OSError, ValueError, TypeError):
        return broken(_CHECK, f"{path} holds no key that can be read; {_ANEW}", _both_aside(path))
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        text = f"{path} is no P-256 key, and devices take no other; {_ANEW}"
        return broken(_CHECK, text, _both_aside(path))
    return None


def _open(path: Path, mine: bool) -> str:
    return let_in(path, owner_of(path), "r") if mine else take_over(path)


def _certificate(key_path: Path, path: Path) -> Finding | None:
    """What is wrong with the certificate. Its key is good, and makes another."""
    try:
        if not path.is_file():
            return broken(_CHECK, f"{path}: not a regular file", _aside(path))
        with path.open("rb") as file:
            certificate = x509.load_pem_x509_certificate(file.read(_MAX_FILE))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        named = SERVER_NAME in names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        named = False
    except PermissionError:
        return broken(
            _CHECK, f"{path} can't be read by this user ({owner_of(path)})", _open(path, is_mine(owner_of(path)))
        )
    except (OSError, ValueError, TypeError):
        return broken(_CHECK, f"{path} holds no certificate that can be read; {_ANEW}", _aside(path))
    now = datetime.datetime.now(datetime.UTC)
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not first <= now <= last:
        text = f"{path} is valid from {first:%Y-%m-%d} to {last:%Y-%m-%d}, and today is {now:%Y-%m-%d}; {_ANEW}"
        return broken(_CHECK, text, _aside(path))
    if not named:
        return broken(_CHECK, f"{path} is not for the name {SERVER_NAME}, which devices ask for; {_ANEW}", _aside(path))
    return None


def _aside(*paths: Path) -> str:
    """Out of the bridge's way; nothing is lost."""
    moves = " && ".join(command("mv", path, f"{path}.old") for path in paths)
    return moves if may(paths[0].parent, os.W_OK) else as_root(f"sh -c {command(moves)}")


def _both_aside(key_path: Path) -> str:
    path = key_path.with_name(CERTIFICATE_FILE)
    return _aside(key_path, path) if os.path.lexists(path) else _aside(key_path)

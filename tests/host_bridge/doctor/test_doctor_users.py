"""`lightclient doctor` as a user to whom files are closed. As root, in a child process that is nobody's."""

import encodings.idna  # noqa: F401 - for addresses, while its file can still be read
import grp
import json
import os
import pwd
import tempfile
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from host_bridge.doctor.certificate import look_at_certificate
from host_bridge.doctor.cookie import look_at_cookie
from host_bridge.doctor.finding import Seen
from host_bridge.doctor.listen import look_at_addresses
from host_bridge.doctor.serial_port import look_at_port
from host_bridge.doctor.setup import Setup
from host_bridge.doctor.shell import command, quote
from host_bridge.doctor.state import look_at_folder
from host_bridge.nodes.url import read_core_url
from host_bridge.pairing.certificate import KEY_FILE
from host_bridge.service.config import BridgeConfig

NOBODY = pwd.getpwnam("nobody")
as_nobody = pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to become another user")


def found_by_nobody(look, *groups):
    """The one finding of `look()`, called as the user nobody."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(groups)
            os.setresgid(NOBODY.pw_gid, NOBODY.pw_gid, NOBODY.pw_gid)
            os.setresuid(NOBODY.pw_uid, NOBODY.pw_uid, NOBODY.pw_uid)
            os.write(writer, json.dumps([asdict(finding) for finding in look()]).encode())
        except BaseException as error:
            os.write(writer, repr(error).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        said = file.read()
    os.waitpid(child, 0)
    found = json.loads(said)
    assert len(found) == 1, found
    return found[0]


@contextmanager
def open_folder():
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def setup_for(folder, **values):
    return Setup(BridgeConfig(node="archive:x", state_dir=str(folder), **values))


@as_nobody
def test_a_serial_port_of_a_group():
    dialout = grp.getgrnam("dialout").gr_gid
    ours, theirs = os.openpty()
    try:
        path = os.ttyname(theirs)
        os.chown(path, 0, dialout)
        os.chmod(path, 0o660)
        setup = setup_for("/nowhere", serial=[path])
        found = found_by_nobody(lambda: look_at_port(setup, Seen(), path))
        assert found["result"] == "broken"
        assert found["detail"] == f"{path}: closed to this user (of root, group dialout, mode 0660)"
        assert found["fix"] == "sudo usermod -aG dialout nobody && exec newgrp dialout"
        os.chmod(path, 0o600)
        found = found_by_nobody(lambda: look_at_port(setup, Seen(), path))
        assert found["fix"].startswith(f"sudo chmod g+rw {path} && sudo usermod")
        os.chown(path, NOBODY.pw_uid, 0)
        os.chmod(path, 0o400)
        found = found_by_nobody(lambda: look_at_port(setup, Seen(), path))
        assert found["fix"] == f"chmod u+rw {path}"
    finally:
        os.close(ours)
        os.close(theirs)


@as_nobody
def test_a_cookie_of_another_user():
    with open_folder() as folder:
        cookie = folder / "regtest" / ".cookie"
        cookie.parent.mkdir()
        cookie.parent.chmod(0o755)  # whatever the umask is
        cookie.write_text("__cookie__:00")
        cookie.chmod(0o600)
        url = read_core_url(f"core://127.0.0.1:1/?cookie={cookie}")
        setup = setup_for(folder)
        found = found_by_nobody(lambda: look_at_cookie(setup, url))
        assert found["detail"] == f"{cookie} can't be read by this user (of root, group root, mode 0600)"
        assert f"echo rpccookieperms=group | sudo tee -a {folder}/bitcoin.conf && " in found["fix"]
        os.chown(cookie, 0, grp.getgrnam("dialout").gr_gid)
        cookie.chmod(0o640)
        found = found_by_nobody(lambda: look_at_cookie(setup, url))
        assert found["fix"] == "sudo usermod -aG dialout nobody && exec newgrp dialout"
        assert found_by_nobody(lambda: look_at_cookie(setup, url), grp.getgrnam("dialout").gr_gid)["result"] == "good"
        os.chown(cookie.parent, 0, grp.getgrnam("dialout").gr_gid)
        cookie.parent.chmod(0o710)
        found = found_by_nobody(lambda: look_at_cookie(setup, url))
        assert f"the folder {cookie.parent} is closed" in found["detail"] and "usermod -aG dialout" in found["fix"]


@as_nobody
def test_a_state_folder_of_another_user():
    with open_folder() as folder:
        setup = setup_for(folder)
        found = found_by_nobody(lambda: look_at_folder(setup))
        assert f"{folder} is closed to this user (of root, group root, mode 0755)" in found["detail"]
        assert found["fix"] == f"sudo chown $(id -u):$(id -g) {folder}"
        (folder / KEY_FILE).write_text("")
        (folder / KEY_FILE).chmod(0o600)
        found = found_by_nobody(lambda: look_at_certificate(setup))
        assert "can't be read by this user" in found["detail"] and "sudo chown" in found["fix"]
        below = setup_for(folder / "none")
        found = found_by_nobody(lambda: look_at_folder(below))
        assert found["result"] == "broken" and "sudo install -d -m 700 " in found["fix"]


@as_nobody
def test_a_port_that_only_root_may_have():
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
        if int(file.read()) <= 1:
            pytest.skip("every user may have every port here")
    found = found_by_nobody(lambda: look_at_addresses(setup_for("/nowhere", listen=["127.0.0.1:1"])))
    assert found["fix"] == "sudo sysctl -w net.ipv4.ip_unprivileged_port_start=1"


def test_words_of_a_shell(tmp_path):
    for name in ("plain", "it's; $HOME `x`", "a\nb\x1b[2J\t\\'", "ä é", "\udcff"):
        word = quote(name)
        assert word.isprintable()
        told = os.popen("bash -c " + quote(f"printf %s {word} | od -An -tx1 | tr -d ' \\n'")).read()
        assert bytes.fromhex(told) == os.fsencode(name), (name, word)
    assert command("rm", "--", "a b") == "rm -- 'a b'"

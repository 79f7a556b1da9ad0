"""Commands for people to paste: every name in them is quoted, none can begin another command."""

import getpass
import os
import shlex


def quote(text: str | os.PathLike[str]) -> str:
    """As a word of a POSIX shell; with control characters as one of bash, zsh and dash from 0.5.13 on."""
    word = os.fspath(text)
    if all(c.isprintable() for c in word):
        return shlex.quote(word)
    return "$'" + "".join(_escaped(c) for c in word) + "'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if character.isprintable():
        return character
    # three octal digits: of \x, some shells would take more than two
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(character))


def command(*words: str | os.PathLike[str]) -> str:
    """A command of these words."""
    return " ".join(quote(word) for word in words)


def as_root(text: str) -> str:
    """The command, run by root."""
    return text if is_root() else "sudo " + text


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def user_name(uid: int | None = None) -> str:
    """The name of a user, else its number; None: of whoever runs this."""
    try:
        import pwd  # noqa: PLC0415 - POSIX only

        return pwd.getpwuid(os.geteuid() if uid is None else uid).pw_name
    except (ImportError, KeyError):
        return getpass.getuser() if uid is None else str(uid)


def group_name(gid: int) -> str:
    try:
        import grp  # noqa: PLC0415 - POSIX only

        return grp.getgrgid(gid).gr_name
    except (ImportError, KeyError):
        return str(gid)


def join_group(gid: int) -> str:
    """Puts this user into a group, for this terminal too."""
    group = group_name(gid)
    return as_root(command("usermod", "-aG", group, user_name())) + " && " + command("exec", "newgrp", group)

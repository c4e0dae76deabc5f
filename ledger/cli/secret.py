"""Passphrases: from VIF_KEY_PASSPHRASE or a hidden prompt, never from the command line.

The prompt is on the terminal itself, so that it works while data comes in on standard input.
"""

from __future__ import annotations

import getpass
import os

from ledger.errors import KeyFileError

__all__ = ["NEW_PASSPHRASE", "PASSPHRASE", "ask_passphrase", "choose_passphrase"]

PASSPHRASE = "VIF_KEY_PASSPHRASE"  # noqa: S105 - names of variables, not their values
NEW_PASSPHRASE = "VIF_KEY_NEW_PASSPHRASE"  # noqa: S105
_MIN_CHARACTERS = 8


def ask_passphrase() -> bytes:
    """Return the passphrase of a key that is encrypted; KeyFileError `key_passphrase` if none."""
    given = os.environ.get(PASSPHRASE)
    return _ask("Passphrase of the key: ", PASSPHRASE) if given is None else given.encode()


def choose_passphrase(variable: str = PASSPHRASE) -> bytes:
    """Return a new passphrase, asked for twice; KeyFileError `key_passphrase` if too short."""
    given = os.environ.get(variable)
    if given is not None:
        chosen = given.encode()
    else:
        chosen = _ask("New passphrase: ", variable)
        if _ask("Once more: ", variable) != chosen:
            raise KeyFileError("key_passphrase", "the two passphrases differ")
    if len(chosen.decode(errors="replace")) < _MIN_CHARACTERS:
        raise KeyFileError(
            "key_passphrase", f"a passphrase has at least {_MIN_CHARACTERS} characters"
        )
    return chosen


def _ask(prompt: str, variable: str) -> bytes:
    if not has_terminal():
        # Without one, getpass would take the data on standard input for the passphrase.
        raise KeyFileError(
            "key_passphrase",
            "a passphrase is needed and there is no terminal to ask on",
            hint=f"put it into the environment variable {variable}",
        )
    return getpass.getpass(prompt).encode()


def has_terminal() -> bool:
    """Tell whether there is a terminal to ask on, wherever standard input comes from."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True

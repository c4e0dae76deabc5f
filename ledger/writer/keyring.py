"""The private keys at hand, and which of them is to sign (specs/05 section 4).

Which key may sign is asked of the log; whether its private part is here is asked of the signers
that were given and of the key folder, by key id. A key is unlocked once and kept for the life of
the handle.
"""

from __future__ import annotations

from ledger.errors import FormatError, LogError
from ledger.keys.events import KeyHistory, KeyRecord
from ledger.keys.keyfile import KeyFolder, load
from ledger.keys.signer import AUTHORITY, Passphrase, Signer, open_signer

__all__ = ["Keyring", "SignerLike"]

SignerLike = Signer | str
"""A signer, or its address such as `file:PATH`."""


class Keyring:
    """Signers by key id."""

    def __init__(
        self,
        folder: KeyFolder,
        passphrase: Passphrase = None,
        *,
        producer: SignerLike | None = None,
        log_key: SignerLike | None = None,
    ) -> None:
        self._folder = folder
        self._passphrase = passphrase
        self._signers: dict[bytes, Signer] = {}
        self._producer = None if producer is None else self.add(producer).kid
        if log_key is not None:
            self.add(log_key)

    def add(self, signer: SignerLike) -> Signer:
        """Take a signer in, opening its address if it is one."""
        if isinstance(signer, str):
            signer = open_signer(signer, passphrase=self._passphrase)
        self._signers[signer.kid] = signer
        return signer

    def signer(self, kid: bytes) -> Signer | None:
        """The signer with this key id, if it is at hand."""
        found = self._signers.get(kid)
        if found is None:
            path = self._folder.find(kid)
            if path is None:
                return None
            found = self.add(load(path, self._passphrase))
        return found

    def producers(self, history: KeyHistory, size: int) -> list[Signer]:
        """Signers that may sign the next statement of a log of this size, the chosen one first.

        Raises `LogError("no_signer")` when there is none.
        """
        records = history.producers_at(size)
        if self._producer is not None:
            chosen = [record for record in records if record.kid == self._producer]
            # A key that was rotated goes on as the key that took its place.
            records = tuple(chosen) or tuple(record for record in records if self._descends(record))
        signers = [s for s in (self.signer(record.kid) for record in records) if s is not None]
        if not signers:
            raise self._missing("producer", records)
        return signers

    def log(self, history: KeyHistory, size: int) -> Signer:
        """The signer of a head of this size; raises `LogError("no_signer")`."""
        try:
            record = history.log_key_at(size)
        except FormatError as error:
            raise LogError("no_signer", f"no log key is valid at size {size}: {error}") from error
        signer = self.signer(record.kid)
        if signer is None:
            raise self._missing("log", (record,))
        return signer

    def authority(self, history: KeyHistory) -> Signer:
        """The signer of key events; raises `LogError("no_signer")`."""
        records = tuple(key for key in history.keys if key.role == AUTHORITY)
        for record in records:
            signer = self.signer(record.kid)
            if signer is not None:
                return signer
        raise self._missing("authority", records)

    def _descends(self, record: KeyRecord) -> bool:
        before = record.rotated_from
        while before is not None:
            if before.kid == self._producer:
                return True
            before = before.rotated_from
        return False

    def _missing(self, role: str, records: tuple[KeyRecord, ...]) -> LogError:
        names = ", ".join(f"{record.name} {record.kid.hex()[:16]}" for record in records)
        wanted = f": {names}" if names else ""
        return LogError(
            "no_signer",
            f"no {role} key that is valid here is in {self._folder.path}{wanted}",
            hint="name the key folder with VIF_KEYS or --keys",
        )

"""The verifier's judgement of single statements, the way an audit makes it."""

from __future__ import annotations

from verifier import merkle
from verifier.events import take_key_event
from verifier.judging import judge
from verifier.keys import KeyBook
from verifier.records import Setting
from verifier.report import Report


class Auditor:
    """Knows the keys that a log of statements introduces, and judges statements by them."""

    def __init__(self, statements: list[bytes], *, salted: bool | None = None) -> None:
        self._book, self._report = KeyBook(), Report("", "", "")
        for index, statement in enumerate(statements):
            take_key_event(self._book, self._report, index, statement, merkle.leaf_hash(statement))
        self.judge = self._book.compile()
        self._setting = Setting(
            None,  # type: ignore[arg-type]
            len(statements),
            b"",
            self.judge,
            self._book.origin,
            self._book.genesis,
            salted,
        )

    def events(self) -> list[tuple[int, str]]:
        """What was wrong with the key events: index and code."""
        return [(finding["index"], finding["code"]) for finding in self._report.findings]

    def codes(self, index: int, statement: bytes) -> list[str]:
        """The codes of everything that is wrong with one statement by itself."""
        return [note[2] for note in judge(self._setting, index, statement)]

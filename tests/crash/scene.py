"""A ledger, a provider and runs of the experiment; and what has to hold after every kill."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ledger
from ledger.capture.exchange import Response, decode_body
from ledger.export import export
from ledger.log import Ledger
from tests.crash.child import NAME
from tests.crash.nursery import Nursery
from tests.helpers.provider import Provider, serial_of
from verifier import verify_package

_IDENT = re.compile(rb'"id": ?"(?:chatcmpl-|resp_|msg_)(\d{6})')

Identity = tuple[bytes, int]


@dataclass
class Told:
    """What the log says of one call."""

    body: str
    """SHA-256 of the request body in hex."""
    statuses: list[str | None] = field(default_factory=list)
    """Of its attempts in log order; None for one that has no outcome."""
    serial: int | None = None
    """Of the paid call that gave the answer."""
    text: bytes = b""


class Scene:
    """One folder in which the experiment is run, killed and run again."""

    def __init__(self, folder: Path, provider: Provider, nursery: Nursery, variant: str) -> None:
        self.folder, self.provider, self.variant = folder, provider, variant
        self._nursery = nursery
        self._paid_before = provider.paid()

    def start(
        self,
        inject: tuple[str, int] | None = None,
        *,
        gate: Path | None = None,
        program: str = "child.run",
        **options: Any,
    ) -> int:
        """Start a run; returns its process id."""
        given = (str(self.folder), self.provider.base_url, self.variant, inject)
        return self._nursery.start(self.folder, program, *given, gate=gate, **options)

    def end(self, pid: int) -> int:
        """Wait for the end of a run; returns its exit status."""
        return self._nursery.wait(pid)

    def run(self, inject: tuple[str, int] | None = None, **options: Any) -> int:
        """Run to the end, or to the kill."""
        return self.end(self.start(inject, **options))

    def output(self) -> str:
        """What the runs printed."""
        return (self.folder / "output.txt").read_text(encoding="utf-8", errors="replace")

    def handed(self) -> dict[int, list[str]]:
        """The answers that callers have seen, by the place of the question."""
        seen: dict[int, list[str]] = {}
        file = self.folder / "handed.jsonl"
        if file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                number, text = json.loads(line)
                seen.setdefault(number, []).append(text)
        return seen

    def done(self) -> dict[str, Any] | None:
        """What the run that came to its end noted."""
        file = self.folder / "done.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None

    def open(self, **options: Any) -> Ledger:
        return ledger.open(self.folder / "log.vif", keys=self.folder / "keys", **options)

    def paid(self) -> Counter[str]:
        """How often each request body was paid in this scene."""
        mine = [one for one in self.provider.journal() if one.serial > self._paid_before]
        return Counter(one.digest for one in mine)

    def told(self, name: str = NAME) -> dict[Identity, Told]:
        """What the log says of each call of a session."""
        with self.open(read_only=True) as log:
            return dict(_told(log, name))

    def beside(self, folder: Path) -> Scene:
        """The same ledger, with another folder for what a program notes."""
        folder.mkdir()
        for name in ("log.vif", "keys"):
            (folder / name).symlink_to(self.folder / name)
        other = Scene(folder, self.provider, self._nursery, self.variant)
        other._paid_before = self._paid_before
        return other

    def resume(self, **options: Any) -> None:
        """Check what the kill left, run the experiment to its end, check everything again."""
        before, paid_before, seen = self.told(), self.paid(), self.handed()
        self._account(before, paid_before)
        answered = {call.serial for call in before.values() if call.serial}
        for texts in seen.values():
            assert {serial_of(text) for text in texts} <= answered, "an answer was not recorded"
        status = self.run(**options)
        assert status == 0, self.output()
        after, paid_after = self.told(), self.paid()
        self._account(after, paid_after)
        self._not_paid_again(before, after, paid_before, paid_after)
        self._complete(after, seen)
        self.verify()

    def _account(self, told: dict[Identity, Told], paid: Counter[str]) -> None:
        """Every paid call is answered in the log, or one of its attempts has no known outcome."""
        serials = [call.serial for call in told.values() if call.serial is not None]
        assert len(serials) == len(set(serials)), "an answer is recorded twice"
        known = {one.serial for one in self.provider.journal() if one.serial > self._paid_before}
        assert set(serials) <= known, "an answer that the provider never gave"
        explained: Counter[str] = Counter()
        for call in told.values():
            assert "answered" not in call.statuses[:-1], "asked again after its answer"
            explained[call.body] += call.statuses.count("answered")
            explained[call.body] += call.statuses.count("unknown")
            explained[call.body] += call.statuses.count(None)
        assert not paid - explained, f"paid calls that the log does not know: {paid - explained}"

    def _not_paid_again(
        self,
        before: dict[Identity, Told],
        after: dict[Identity, Told],
        paid_before: Counter[str],
        paid_after: Counter[str],
    ) -> None:
        """What was recorded stays as it was; only calls without an answer were asked for."""
        wanting: Counter[str] = Counter()
        for identity, call in after.items():
            earlier = before.get(identity)
            if earlier is not None and earlier.serial is not None:
                assert (call.serial, call.text) == (earlier.serial, earlier.text)
                assert call.statuses == earlier.statuses
            else:
                wanting[call.body] += 1
        assert paid_after - paid_before <= wanting, "a recorded answer was paid again"

    def _complete(self, after: dict[Identity, Told], seen: dict[int, list[str]]) -> None:
        """The rerun has every answer, and those that were seen before are the same."""
        done = self.done()
        assert done is not None
        serials = [serial_of(text) for text in done["answers"]]
        assert sorted(serials) == sorted(call.serial or 0 for call in after.values())
        assert all(call.statuses[-1] == "answered" for call in after.values())
        for number, texts in seen.items():
            assert set(texts) == {done["answers"][number]}, "another answer than the first time"
        with self.open(read_only=True) as log:
            closes = [one.payload.body for one in log.find(session=NAME, type="session_close")]
        assert closes[-1]["status"] == "complete"

    def verify(self) -> None:
        """The verifier finds nothing wrong in the exported ledger."""
        target = self.folder / "package.zip"
        with self.open() as log:
            made = export(log, target)
        report = verify_package(str(target), trust=made.genesis, known_head=made.known_head, jobs=1)
        failed = [one for one in report.findings if one["severity"] == "fail"]
        assert not failed, failed
        target.unlink()


def _told(log: Ledger, name: str) -> Iterator[tuple[Identity, Told]]:
    calls: dict[Identity, Told] = {}
    intents: dict[str, tuple[Told, int]] = {}
    for entry in log.find(session=name):
        body = entry.payload.body
        if entry.payload.type == "intent":
            identity = (body["call"]["digest"], body["call"]["replicate"])
            digest = body["request"]["sha256"].hex() if "request" in body else ""
            call = calls.setdefault(identity, Told(digest))
            intents[entry.id] = call, len(call.statuses)
            call.statuses.append(None)
        elif entry.payload.type == "outcome":
            call, place = intents[entry.payload.parents[0].id]
            assert call.statuses[place] is None, "an intent has two outcomes"
            call.statuses[place] = body["status"]
            if body["status"] == "answered":
                assert call.serial is None, "a call has two answers"
                content = log.content(body["response"])
                headers = tuple(body["response_headers"].items())
                plain = decode_body(Response(body["http_status"], headers, content))
                found = _IDENT.search(plain or b"")
                assert found is not None, content
                call.serial, call.text = int(found[1]), content
    yield from calls.items()


def found_ledger(folder: Path) -> None:
    """Make an empty ledger and its keys in a folder."""
    ledger.init(folder / "log.vif", origin="example.org/crash", keys=folder / "keys")

"""A plain list, the ledger and the verifier agree after anything that anybody may do."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

import ledger
from ledger.doctor import examine
from ledger.drafts import Draft, Receipt
from ledger.errors import ContentError, ExportError, LedgerError
from ledger.export.package import export
from ledger.formats.content import ContentRef
from ledger.keys import keyfile
from ledger.log import Ledger
from tests.helpers.keys import private, signer
from tests.helpers.world import ORIGIN, World, audit, body, found
from verifier import merkle as auditor

SESSIONS = st.sampled_from([None, "s1", "s2"])
LARGE = 70_000


@dataclass
class Item:
    """What the list knows of a statement."""

    type: str
    stream: str
    session: str | None
    id: str
    leaf: bytes
    parents: list[str] = field(default_factory=list)
    refs: list[ContentRef] = field(default_factory=list)


@dataclass
class Handle:
    """An open ledger and what it was opened with."""

    log: Ledger
    session: str | None


class Agreement(RuleBasedStateMachine):
    """Producers append through several handles while others export, erase and change keys."""

    handles: Bundle[Handle] = Bundle("handles")

    @initialize(salted=st.booleans())
    def begin(self, salted: bool) -> None:
        """A new ledger: the list holds its genesis."""
        self.folder = Path(tempfile.mkdtemp(prefix="vif-stateful-"))
        self.world = World(self.folder, salted=salted)
        self.items: list[Item] = []
        self.contents: dict[bytes, bytes | None] = {}
        self.lost: set[bytes] = set()
        self.erased: set[bytes] = set()
        self.open: list[Handle] = []
        self.keys_folder, self.log_key_name = self.folder / "lab-keys", "lab log"
        self.closed: set[str] = set()
        self.numbers, self.keys_made = count(), count()
        self.key_count = 3
        self.reader = ledger.open(self.world.path, read_only=True)
        self.learn(0)

    def learn(self, index: int, **more: Any) -> Item:
        """Add a statement to the list by reading it back; its place has to be the list's end."""
        assert len(self.items) == index
        entry = self.reader.get(index)
        payload = entry.payload
        item = Item(
            payload.type, payload.stream_id, payload.session, entry.id, entry.leaf_hash, **more
        )
        self.items.append(item)
        return item

    def take(
        self, receipts: list[Receipt], drafts: list[tuple[list[str], list[ContentRef]]]
    ) -> None:
        """Enter receipts into the list."""
        assert receipts[-1].size == len(self.items) + len(receipts)
        for receipt, (parents, refs) in zip(receipts, drafts, strict=True):
            item = self.learn(receipt.index, parents=parents, refs=refs)
            assert (item.id, item.leaf) == (receipt.id, receipt.leaf_hash)

    def make(self, log: Ledger, text: str) -> tuple[dict[str, Any], Any, list[ContentRef]]:
        """A witness body whose contents the list remembers."""
        value, contents = body(log, next(self.numbers) % 4, text=text)
        return value, contents, [item.ref for item in contents]

    def remember(self, contents: Any) -> None:
        for item in contents:
            data = item.data
            self.contents[item.ref.blake3] = data if isinstance(data, bytes) else b""
            self.erased.discard(item.ref.blake3)
            self.lost.discard(item.ref.blake3)

    # Handles

    @rule(target=handles, session=SESSIONS)
    def a_new_stream(self, session: str | None) -> Any:
        """Somebody opens the ledger for a session."""
        if len(self.open) > 3:
            return multiple()
        return self.opened(session)

    def opened(self, session: str | None) -> Handle:
        handle = Handle(self.world.open(session=session), session)
        self.open.append(handle)
        return handle

    @rule(target=handles, handle=consumes(handles))
    def reopen(self, handle: Handle) -> Any:
        """A handle is closed and opened again: what it appended is there."""
        if handle not in self.open:
            return multiple()
        self.open.remove(handle)
        handle.log.close()
        with pytest.raises(LedgerError) as refused:
            handle.log.append("witness", {})
        assert refused.value.code == "log_closed"
        return self.opened(handle.session)

    def restart(self) -> None:
        """Close everything: keys have changed."""
        for handle in self.open:
            handle.log.close()
        self.open.clear()

    def usable(self, handle: Handle) -> bool:
        return handle in self.open and handle.log.stream_id not in self.closed

    # Appending

    @rule(
        handle=handles,
        picks=st.lists(st.integers(0, 10**6), max_size=3),
        text=st.sampled_from(["", "same", "x" * 300]),
    )
    def append(self, handle: Handle, picks: list[int], text: str) -> None:
        """One witness, with parents from anywhere in the log."""
        if not self.usable(handle):
            return
        parents = list(dict.fromkeys(self.items[pick % len(self.items)].id for pick in picks))
        value, contents, refs = self.make(handle.log, text)
        receipt = handle.log.append("witness", value, parents=parents, contents=contents)
        self.remember(contents)
        self.take([receipt], [(parents, refs)])
        assert self.items[-1].session == handle.session
        assert self.items[-1].stream == handle.log.stream_id

    @rule(handle=handles, size=st.integers(2, 6))
    def append_batch(self, handle: Handle, size: int) -> None:
        """Several witnesses at once, each the parent of the next."""
        if not self.usable(handle):
            return
        drafts: list[Draft] = []
        told: list[tuple[list[str], list[ContentRef]]] = []
        for _ in range(size):
            value, contents, refs = self.make(handle.log, "")
            drafts.append(Draft("witness", value, drafts[-1:], contents))
            told.append(([], refs))
        receipts = handle.log.append_many(drafts)
        for draft in drafts:
            self.remember(draft.contents)
        for number, receipt in enumerate(receipts[:-1], 1):
            told[number][0].append(receipt.id)
        self.take(receipts, told)

    @rule(handle=handles)
    def append_large(self, handle: Handle) -> None:
        """A content that goes to a file."""
        if not self.usable(handle):
            return
        value, contents, refs = self.make(handle.log, "")
        data = bytes((next(self.numbers) % 256,)) * LARGE
        large = handle.log.archive(data, "application/octet-stream")
        value["raw"] = {"response": large.ref.to_cbor()}
        receipt = handle.log.append("witness", value, contents=[*contents, large])
        self.remember([*contents, large])
        self.contents[large.ref.blake3] = data
        self.take([receipt], [([], [*refs, large.ref])])

    @rule(handle=handles, pick=st.integers(0, 10**6), value=st.sampled_from([True, 0.5, 3, "good"]))
    def annotate(self, handle: Handle, pick: int, value: Any) -> None:
        """A score about some statement."""
        if not self.usable(handle):
            return
        parent = self.items[pick % len(self.items)].id
        receipt = handle.log.append(
            "annotation", {"kind": "score", "value": value}, parents=[parent]
        )
        self.take([receipt], [([parent], [])])

    @rule(handle=handles, kind=st.integers(0, 7))
    def append_invalid(self, handle: Handle, kind: int) -> None:
        """A draft that breaks a rule is refused, alone or in a batch, and nothing has changed."""
        if handle not in self.open:
            return
        good, contents, _ = self.make(handle.log, "")
        bad, _, _ = self.make(handle.log, "")
        name, parents = "witness", []
        if kind == 0:
            bad["uncertainty"]["confidence_band"] = "A"
        elif kind == 1:
            bad["meta"]["kappa_gate_passed"] = False
        elif kind == 2:
            parents = ["01a1f82e-0000-7000-8000-000000000000"]
        elif kind == 3:
            name = "enrol"
        elif kind == 4:
            bad["data"]["prompt_hash"] = {**bad["data"]["prompt_hash"], "size_bytes": -1}
        elif kind == 5:
            salted = {} if self.world_salted() else {"salted": True}
            ref = {k: v for k, v in bad["data"]["prompt_hash"].items() if k != "salted"}
            bad["data"]["prompt_hash"] = ref | salted
        elif kind == 6:
            name, bad = "annotation", {"kind": "note"}
        else:
            bad["replay"] = {"other_params": {"x": "y" * 65_000}}
        before = self.reader.head_note()
        with pytest.raises(LedgerError):
            handle.log.append_many(
                [Draft("witness", good, (), contents), Draft(name, bad, parents)]
            )
        assert self.reader.head_note() == before

    def world_salted(self) -> bool:
        return self.reader.salted

    @rule(handle=handles)
    def close_stream(self, handle: Handle) -> None:
        """A stream ends; nothing follows in it."""
        if not self.usable(handle):
            return
        receipt = handle.log.close_stream()
        self.take([receipt], [([], [])])
        assert handle.log.stream_id is not None
        self.closed.add(handle.log.stream_id)
        assert self.items[-1].type == "stream_close"
        with pytest.raises(LedgerError) as refused:
            handle.log.close_stream()
        assert refused.value.code == "stream_closed"

    @precondition(lambda self: any(data is not None for data in self.contents.values()))
    @rule(handle=handles, pick=st.integers(0, 10**6))
    def erase(self, handle: Handle, pick: int) -> None:
        """A content is erased: its statement stays, its bytes are gone."""
        if not self.usable(handle):
            return
        refs = [
            ref for item in self.items for ref in item.refs if self.contents[ref.blake3] is not None
        ]
        ref = refs[pick % len(refs)]
        receipt = handle.log.erase(ref, "asked to")
        self.contents[ref.blake3] = None
        self.erased.add(ref.blake3)
        self.take([receipt], [([], [ref])])

    # Keys

    @rule()
    def enrol(self) -> None:
        """A second producer is let in, and everybody uses its key from then on."""
        new = signer(f"enrolled {next(self.keys_made)}", "lab-producer", "producer")
        with self.world.open() as log:
            receipt = log.enrol(new, authority=self.world.authority)
        self.changed(receipt)
        self.world.producer = new

    @rule(role=st.sampled_from(["producer", "log"]))
    def rotate(self, role: str) -> None:
        """A key is replaced by another of its name."""
        old = self.world.producer if role == "producer" else self.world.log_key
        name = f"rotated {next(self.keys_made)}"
        new = signer(name, old.name, role)
        with self.world.open() as log:
            receipt = log.rotate(new, old=old)
        self.changed(receipt)
        if role == "producer":
            self.world.producer = new
        else:
            self.world.log_key = new
            # The former key stays at hand: see test_a_new_log_key_alone_is_enough.
            keyfile.store(private(self.log_key_name), role, old.name, self.keys_folder)
            self.log_key_name = name

    @rule()
    def revoke(self) -> None:
        """A producer key is enrolled and revoked again; what was signed before stays good."""
        lost = signer(f"lost {next(self.keys_made)}", "lost-producer", "producer")
        with self.world.open() as log:
            self.changed(log.enrol(lost, authority=self.world.authority))
            receipt = log.revoke(
                lost.kid, last_good_index=len(log) - 1, reason="", authority=self.world.authority
            )
        self.changed(receipt)
        self.key_count -= 1
        with self.world.open(producer=lost, session="s1") as log, pytest.raises(LedgerError) as no:
            log.append_many([Draft("witness", *self.make(log, "")[:1])])
        assert no.value.code == "no_signer"

    def changed(self, receipt: Receipt) -> None:
        self.restart()
        self.key_count += 1
        self.take([receipt], [([], [])])
        assert self.items[-1].stream == "keys"

    # Reading

    @rule(handle=handles, pick=st.integers(0, 10**6))
    def read_back(self, handle: Handle, pick: int) -> None:
        """A statement is found by index, id, leaf hash, stream, session, type and parents."""
        if handle not in self.open:
            return
        log, index = handle.log, pick % len(self.items)
        item = self.items[index]
        last = log[index - len(self.items)]
        for entry in (log[index], last, log.by_id(item.id), log.by_leaf_hash(item.leaf)):
            assert (entry.index, entry.id, entry.leaf_hash) == (index, item.id, item.leaf)
        in_stream = [i for i, one in enumerate(self.items) if one.stream == item.stream]
        assert [entry.index for entry in log.stream(item.stream)] == in_stream
        alike = [i for i, one in enumerate(self.items) if one.type == item.type]
        assert [entry.index for entry in log.find(type=item.type)] == alike
        if item.session is not None:
            alike = [i for i in alike if self.items[i].session == item.session]
            listed = log.find(type=item.type, session=item.session)
            assert [entry.index for entry in listed] == alike
        assert [entry.id for entry in log.parents(item.id)] == item.parents
        children = [one.id for one in self.items if item.id in one.parents]
        assert [entry.id for entry in log.children(item.id)] == children
        for ref in item.refs:
            held = self.contents[ref.blake3]
            if held is None:
                with pytest.raises(ContentError) as refused:
                    log.content(ref)
                assert refused.value.code == "content_erased"
            else:
                assert log.archived(ref)[-len(held) :] == held
            naming = [i for i, one in enumerate(self.items) if ref in one.refs]
            assert [entry.index for entry in log.find(content=ref)] == naming

    @rule(pick=st.integers(0, 10**6), other=st.integers(0, 10**6))
    def prove(self, pick: int, other: int) -> None:
        """Proofs that the ledger makes hold for the verifier, at any earlier size too."""
        leaves = [item.leaf for item in self.items]
        size = pick % len(leaves) + 1
        index = other % size
        root = auditor.pack_root(b"".join(leaves[:size]))
        assert self.reader.root_at(size) == root
        proof = self.reader.prove_inclusion(index, size)
        auditor.verify_inclusion(leaves[index], index, size, proof, root)
        whole = auditor.pack_root(b"".join(leaves))
        proof = self.reader.prove_consistency(size)
        auditor.verify_consistency(size, len(leaves), proof, root, whole)

    # Exporting

    @rule(
        selection=st.sampled_from(["ledger", "session", "range"]),
        withheld=st.booleans(),
        zipped=st.booleans(),
        picks=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
        session=st.sampled_from(["s1", "s2"]),
    )
    def package(
        self, selection: str, withheld: bool, zipped: bool, picks: tuple[int, int], session: str
    ) -> None:
        """A package of anything is what the list expects of it, to the auditor."""
        size = len(self.items)
        arguments: dict[str, Any] = {
            "contents": "withheld" if withheld else "included",
            "zip": zipped,
        }
        chosen = list(range(size))
        if selection == "session":
            arguments["session"] = session
            chosen = [i for i in chosen if self.items[i].session == session]
        elif selection == "range":
            start, end = sorted((picks[0] % size, picks[1] % size))
            arguments |= {"start": start, "end": end + 1}
            chosen = list(range(start, end + 1))
        refs = [ref.blake3 for i in chosen for ref in self.items[i].refs]
        gone = {b3 for b3 in refs if self.contents[b3] is None}
        told = self.accounted(chosen, "part")
        target = self.folder / f"package-{next(self.numbers)}"
        with self.world.open() as log:
            if not chosen or (not withheld and selection != "ledger" and gone - told):
                before = log.head_note()
                with pytest.raises(ExportError) as refused:
                    export(log, target, **arguments)
                assert refused.value.code == ("export_failed" if chosen else "export_empty")
                assert log.head_note() == before
                assert not target.exists()
                return
            made = export(log, target, **arguments)
        self.learn(size)
        assert self.items[-1].type == "export"
        report = audit(target, self.world, head=made.known_head)
        text = report.to_text()
        assert found(report) == set(), text
        limits = {code for code, _ in found(report, "limit")}
        partial = {"partial_ledger", "stream_partial"} if selection == "range" else set()
        unexplained = set(refs) - (gone & self.accounted(chosen, selection))
        expected = {"content_withheld"} if withheld and unexplained else set()
        assert limits - {"stream_partial"} == (expected | partial) - {"stream_partial"}, text
        assert "stream_partial" not in limits or selection == "range", text
        assert report.exit_code == (3 if limits else 0), text
        self.count(report, selection, chosen, size, refs)
        if zipped:
            target.unlink()
        else:
            shutil.rmtree(target)

    def accounted(self, chosen: list[int], selection: str) -> set[bytes]:
        """The contents whose erasure is told in the package."""
        held = range(len(self.items)) if selection == "ledger" else chosen
        told = [self.items[i] for i in held if self.items[i].type == "erasure"]
        return {ref.blake3 for item in told for ref in item.refs}

    def count(
        self, report: Any, selection: str, chosen: list[int], size: int, refs: list[bytes]
    ) -> None:
        held = set(chosen) | {size} | {i for i in range(size) if self.items[i].stream == "keys"}
        counts = report.counts
        assert counts["statements"] == len(held)
        assert counts["streams"] == len({self.items[i].stream for i in held})
        assert counts["witnesses"] == sum(self.items[i].type == "witness" for i in held)
        assert counts["content_references"] == len(refs)
        assert counts["keys"] == self.key_count
        if selection == "ledger":
            assert counts["parents"] == sum(len(item.parents) for item in self.items)

    # Always

    @invariant()
    def head_and_list_agree(self) -> None:
        """Size and root of the newest head are those of the list."""
        if not hasattr(self, "items"):
            return
        head = self.reader.head()
        leaves = b"".join(item.leaf for item in self.items)
        assert (head.origin, head.size) == (ORIGIN, len(self.items))
        assert head.root == auditor.pack_root(leaves)

    def teardown(self) -> None:
        """The doctor finds nothing in what is left."""
        if not hasattr(self, "items"):
            return
        self.restart()
        self.reader.close()
        assert [str(problem) for problem in examine(self.world.path)] == []
        shutil.rmtree(self.folder)


TestAgreement = Agreement.TestCase
TestAgreement.settings = settings(
    max_examples=20,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

"""Cases of specs/07: whole packages, as the ledger exports them and as nobody should accept them.

The attacks are those of specs/threat-model.md. Whoever makes one repairs all hashes that can be
repaired without the keys that the attacker lacks; what is left for a verifier to find is the code.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import ledger.log
from ledger.drafts import Archived, Draft
from ledger.export import export
from ledger.formats import cbor, cose, merkle
from ledger.formats.proof_file import write_consistency
from tools.vectors import lab
from tools.vectors.bagged import PAGES, Files, Log, archive, bag, sealed, whole, zipped
from tools.vectors.bagged import package_case as _case
from tools.vectors.case import Case

_PROMPT, _ANSWER, _WHY = "What is 6 times 7?", "42", "equal"
_RUN, _SCORES, _SESSION = "run-1/main", "scores", "run-1"
_STRANGER = lab.signer(9, lab.PRODUCER.name, "producer")
_TEXTS = (_PROMPT, _ANSWER, _WHY)


def cases() -> Iterator[Case]:
    """Yield the cases of kind package."""
    yield from _exported()
    yield from _limited()
    yield from _altered()
    yield from _recorded()
    yield from _forged()
    yield from _anchored()
    yield from _parts()
    yield from _zips()


def _exported() -> Iterator[Case]:
    """Packages as `ledger.export` makes them, with fixed keys, clock and randomness."""
    ticks, draws = count(), count()

    def clock() -> int:
        return lab.EPOCH_US + next(ticks) * 1_001_001

    def random(size: int) -> bytes:
        return sha256(b"vif package vectors" + next(draws).to_bytes(8)).digest()[:size]

    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        keys: dict[str, Any] = {"keys": here / "keys", "log_key": lab.LOG, "producer": lab.PRODUCER}
        fixed: dict[str, Any] = {"clock": clock, "random": random}
        made = ledger.log.init(
            here / "lab.vif", origin=lab.ORIGIN, authority=lab.AUTHORITY, **keys, **fixed
        )
        genesis = made.genesis.hex()
        with (
            ledger.log.open(made.path, session=_SESSION, stream=_RUN, **keys, **fixed) as log,
            ledger.log.open(made.path, stream=_SCORES, **keys, **fixed) as scores,
        ):
            refs = [log.archive(text.encode(), "text/plain") for text in _TEXTS]
            first, second = log.append_many([_draft(refs[0], refs[1]), _draft(refs[0], refs[2])])
            scores.append("annotation", {"kind": "score", "value": True}, parents=[first, second])
            log.erase(refs[2].ref, "asked for")
            earlier = log.head().size
            whole = export(log, here / "whole")
            yield _case("ledger", "a whole ledger: two streams, a score, an erasure",
                        _read(whole.path), whole.known_head, genesis=genesis)  # fmt: skip
            part = export(log, here / "part", session=_SESSION, consistency_from=[earlier])
            yield _case("session", "a session with proofs, and a consistency file",
                        _read(part.path), part.known_head, genesis=genesis)  # fmt: skip
            bare = export(log, here / "bare", unsigned=True)
            yield _case("unsigned", "a whole ledger without an export statement for it",
                        _read(bare.path), bare.known_head, genesis=genesis,
                        exit_code=3, codes=("export_unsigned",))  # fmt: skip


def _draft(prompt: Archived, output: Archived) -> Draft:
    body = lab.full_witness_body()
    del body["tools"], body["raw"], body["temporal"]
    body["replay"] = {"replay_seed": -7, "temperature": 0.0}
    body["capture"] = {"vantage": "transport"}
    body["data"] = {"prompt_hash": prompt.ref.to_cbor(), "prompt_tokens": 14}
    body["output"]["output_hash"] = output.ref.to_cbor()
    return Draft("witness", body, contents=[prompt, output])


def _read(folder: Path) -> Files:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _story(length: int = 4) -> Log:
    """Genesis, three witnesses of a session and an annotation; or fewer of them."""
    log = Log()
    for number in range(min(length, 3)):
        parents = [log.parent(1)] if number == 1 else ()
        log.say("witness", lab.witness_body(), _RUN, session=_SESSION, parents=parents)
    if length > 3:
        body = {"kind": "score", "value": True, "explanation": lab.ref(_WHY)}
        log.say("annotation", body, _SCORES, parents=[log.parent(1)])
    return log


def _whole(log: Log, content: Files | None = None, **change: Any) -> Files:
    return whole(log, archive(*_TEXTS) if content is None else content, **change)


def _limited() -> Iterator[Case]:
    log = _story()
    yield _case("small", "the package that the attacks start from", _whole(log), log.known_head())
    yield _case("unpinned", "nothing is known from outside about the genesis", _whole(_story()),
                log.known_head(), exit_code=3, genesis=None, codes=("unpinned",))  # fmt: skip
    yield _case("unanchored", "no head is known from outside", _whole(_story()), None,
                exit_code=3, codes=("unanchored",))  # fmt: skip
    yield _case("anchored_in_part", "a head is known that covers only a beginning",
                _whole(_story()), log.known_head(3), exit_code=3,
                codes=("unanchored",))  # fmt: skip
    log = _story()
    yield _case("withheld", "contents are withheld", _whole(log, {}, contents="withheld"),
                log.known_head(), exit_code=3, codes=("content_withheld",))  # fmt: skip


def _altered() -> Iterator[Case]:
    """A finished package in the hands of somebody without any key."""
    log = _story()
    good, known = _whole(log), log.known_head()
    bundle = f"data/log/{merkle.entries_path(0, len(log.statements))}"

    def altered(path: str, change: Callable[[bytes], bytes]) -> Files:
        return good | {path: change(good[path])}

    def add(data: bytes) -> bytes:
        return data + b"<!-- -->\n"

    def flip(data: bytes) -> bytes:
        at = 2 + len(log.statements[0]) + 2 + 100  # within the first witness
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    yield _case("flipped", "a bit of a record is flipped", altered(bundle, flip), known,
                "file_mismatch")  # fmt: skip
    yield _case("flipped_listed", "a bit of a record is flipped, and the lists say so",
                bag(altered(bundle, flip)), known, "leaf_mismatch")  # fmt: skip
    yield _case("bundle_short", "the last byte of the last record is missing",
                bag(altered(bundle, lambda d: d[:-1])), known, "entries_invalid")  # fmt: skip
    yield _case("summary", "the summary is altered", altered("data/summary.html", add), known,
                "file_mismatch")  # fmt: skip
    page = altered("data/summary.html", add)
    yield _case("summary_listed", "the summary is altered, and manifests and seal say so",
                bag(sealed(page) | log.tiles()), known, "seal_mismatch")  # fmt: skip
    yield _case("page_missing", "a listed file is missing", _without(good, "data/summary.html"),
                known, "file_missing")  # fmt: skip
    yield _case("page_extra", "a file is in no list", good | {"data/more.html": b""}, known,
                "file_unexpected")  # fmt: skip
    yield _case("page_extra_listed", "a file that no page of specs allows is listed",
                bag(good | {"data/more.html": b""}), known, "file_unexpected")  # fmt: skip
    yield _case("name", "a name with a space", bag(good | {"data/a b": b""}), known,
                "name_invalid")  # fmt: skip
    yield _case("bagit", "another version of BagIt",
                altered("bagit.txt", lambda d: d.replace(b"1.0", b"0.9")), known,
                "package_invalid")  # fmt: skip
    yield _case("manifest_order", "the manifest is not in order",
                altered("manifest-sha256.txt", _last_first), known, "package_invalid")  # fmt: skip
    yield _case("no_bagit", "a folder without bagit.txt", _without(good, "bagit.txt"), known,
                "not_a_package", exit_code=2)  # fmt: skip
    tile = f"data/log/{merkle.tile_path(0, 0, len(log.statements))}"
    yield _case("tile_missing", "the tile is gone, from the lists too", bag(_without(good, tile)),
                known, "file_missing")  # fmt: skip
    other = Log(log_key=lab.signer(8, lab.ORIGIN, "log"))
    other.statements = log.statements
    head = {"data/log/checkpoint": other.checkpoint()}
    yield _case("head_forged", "the head is signed with another key", bag(good | head), known,
                "checkpoint_signature")  # fmt: skip


def _recorded() -> Iterator[Case]:
    """The producer records what breaks a rule, and exports it as it should be."""
    band = lab.full_witness_body()
    band["uncertainty"]["confidence_band"] = "A"
    gate = lab.full_witness_body()
    gate["meta"]["kappa_gate_passed"] = False
    total = lab.full_witness_body()
    total["output"]["total_tokens"] = 17
    for name, body in (("band", band), ("gate", gate), ("total", total)):
        log = Log()
        log.say("witness", _without_contents(body), _RUN)
        files = _whole(log, archive(_PROMPT, _ANSWER))
        yield _case(name, f"a {name} that does not follow", files, log.known_head(),
                    f"{name}_mismatch")  # fmt: skip

    note = {"kind": "note", "value": "well done"}
    for name, told, change in (
        ("missing", "a parent that is nowhere", {"leaf_hash": bytes(32)}),
        ("mismatch", "a parent under another id", {"id": lab.moment(2)[0]}),
    ):
        log = _story(3)
        log.say("annotation", note, _SCORES, parents=[log.parent(1) | change])
        yield _case(f"parent_{name}", told, _whole(log, archive(_PROMPT, _ANSWER)),
                    log.known_head(), f"parent_{name}")  # fmt: skip
    log = _story(1)
    log.say("annotation", note, _SCORES, parents=[log.parent(1)])
    log.statements[1:3] = log.statements[2:0:-1]
    yield _case("parent_later", "the log moves a parent behind its child",
                _whole(log, archive(_PROMPT, _ANSWER)), log.known_head(),
                "parent_later")  # fmt: skip

    log = _story()
    yield _case("content_missing", "contents are said to be included and are not",
                _whole(log, archive(_PROMPT, _WHY)), log.known_head(),
                "content_missing")  # fmt: skip
    log = _story()
    yield _case("content_stray", "a content that no statement names",
                _whole(log, archive(*_TEXTS, "43")), log.known_head(),
                "file_unexpected")  # fmt: skip
    log = _story()
    (path,) = archive(_ANSWER)
    yield _case("content_swapped", "a content is another one, in a package without a seal",
                bag(PAGES | archive(*_TEXTS) | {path: b"43"} | log.tiles()), log.known_head(),
                "content_mismatch")  # fmt: skip
    log = _story()
    yield _case("count", "the export counts a statement too many", _whole(log, statements=6),
                log.known_head(), "export_invalid")  # fmt: skip
    log = _story()
    files = sealed(PAGES | archive(*_TEXTS))
    log.export(files)
    log.say("witness", lab.witness_body(), "late")
    yield _case("late", "a record after the export statement", bag(files | log.tiles()),
                log.known_head(), "seal_mismatch")  # fmt: skip


def _without_contents(body: dict[str, Any]) -> dict[str, Any]:
    """Leave prompt and output as the only contents."""
    others = ("prompt_template", "prompt_variables", "context_snapshot")
    data = {key: value for key, value in body["data"].items() if key not in others}
    replay = {k: v for k, v in body["replay"].items() if k not in ("environment", "observation")}
    left = {k: v for k, v in body.items() if k not in ("tools", "raw")}
    return left | {"data": data, "replay": replay}


def _forged() -> Iterator[Case]:
    """A thief with the log key rewrites the log; tiles and head are as they have to be."""

    def case(name: str, told: str, log: Log, code: str) -> Case:
        return _case(name, told, _whole(log), log.known_head(), code)

    log = _story()
    del log.statements[2]
    yield case("deleted", "a record in the middle of a stream is taken out", log, "stream_gap")
    log = _story()
    log.statements[2], log.statements[3] = log.statements[3], log.statements[2]
    yield case("reordered", "two records of a stream are exchanged", log, "stream_gap")
    log = _story()
    statement = log.statements[3]
    log.statements[3] = statement[:-1] + bytes([statement[-1] ^ 1])
    yield case("signature", "a bit of a signature is flipped", log, "signature_invalid")
    log = _story()
    payload = cose.parse(log.statements[3]).payload
    log.statements[3] = lab.sign(payload, _STRANGER, _RUN)
    yield case("resigned", "a record is signed again with an unknown key", log, "key_unknown")
    log = _story()
    value = cbor.decode(cose.parse(log.statements[3]).payload)
    value["stream"]["prev"] = bytes(32)
    log.statements[3] = lab.sign(cbor.encode(value), lab.PRODUCER, _RUN)
    yield case("unchained", "a record does not name the one before it", log, "stream_prev")
    log = _story()
    log.say("witness", lab.witness_body(), "elsewhere", genesis=sha256(b"another").digest())
    yield case("spliced", "a stream of another ledger with the same producer", log, "stream_ledger")
    log = _story()
    value = cbor.decode(cose.parse(log.statements[3]).payload)
    value["id"], value["created_at"] = lab.moment(2)
    log.statements[3] = lab.sign(cbor.encode(value), lab.PRODUCER, _RUN)
    yield case("id_twice", "two records have one id", log, "id_duplicate")


def _anchored() -> Iterator[Case]:
    """The producer has all keys; what is known from outside finds it out."""
    log = _story()
    files = _whole(log)
    log.say("witness", lab.witness_body(), "more")
    yield _case("behind", "an old package is handed over as the newest", files, log.known_head(),
                "head_behind")  # fmt: skip
    published = _story()
    _whole(published)
    log = _story(2)
    log.say("witness", lab.witness_body() | {"operation": "embeddings"}, _RUN, session=_SESSION)
    log.say("annotation", {"kind": "note", "explanation": lab.ref(_WHY)}, _SCORES,
            parents=[log.parent(1)])  # fmt: skip
    yield _case("rewritten", "history is rewritten after its head was published", _whole(log),
                published.known_head(), "head_conflict")  # fmt: skip
    value = lab.GENESIS.body | {"salted": True}
    forged = lab.payload_map(lab.GENESIS) | {"body": value}
    genesis = lab.sign(cbor.encode(forged), lab.AUTHORITY, "keys")
    log = Log(genesis)
    log.say("stream_close", {"statements": 1}, "empty")
    yield _case("genesis", "another ledger of the same name", _whole(log, {}), log.known_head(),
                "genesis_mismatch")  # fmt: skip


def _parts() -> Iterator[Case]:
    """A session, with records left out or proofs that lead elsewhere."""

    copies = {f"data/session/analysis_results/{n:08}.txt": _ANSWER.encode() for n in (1, 2, 3)}

    def part(leave_out: int | None = None) -> tuple[Log, Files]:
        log = _story()
        files = sealed(PAGES | archive(_PROMPT, _ANSWER) | copies)
        log.export_session(files, _SESSION, {"keys": 1, _RUN: 3})
        return log, files | log.proved({0, 1, 2, 3, 5} - {leave_out})

    log, files = part()
    yield _case("part", "a session by hand", bag(files), log.known_head())
    log, files = part(leave_out=3)
    yield _case("part_incomplete", "the last record of a session is left out", bag(files),
                log.known_head(), "stream_incomplete")  # fmt: skip
    log, files = part()
    records = files["data/log/proved/000"]
    proof = {"data/log/proved/000": records[:-1] + bytes([records[-1] ^ 1])}
    yield _case("part_proof", "a proof that does not lead to the root", bag(files | proof),
                log.known_head(), "inclusion_invalid")  # fmt: skip
    log, files = part()
    wrong = write_consistency(3, [bytes(32)] * 3, log.checkpoint())
    yield _case("part_consistency", "a consistency proof that proves nothing",
                bag(files | {"data/log/consistency/3.txt": wrong}), log.known_head(3),
                "consistency_invalid")  # fmt: skip


def _zips() -> Iterator[Case]:
    """The same in a zip, and what only a zip can be."""
    log = _story()
    members = [(f"runs/{path}", data) for path, data in sorted(_whole(log).items())]
    known = log.known_head()

    def case(name: str, told: str, data: bytes, *rest: Any, **more: Any) -> Case:
        return _case(f"zip_{name}", told, {"package.zip": data}, known, *rest, **more)

    yield case("good", "a package as a zip", zipped(members))
    folders = [("runs/", b""), ("runs/data/", b""), *members]
    yield case("folders", "explicit folder entries", zipped(folders))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twice = zipped([*members, members[-1]])
    yield case("twice", "one name twice", twice, "zip_bounds")
    yield case("outside", "a name that leads out", zipped([*members, ("runs/../x", b"")]),
               "name_invalid")  # fmt: skip
    # only in a zip: not every file system that the vectors are checked out on could hold both
    twin = ("runs/data/Summary.html", b"")
    yield case("case", "two names that differ by case alone", zipped([*members, twin]),
               "name_invalid")  # fmt: skip
    yield case("two_tops", "members beside the top folder", zipped([*members, ("other/x", b"")]),
               "name_invalid")  # fmt: skip
    link = "runs/data/link"
    yield case("link", "a symbolic link", zipped([*members, (link, b"/etc/passwd")], {link}),
               "link_refused")  # fmt: skip
    yield case("broken", "not a zip", b"PK\x03\x04 and nothing more", "zip_invalid", exit_code=2)


def _without(files: Files, path: str) -> Files:
    return {name: data for name, data in files.items() if name != path}


def _last_first(lines: bytes) -> bytes:
    rows = lines.splitlines(keepends=True)
    return b"".join([rows[-1], *rows[:-1]])

"""Cases of specs/11: packages with the files that follow from the log, and with one defect each.

Whoever made a package that is refused has all keys: manifests, seal and export statement agree
with the files. Only deriving them again tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ledger.formats import content
from tools.vectors.bagged import PAGES, Files, bag, package_case, sealed, whole
from tools.vectors.case import Case
from tools.vectors.folder_stories import (
    BELOW,
    FAULTS,
    NEWER,
    OLDER,
    PROJECT,
    Told,
    chronolog,
    full,
    small,
)
from tools.vectors.telling import ANSWER, LABEL, chronologs

_NOTES = ("call_repeated", "outcome_unknown")
_PLAN = BELOW + "experiment_snapshot.md"
_SAID = BELOW + "analysis_results/00000005.txt"
_SENT = BELOW + "llm_archive/00000003.request.json"
_CAME = BELOW + "llm_archive/00000003.response.json.gz"
_KEPT = BELOW + "system_state/00000006.json"

Lie = Callable[[Files], Any]


def cases() -> Iterator[Case]:
    """Yield the cases of kind package about the session folder."""
    yield from _good()
    yield from _lied()
    yield from _unexpected()
    yield from _projects()


def _part(told: Told, files: Files, contents: str = "included", others: int = 0) -> Files:
    """Return the signed package of the session; `others` are statements after it (an erasure)."""
    log = told.t.log
    end = len(log.statements)
    covered = sealed(PAGES | files)
    log.export_session(covered, LABEL, {"keys": 1, LABEL: end - 1 - others}, contents=contents)
    return bag(covered | log.proved(range(end + 1)))


def _case(
    name: str,
    description: str,
    told: Told,
    files: Files,
    expect: str = "ok",
    *,
    codes: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> Case:
    code = 1 if expect != "ok" else 3 if codes else 0
    return package_case(f"folder_{name}", description, files, told.t.log.known_head(), expect,
                        exit_code=code, genesis=told.t.genesis, codes=codes,
                        notes=notes if expect == "ok" else None)  # fmt: skip


def _put(path: str, data: bytes) -> Lie:
    return lambda files: files.update({path: data})


def _drop(path: str) -> Lie:
    return lambda files: files.pop(path)


def _move(path: str, to: str) -> Lie:
    return lambda files: files.update({to: files.pop(path)})


def _swap(one: str, other: str) -> Lie:
    return lambda files: files.update({one: files[other], other: files[one]})


def _change(path: str, old: bytes, new: bytes) -> Lie:
    return lambda files: files.update({path: files[path].replace(old, new, 1)})


def _good() -> Iterator[Case]:
    told = full()
    files = _part(told, told.t.archived() | told.copies | told.lists)
    yield _case("session", "a session with every kind of file", told, files, notes=_NOTES)
    told = full(salted=True)
    files = _part(told, told.t.archived() | told.copies | told.lists)
    yield _case("salted", "the same in a salted ledger: copies have no salt", told, files,
                notes=_NOTES)  # fmt: skip
    told = full()
    yield _case("withheld", "contents are withheld: lists, and no copies", told,
                _part(told, told.lists, "withheld"), codes=("content_withheld",),
                notes=_NOTES)  # fmt: skip
    told, files = _erased()
    yield _case("erased", "a content is erased: it has no copy", told, _part(told, files, others=1),
                notes=("content_erased",))  # fmt: skip
    told = small()
    files = bag(PAGES | told.t.archived() | told.lists | {_PLAN: b""} | _proved(told))
    yield _case("unsigned", "without an export statement, nothing of the folder is checked", told,
                files, codes=("export_unsigned", "partial_ledger"))  # fmt: skip


def _proved(told: Told) -> Files:
    return told.t.log.proved(range(len(told.t.log.statements)))


def _erased() -> tuple[Told, Files]:
    """Return a session whose output was erased, and the files of its package."""
    told = small()
    t = told.t
    gone = t.ref(b"42", "text/plain")
    t.tell("erasure", {"content": gone, "reason": "asked for"}, session=None)
    name = gone["blake3"].hex()
    files = t.archived() | told.copies | told.lists
    del files[f"data/content/{name[:2]}/{name}"], files[_SAID]
    return told, files


def _lies() -> Iterator[tuple[str, str, str, Lie]]:
    """Yield name, description, code and what was done to the files of a session."""
    code, two = "derived_mismatch", chronolog(2)
    yield "copy_altered", "the copy of an output is another one", code, _put(_SAID, b"43")
    told = "a response is there without its content encoding"
    yield "copy_decoded", told, code, _put(_CAME, ANSWER)
    told = "what an older run froze is passed off as the newest"
    yield "copy_older", told, code, _put(_PLAN, OLDER)
    told = "a request and a state have changed places"
    yield "copies_swapped", told, code, _swap(_SENT, _KEPT)
    told = "a call is said to have taken less time"
    yield "list_altered", told, code, _change(two, b"412.25", b"12.25")
    told = "a list has a space that RFC 8785 does not want"
    yield "list_form", told, code, _change(two, b'":', b'": ')
    told = "the last line of a list has no newline"
    yield "list_end", told, code, _change(FAULTS, b"}\n", b"}")
    told = "the list of the project says that an answer less was given"
    yield "list_project", told, code, _change(PROJECT, b'"answered":1', b'"answered":0')

    code = "file_missing"
    yield "copy_missing", "there is no copy of a request", code, _drop(_SENT)
    told = "a response is there under a name without .gz"
    yield "copy_renamed", told, code, _move(_CAME, _CAME.removesuffix(".gz"))
    yield "list_missing", "there is no list of faults", code, _drop(FAULTS)

    code = "file_unexpected"
    yield "extra", "an output that no statement has", code, _put(_SAID.replace("5", "4"), b"42")
    told = "a file of a name that the page does not have"
    yield "extra_name", told, code, _put(BELOW + "notes.txt", b"all well\n")


def _lied() -> Iterator[Case]:
    for name, description, expect, lie in _lies():
        told = small()
        files = told.t.archived() | told.copies | told.lists
        lie(files)
        yield _case(name, description, told, _part(told, files), expect)
    told = small(salted=True)
    files = told.t.archived() | told.copies | told.lists
    plan = content.from_cbor(told.t.ref(NEWER, "text/markdown")).blake3.hex()
    files[_PLAN] = files[f"data/content/{plan[:2]}/{plan}"]
    yield _case("copy_salt", "a copy begins with the salt", told, _part(told, files),
                "derived_mismatch")  # fmt: skip


def _unexpected() -> Iterator[Case]:
    """Files that would be right in another package."""
    code = "file_unexpected"
    told = small()
    files = _part(told, told.lists | {_PLAN: NEWER}, "withheld")
    yield _case("extra_withheld", "contents are withheld, and a copy is there", told, files, code)
    told, files = _erased()
    files = _part(told, files | {_SAID: b"42"}, others=1)
    yield _case("extra_erased", "a content is erased, and a copy is there", told, files, code)
    told = small()
    log = told.t.log
    end = len(log.statements)
    covered = sealed(PAGES | told.t.archived() | {PROJECT: told.lists[PROJECT]})
    streams = [{"id": "keys", "statements": 1}, {"id": LABEL, "statements": end - 1}]
    log.export(covered, selection={"kind": "range", "start": 0, "end": end}, streams=streams)
    yield _case("extra_range", "a range has a list of a project", told,
                bag(covered | _proved(told)), code)  # fmt: skip


def _projects() -> Iterator[Case]:
    """Packages of whole ledgers have lists of projects, and no folder."""

    def case(name: str, description: str, expect: str = "ok", lie: Lie | None = None) -> Case:
        told = small()
        t = told.t
        t.close(t.open(session="MVA/experiment_3", stream="three"), session="MVA/experiment_3",
                stream="three")  # fmt: skip
        t.open(session="a@b:c", stream="four")
        files = t.archived() | chronologs(t.log)
        if lie is not None:
            lie(files)
        return _case(f"ledger{name}", description, told, whole(t.log, files), expect)

    yield case("", "two projects; two labels that differ by case alone share a list")
    yield case("_list_altered", "an answer less is said to have been given", "derived_mismatch",
               _change(PROJECT, b'"answered":1', b'"answered":0'))  # fmt: skip
    yield case("_list_missing", "a project has no list", "file_missing",
               _drop("data/PROJECT_CHRONOLOG_a-b-c.jsonl"))  # fmt: skip
    yield case("_list_case", "the name of a list is not in lower case", "file_missing",
               _move(PROJECT, "data/PROJECT_CHRONOLOG_MVA.jsonl"))  # fmt: skip
    yield case("_folder", "a whole ledger has a file of a session folder", "file_unexpected",
               _put(_PLAN, NEWER))  # fmt: skip
    told = small()
    bare = told.t.archived() | {PROJECT: b"{}\n"}
    yield _case("ledger_unsigned", "without an export statement, no list is checked", told,
                bag(PAGES | bare | told.t.log.tiles()), codes=("export_unsigned",))  # fmt: skip

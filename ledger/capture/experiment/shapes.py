"""What is recognised in an experiment folder, and what it becomes.

| file | shape | taken as |
|---|---|---|
| `*.json` below `conversations/`, `responses/` | object, array of objects, or `CONTAINERS` | talk |
| `*.jsonl`, `*.ndjson` there | an object a line | talk |
| `*.jsonl`, `*.ndjson`, `*.json` below `logs/` | as above | log |
| `state_*.json`, `checkpoint_*.json`, `savepoint_*.json` below `results/` | JSON | state |
| everything else, such as `experiment.md`, framework files, tables | | not recognised |

| object | statement |
|---|---|
| a whole call (`ledger.capture.experiment.calls`) | witness; with `error` also annotation `error` |
| `role` or `type` of an answer (`ANSWERS`) and `content`, in a talk | witness, see below |
| `role` or `type` of `INPUTS` and `content`, in a talk | part of a prompt, or `message` |
| one of `EVENTS` or `TEXTS` | annotation `event` |
| a state | annotation `savepoint`, its content the file |
| anything else | not recognised |

`CONTAINERS` are the names of an array of objects within an object. In a talk an answer is a
witness: its prompt are the messages since the answer before, and it builds on that answer. Messages
that nothing answers, and answers to nothing, become annotations `message`.

What is not recognised is listed; its bytes are archived like those of every other file.
Folders count at any depth. An annotation holds the object as it was read, as canonical JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timezone
from pathlib import PurePosixPath
from typing import Any, BinaryIO, NamedTuple

from ledger.capture import fitting, strict_json
from ledger.capture.experiment.calls import call_fields, is_call, model_fields, occurred_at
from ledger.capture.importing import Skipped
from ledger.errors import ImportSourceError, LedgerError
from ledger.formats.values import is_prose

__all__ = ["Found", "Item", "Other", "kind_of", "recognise"]

PARSED_MAX_BYTES = 64 << 20
CONTAINERS = (
    "conversation",
    "messages",
    "turns",
    "exchanges",
    "interactions",
    "calls",
    "responses",
    "history",
    "events",
    "entries",
    "steps",
)
EVENTS = ("event", "event_type", "type", "action", "stage", "step", "level", "status", "name")
TEXTS = ("message", "msg", "text", "description")
_STATES = ("state_", "checkpoint_", "savepoint_")
ANSWERS = ("assistant", "model", "ai", "response", "llm_response", "completion", "model_response")
INPUTS = ("user", "human", "system", "developer", "tool", "function", "prompt", "llm_request")
_LINES = (".jsonl", ".ndjson")


class Other(NamedTuple):
    """Something that is not recognised."""

    place: str
    reason: str = "not recognised"


@dataclass(slots=True)
class Item:
    """Something recognised: a witness, or an annotation of a kind when `kind` is set."""

    place: str
    fields: dict[str, Any] = field(default_factory=dict)
    kind: str | None = None
    name: str | None = None
    value: str | None = None
    content: Any = None
    """What an annotation holds; None for the file itself."""
    after: bool = False
    """Whether a witness builds on the witness before it in the file."""
    error: str | None = None


def kind_of(path: str) -> str | None:
    """Return how a file is taken, by its path: `talk`, `log`, `state` or not at all."""
    pure = PurePosixPath(path.lower())
    folders, suffix = set(pure.parts[:-1]), pure.suffix
    if "results" in folders and suffix == ".json" and pure.name.startswith(_STATES):
        return "state"
    if suffix in _LINES and folders & {"conversations", "responses", "logs"}:
        return "talk" if "logs" not in folders else "log"
    if suffix == ".json" and folders & {"conversations", "responses"}:
        return "talk"
    return "log" if suffix == ".json" and "logs" in folders else None


def recognise(path: str, file: BinaryIO, offset: timezone | None = None) -> Iterator[Found]:
    """Yield what a file holds that becomes a statement, and what does not and why.

    Raises `ImportSourceError` `source_unreadable` for a file that is not what its name says.
    """
    kind = kind_of(path)
    file.seek(0)
    if kind == "state":
        yield _state(path, file)
    elif kind is not None and path.lower().endswith(_LINES):
        yield from _Reader(kind, offset, {}).read(_lines(file))
    elif kind is not None:
        document = _document(file)
        defaults = document if isinstance(document, dict) else {}
        yield from _Reader(kind, offset, defaults).read(_objects(document))


def _document(file: BinaryIO) -> Any:
    data = file.read(PARSED_MAX_BYTES + 1)
    if len(data) > PARSED_MAX_BYTES:
        raise ImportSourceError("source_unreadable", f"more than {PARSED_MAX_BYTES} bytes of JSON")
    return strict_json.parse(data.removeprefix(strict_json.BYTE_ORDER_MARK))


def _state(path: str, file: BinaryIO) -> Item:
    state = fitting.as_map(_document(file))
    stage = next((state[key] for key in ("stage", "step", "phase") if state.get(key)), None)
    name = fitting.name(stage) or fitting.name(PurePosixPath(path).stem)
    return Item("document", kind="savepoint", name=name)


def _lines(file: BinaryIO) -> Iterator[tuple[str, Any]]:
    for number, line in strict_json.lines(file):
        try:
            yield f"line {number}", strict_json.parse(line)
        except ImportSourceError as error:
            yield f"line {number}", error


def _objects(document: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(document, dict) and not is_call(document):
        for name in CONTAINERS:
            inside = document.get(name)
            if isinstance(inside, list) and all(isinstance(item, dict) for item in inside):
                yield from ((f"{name} {number}", item) for number, item in enumerate(inside, 1))
                return
    if isinstance(document, list):
        yield from ((f"item {number}", item) for number, item in enumerate(document, 1))
    else:
        yield "document", document


Found = Item | Other | Skipped


class _Reader:
    """Goes through the objects of one file; in a talk, messages wait for their answer."""

    def __init__(self, kind: str, offset: timezone | None, defaults: dict[str, Any]) -> None:
        self._offset = offset
        self._is_talk = kind == "talk"
        self._defaults: dict[str, Any] = {
            key: defaults[key] for key in ("model", "model_name", "provider") if key in defaults
        }
        self._waiting: list[tuple[str, dict[str, Any]]] = []
        self._answered = False

    def read(self, objects: Iterator[tuple[str, Any]]) -> Iterator[Found]:
        for place, value in objects:
            if isinstance(value, ImportSourceError):
                yield Skipped(place, value.message)
            elif not isinstance(value, dict):
                yield Other(place, "not recognised: no object")
            else:
                try:
                    yield from self._object(place, value)
                except (LedgerError, RecursionError) as error:
                    message = error.message if isinstance(error, LedgerError) else str(error)
                    yield Skipped(place, message)
        for place, unanswered in self._waiting:
            yield _annotation(place, "message", unanswered)

    def _object(self, place: str, value: dict[str, Any]) -> Iterator[Found]:
        whole: dict[str, Any] = {**self._defaults, **value}
        if is_call(value):
            item = Item(place, call_fields(whole, self._offset), error=_error(value))
            if item.error:
                item.fields.pop("output", None)
            yield item
            return
        role = self._role(value)
        if role == "input":
            self._waiting.append((place, value))
        elif role == "answer" and self._waiting:
            fields = model_fields(whole)
            fields.setdefault("model", "unknown")
            fields["prompt"] = [message for _, message in self._waiting]
            fields["output"] = _text(value)
            fields["occurred_at"] = occurred_at(value, {}, self._offset)
            yield Item(place, fields, after=self._answered)
            self._waiting, self._answered = [], True
        elif role == "answer":
            yield _annotation(place, "message", value)
        elif any(isinstance(value.get(key), str) for key in (*EVENTS, *TEXTS)):
            yield _annotation(place, "event", value)
        else:
            yield Other(place)

    def _role(self, value: dict[str, Any]) -> str | None:
        role = value.get("role", value.get("type"))
        if not self._is_talk or not isinstance(role, str) or _text(value) is None:
            return None
        if role.lower() in ANSWERS:
            return "answer"
        return "input" if role.lower() in INPUTS else None


def _text(value: dict[str, Any]) -> Any:
    found = next((value[key] for key in ("content", "text", "response") if value.get(key)), None)
    return found if isinstance(found, str | list | dict) else None


def _error(value: dict[str, Any]) -> str | None:
    error = value.get("error")
    if not error and isinstance(value.get("response"), dict) and "choices" not in value["response"]:
        error = value["response"].get("error")
    if isinstance(error, dict):
        error = error.get("message") or error.get("type") or "error"
    return error if isinstance(error, str) and error else None


def _annotation(place: str, kind: str, value: dict[str, Any]) -> Item:
    name = next((one for key in EVENTS if (one := fitting.name(value.get(key)))), None)
    said = next((one for key in TEXTS if isinstance(one := value.get(key), str)), None)
    return Item(
        place,
        kind=kind,
        name=fitting.name(value.get("role")) if kind == "message" else name,
        value=said if said and is_prose(said) else None,
        content=value,
    )

"""An import that was killed between two of its commits is completed by the next one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.capture import importing
from ledger.capture.inspect_log import import_inspect
from ledger.capture.jsonl import import_jsonl
from ledger.capture.otlp.importer import import_otlp
from ledger.capture.vcr.importer import import_vcr
from ledger.log import Ledger
from tests.capture.conftest import Writer
from tests.capture.foreign import cassette, export, interaction, span
from tests.capture.inspect_parts import model_event, sample

NUMBERS = range(1, 14)


def jsonl(folder: Path, eval_log: Writer) -> Path:
    lines = [{"model": "m", "prompt": f"{number} + 2?", "output": "x"} for number in NUMBERS]
    path = folder / "calls.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def inspect(folder: Path, eval_log: Writer) -> Path:
    return eval_log(
        *(sample(model_event(f"event-{number}"), id=number, epoch=1) for number in NUMBERS)
    )


def otlp(folder: Path, eval_log: Writer) -> Path:
    path = folder / "traces.jsonl"
    spans = [*(span(number, 99) for number in NUMBERS), span(99)]
    path.write_text("".join(json.dumps(export(one)) + "\n" for one in spans))
    return path


def vcr(folder: Path, eval_log: Writer) -> Path:
    asked = [json.dumps({"model": "m", "messages": [number]}) for number in NUMBERS]
    return cassette(folder / "c.yaml", *(interaction(request__body=one) for one in asked))


IMPORTERS: list[tuple[Callable[..., Any], Callable[[Path, Writer], Path]]] = [
    (import_jsonl, jsonl),
    (import_inspect, inspect),
    (import_otlp, otlp),
    (import_vcr, vcr),
]


def statements(log: Ledger) -> list[tuple[str, Any]]:
    """What stands in the log without what differs from salt to salt."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items() if k not in ("sha256", "blake3")}
        return [plain(one) for one in value] if isinstance(value, list) else value

    return [
        (entry.payload.type, plain(entry.payload.body))
        for entry in log
        if entry.payload.type in ("witness", "annotation", "import")
    ]


@pytest.mark.parametrize("dies_at", [2, 3, 4])
@pytest.mark.parametrize(("importer", "make"), IMPORTERS, ids=["jsonl", "inspect", "otlp", "vcr"])
def test_the_next_import_goes_on(
    log: Ledger,
    tmp_path: Path,
    eval_log: Writer,
    monkeypatch: pytest.MonkeyPatch,
    importer: Callable[..., Any],
    make: Callable[[Path, Writer], Path],
    dies_at: int,
) -> None:
    """No statement is missing or there twice, in a salted ledger too."""
    monkeypatch.setattr(importing, "BATCH_DRAFTS", 4)
    path = make(tmp_path, eval_log)
    commits, real = 0, Ledger.append_many

    def dying(self: Ledger, drafts: Any) -> Any:
        nonlocal commits
        commits += 1
        if commits == dies_at:
            raise KeyboardInterrupt
        return real(self, drafts)

    monkeypatch.setattr(Ledger, "append_many", dying)
    with pytest.raises(KeyboardInterrupt):
        importer(log, path)
    monkeypatch.setattr(Ledger, "append_many", real)
    written = len(statements(log))
    assert written == 4 * (dies_at - 1) or importer is import_inspect
    result = importer(log, path)
    assert result.resumed == written
    with log.open_stream(session="whole") as whole:
        importer(whole, path, again=True)
    both = statements(log)
    assert both[: len(both) // 2] == both[len(both) // 2 :]
    if importer is import_otlp:
        (agent, _) = (
            entry
            for entry in log.find(type="witness")
            if entry.payload.body["capture"]["source"]["event_id"].endswith("63")
        )
        assert len(agent.payload.parents) == len(NUMBERS)


def test_a_file_that_was_changed_meanwhile_is_taken_as_it_is_now(
    log: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eval_log: Writer
) -> None:
    """Only what is equal is recognised: a line of the same length that says else is written."""
    monkeypatch.setattr(importing, "BATCH_DRAFTS", 4)
    path = jsonl(tmp_path, eval_log)
    real = Ledger.append_many

    def dying(self: Ledger, drafts: Any) -> Any:
        receipts = real(self, drafts)
        raise KeyboardInterrupt(len(receipts))

    monkeypatch.setattr(Ledger, "append_many", dying)
    with pytest.raises(KeyboardInterrupt):
        import_jsonl(log, path)
    monkeypatch.setattr(Ledger, "append_many", real)
    path.write_text(path.read_text().replace("1 + 2?", "9 + 2?", 1))
    assert import_jsonl(log, path).resumed == 3

"""`vif record`: witnesses from flags, or from JSON on standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ledger.cli import output
from ledger.cli.arguments import AsJson, KeysFolder, LedgerFolder, SignerKey
from ledger.cli.drafting import draft_of, file_content, receipt_json
from ledger.cli.failures import bad_call
from ledger.cli.head import known_head
from ledger.cli.ledgers import writing
from ledger.cli.recording import record_lines


def record(
    ledger: LedgerFolder,
    source: Annotated[
        str | None,
        typer.Argument(metavar="-", help="'-' reads JSON Lines from standard input."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="NAME", help="The model that answered.")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt", "-p", metavar="TEXT", help="What it was given.")
    ] = None,
    prompt_file: Annotated[
        Path | None, typer.Option("--prompt-file", metavar="FILE", help="The same from a file.")
    ] = None,
    answer: Annotated[
        str | None, typer.Option("--output", "-o", metavar="TEXT", help="What came out.")
    ] = None,
    answer_file: Annotated[
        Path | None, typer.Option("--output-file", metavar="FILE", help="The same from a file.")
    ] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", metavar="NAME", help="Who served the model.")
    ] = None,
    operation: Annotated[
        str | None, typer.Option("--operation", metavar="NAME", help="chat by default.")
    ] = None,
    confidence: Annotated[
        float | None, typer.Option("--confidence", metavar="0..1", help="How certain it was.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            metavar="NAME",
            help="Where that number is from: logprobs, entropy, verbal, markers, heuristic.",
        ),
    ] = None,
    criticality: Annotated[
        str | None,
        typer.Option(
            "--criticality", metavar="NAME", help="critical, important, routine or low_stakes."
        ),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option("--temperature", metavar="T", help="As it was asked for.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="As it was asked for.")
    ] = None,
    parent: Annotated[
        list[str] | None,
        typer.Option("--parent", metavar="STATEMENT", help="It builds on this; may be repeated."),
    ] = None,
    session: Annotated[
        str | None, typer.Option("--session", "-s", metavar="NAME", help="The run it belongs to.")
    ] = None,
    stream: Annotated[
        str | None,
        typer.Option("--stream", metavar="NAME", help="Your hash chain; named for the session."),
    ] = None,
    keys: KeysFolder = None,
    signer: SignerKey = None,
    as_json: AsJson = False,
) -> None:
    """Record an AI operation, or many as JSON Lines.

    What has a receipt is durable. On standard input an object a line: model,
    prompt, output, confidence, parents and every other field of a witness by
    its name. A line that cannot be recorded is refused, the others are recorded,
    and the exit code is 1.

    Examples:
      vif record runs.vif -m gpt-4o-mini -p "2 + 2?" -o 4 --confidence 0.97
      vif record runs.vif -m gpt-4o --prompt-file ask.txt --output-file a.txt
      vif record runs.vif --session pilot - < calls.jsonl

    With --json a receipt a line: index, id, leaf_hash, created_at, size, root,
    known_head, line.
    """
    flags = {
        "model": model,
        "prompt": _either("prompt", prompt, prompt_file),
        "output": _either("output", answer, answer_file),
        "model_provider": provider,
        "operation": operation,
        "confidence": confidence,
        "confidence_method": method,
        "task_criticality": criticality,
        "temperature": temperature,
        "replay_seed": seed,
        "parents": parent or None,
    }
    given = {name: value for name, value in flags.items() if value is not None}
    if source not in (None, "-"):
        bad_call(f"{source!r} is not '-'", hint="to read a file write: vif record LEDGER - < FILE")
    if (source == "-") == bool(given):
        bad_call(
            "give either flags or '-'",
            hint="vif record LEDGER -m MODEL -p PROMPT -o OUTPUT, or vif record LEDGER - < FILE",
        )
    if source is None and not {"model", "prompt"} <= given.keys():
        bad_call("a witness has at least --model and --prompt (or --prompt-file)")
    with writing(ledger, keys, signer, stream=stream, session=session) as log:
        if source == "-":
            refused = record_lines(log, sys.stdin.buffer, as_json=as_json)
            if refused:
                raise typer.Exit(output.EXIT_NO)
            return
        receipt = log.append_many([draft_of(log, given)])[0]
    if as_json:
        output.emit(receipt_json(receipt, line=None))
        return
    output.facts(
        [
            ("recorded", [(f"#{receipt.index}", "bold"), f"  {receipt.id}"]),
            ("leaf hash", receipt.leaf_hash.hex()),
            ("head", known_head(receipt.size, receipt.root)),
        ]
    )


def _either(name: str, text: str | None, file: Path | None) -> object:
    if text is not None and file is not None:
        bad_call(f"give --{name} or --{name}-file, not both")
    return text if file is None else file_content(file)

"""The test ledger "example.org/lab": its keys, its clock and its first five statements."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.formats import cbor, content, cose, merkle, note
from ledger.formats.payload import KEY_STREAM, LedgerName, Parent, Payload, encode_payload
from ledger.formats.values import format_time, parse_time, uuid7
from ledger.keys.events import genesis_body, key_entry
from ledger.keys.signer import Ed25519Signer, Signer

ORIGIN = "example.org/lab"
STREAM = "run-1/main"
SESSION = "run-1"
EPOCH_US = parse_time("2026-11-20T09:00:00.000000Z")


def signer(seed: int, name: str, role: str) -> Ed25519Signer:
    """Return the signer whose private key is 32 times the byte `seed`."""
    return Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32), name, role)


AUTHORITY = signer(1, "lab-authority", "authority")
LOG = signer(2, ORIGIN, "log")
PRODUCER = signer(3, "lab-producer", "producer")


def moment(number: int) -> tuple[str, str]:
    """Return id and time of the statement with that number, 1.001001 seconds apart."""
    us = EPOCH_US + number * 1_001_001
    return uuid7(us, sha256(b"vif test ledger" + number.to_bytes(2)).digest()), format_time(us)


def sign(payload: bytes, by: Signer, stream: str) -> bytes:
    """Return the statement over any payload bytes, also invalid ones."""
    protected = cose.protected_header(by.kid, by.name, stream)
    return seal(protected, payload, by)


def seal(protected: bytes, payload: bytes, by: Signer) -> bytes:
    """Return the statement over any header and payload bytes, also invalid ones."""
    signature = by.sign(cose.signing_input(protected, payload))
    return cose.assemble(protected, payload, signature)


def ref(text: str, media_type: str = "text/plain; charset=utf-8") -> dict[str, Any]:
    """Return the plain content reference to a text."""
    return content.refer(text.encode(), media_type)[0].to_cbor()


def payload_map(payload: Payload) -> dict[str, Any]:
    """Return a payload as the CBOR value that it is written as, to be altered."""
    value: dict[str, Any] = cbor.decode(encode_payload(payload))
    return value


def _genesis() -> Payload:
    identity, created_at = moment(0)
    body = genesis_body(
        ORIGIN,
        key_entry(AUTHORITY, ORIGIN, "authority"),
        key_entry(LOG, ORIGIN, "log"),
        [key_entry(PRODUCER, ORIGIN, "producer")],
        salted=False,
    )
    return Payload("genesis", identity, created_at, KEY_STREAM, 0, None, None, None, (), body)


def witness_body() -> dict[str, Any]:
    """Return the smallest witness body."""
    return {
        "version": 1,
        "operation": "chat",
        "model": {"model_id": "small-model"},
        "data": {"prompt_hash": ref("What is 6 times 7?")},
        "output": {"output_hash": ref("42")},
        "meta": {"writer": "lab", "task_criticality": "routine", "kappa_threshold": 0.70},
        "capture": {"vantage": "manual"},
    }


def full_witness_body() -> dict[str, Any]:
    """Return a witness body with every field of specs/03."""
    request = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"What is 6 times 7?"}]}'
    response = '{"choices":[{"message":{"content":"42"}}]}'
    snapshot = '{"atoms":{"atom-1":"six","atom-2":"seven","atom-7":"42"}}'
    environment = '{"model":"gpt-4o-mini-2024-07-18","system_fingerprint":"fp_0705bf87c0"}'
    observation = '{"logprobs":[-0.125],"token_texts":["42"]}'
    return {
        "version": 1,
        "operation": "chat",
        "model": {
            "model_id": "gpt-4o-mini-2024-07-18",
            "model_provider": "openai",
            "provider_source": "endpoint",
            "weights_hash": bytes(range(32)),
            "requested_model": "gpt-4o-mini",
            "actual_model": "gpt-4o-mini-2024-07-18",
            "vendor": "OpenAI",
            "api_version": "v1",
            "model_build_date": "2024-07-18",
            "deployment_region": "eu-central",
            "system_fingerprint": "fp_0705bf87c0",
        },
        "data": {
            "prompt_hash": ref("What is 6 times 7?"),
            "prompt_tokens": 14,
            "prompt_template": ref("What is {{a}} times {{b}}?"),
            "context_snapshot_id": "snapshot-2026-11-20",
            "context_atom_ids": ["atom-1", "atom-2"],
            "retrieved_atom_ids": ["atom-7"],
            "prompt_variables": ref('{"a":"6","b":"7"}', "application/json"),
            "context_snapshot": ref(snapshot, "application/json"),
        },
        "tools": {
            "tool_ids": ["calculator"],
            "tool_parameters": ref('{"a":6,"b":7}', "application/json"),
            "tool_results_hash": ref("42", "application/json"),
        },
        "uncertainty": {
            "confidence_score": 0.875,
            "confidence_band": "B",
            "confidence_method": "logprobs",
            "ece_score": 0.04,
            "entropy": 0.31,
            "top_k_probs": [
                {"token": "42", "probability": 0.875},
                {"token": "forty", "probability": 0.0625},
            ],
            "top_k_position": 0,
        },
        "replay": {
            "replay_seed": -7,
            "temperature": 0.0,
            "top_p": 1.0,
            "top_k": 40,
            "max_tokens": 16,
            "other_params": {"gen_ai.request.stop_sequences": ["\n"], "logprobs": True},
            "engine": "openai",
            "environment": ref(environment, "application/json"),
            "observation": ref(observation, "application/json"),
        },
        "output": {
            "output_hash": ref("42"),
            "output_tokens": 2,
            "total_tokens": 16,
            "token_source": "provider",
            "finish_reason": "stop",
        },
        "meta": {
            "writer": "lab 1.0",
            "task_criticality": "important",
            "domain": "arithmetic",
            "kappa_threshold": 0.85,
            "kappa_gate_passed": True,
        },
        "temporal": {
            "occurred_at": "2026-11-20T08:59:59.123456Z",
            "execution_time_ms": 412.5,
        },
        "cost": {
            "response_time_ms": 431.25,
            "tokens_used": 16,
            "cost_usd": 0.0000033,
            "price_table": "openai-2026-11",
        },
        "capture": {
            "vantage": "imported",
            "attempts": 2,
            "request_id": "chatcmpl-7",
            "source": {
                "format": "inspect-eval",
                "event_id": "event-1",
                "sample_id": "sample-1",
                "epoch": 1,
            },
        },
        "raw": {
            "request": ref(request, "application/json"),
            "response": ref(response, "application/json"),
            "request_headers": {"content-type": "application/json"},
            "response_headers": {"x-request-id": "req_1", "openai-version": "2020-10-01"},
        },
    }


def priced_witness_body() -> dict[str, Any]:
    """Return a witness body whose cost follows from units and prices (specs/03 section 2)."""
    usage = {"input_tokens": 16, "output_tokens": 8}
    prices = {"input_tokens": 0.25, "output_tokens": 0.5}
    cost = {"cost_usd": 8e-06, "price_table": "lab 1", "usage": usage, "prices": prices}
    return witness_body() | {"cost": cost}


GENESIS = _genesis()
GENESIS_STATEMENT = sign(encode_payload(GENESIS), AUTHORITY, KEY_STREAM)
LEDGER = LedgerName(ORIGIN, merkle.hash_leaf(GENESIS_STATEMENT))


def _run() -> tuple[tuple[Payload, ...], tuple[bytes, ...]]:
    payloads, statements = [GENESIS], [GENESIS_STATEMENT]
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("witness", witness_body()),
        ("witness", full_witness_body()),
        (
            "annotation",
            {"kind": "score", "name": "exact", "value": True, "explanation": ref("equal")},
        ),
        ("stream_close", {"statements": 4}),
    ]
    for seq, (kind, body) in enumerate(bodies):
        number = seq + 1
        identity, created_at = moment(number)
        before = merkle.hash_leaf(statements[-1])
        linked = (Parent(payloads[-1].id, before),) if seq in (1, 2) else ()
        payload = Payload(
            type=kind,
            id=identity,
            created_at=created_at,
            stream_id=STREAM,
            seq=seq,
            prev=before if seq else None,
            ledger=None if seq else LEDGER,
            session=SESSION,
            parents=linked,
            body=body,
        )
        payloads.append(payload)
        statements.append(sign(encode_payload(payload), PRODUCER, STREAM))
    return tuple(payloads), tuple(statements)


PAYLOADS, STATEMENTS = _run()
LEAVES = tuple(merkle.hash_leaf(statement) for statement in STATEMENTS)


def head(size: int) -> bytes:
    """Return the signed head of the test ledger at a size of 1 to 5."""
    checkpoint = note.Checkpoint(ORIGIN, size, merkle.root_of(LEAVES[:size]))
    return note.sign_checkpoint(checkpoint, LOG.name, LOG.sign, LOG.public_key)

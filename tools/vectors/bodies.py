"""Cases of the bodies of every type: specs/03, 04 section 6, 05, 06 and 07 section 5."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.keys.events import enrol_body, key_entry, revoke_body, rotate_body
from tools.vectors import lab, witnesses
from tools.vectors.body import DROP, Body, altered, body_case, scored, smallest
from tools.vectors.case import Case

_SEAL = {"sha256": bytes(32), "size_bytes": 512}
_WHOLE = {"kind": "ledger", "start": 0, "end": 5}


def cases() -> Iterator[Case]:
    """Yield the cases of kind body."""
    yield from _accepted()
    yield from witnesses.cases()
    yield from _others()
    yield from _key_events()


def _accepted() -> Iterator[Case]:
    yield body_case("witness", "every field", "witness", lab.full_witness_body())
    yield body_case("witness_smallest", "only what must be there", "witness", lab.witness_body())
    yield body_case("witness_no_output", "nothing came out", "witness", smallest(("output", {})))
    yield body_case(
        "witness_salted",
        "a salted reference",
        "witness",
        smallest(("data.prompt_hash.salted", True)),
    )
    for name, text, score, band in [
        ("a", "0.95 is A", 0.95, "A"),
        ("a_1", "1.0 is A", 1.0, "A"),
        ("b_above", "just below 0.95 is B", 0.9499999999999999, "B"),
        ("b", "0.80 is B", 0.80, "B"),
        ("c_above", "just below 0.80 is C", 0.7999999999999999, "C"),
        ("c_0", "0.0 is C", 0.0, "C"),
    ]:
        yield body_case(f"witness_band_{name}", text, "witness", scored(score, band, score >= 0.70))
    for criticality, threshold in [
        ("critical", 0.95),
        ("important", 0.85),
        ("routine", 0.70),
        ("low_stakes", 0.60),
    ]:
        band = "A" if threshold >= 0.95 else "B" if threshold >= 0.80 else "C"
        meta = {
            "writer": "lab",
            "task_criticality": criticality,
            "kappa_threshold": threshold,
            "kappa_gate_passed": True,
        }
        body = scored(threshold, band, True) | {"meta": meta}
        yield body_case(
            f"witness_gate_{criticality}", "the score is the threshold", "witness", body
        )
    top = [{"token": "", "probability": 0.5}] * 2 + [{"token": "x", "probability": 0.0}] * 18
    body = smallest(("uncertainty.top_k_probs", top), ("uncertainty.top_k_position", 0))
    yield body_case(
        "witness_top_k_20", "20 alternatives, two of them equal, sum 1", "witness", body
    )
    body = smallest(
        (
            "uncertainty.top_k_probs",
            [{"token": "a", "probability": 1.0}, {"token": "b", "probability": 0.0000005}],
        ),
        ("uncertainty.top_k_position", 3),
    )
    yield body_case("witness_top_k_sum", "a sum above 1 by rounding", "witness", body)
    body = smallest(
        ("capture", {"vantage": "transport"}), ("temporal.occurred_at", lab.moment(0)[1])
    )
    yield body_case(
        "witness_occurred_at", "occurred_at is allowed at every vantage", "witness", body
    )
    body = smallest(("replay.other_params", {"n" * 256: {"deep": [{"er": None}]}, "ä": 1}))
    yield body_case("witness_other_params", "any values under names", "witness", body)
    body = smallest(("replay.engine", "e" * 128))
    yield body_case("witness_engine", "what can run it again, and no more", "witness", body)
    body = smallest(("model.model_id", "ü" * 128))
    yield body_case("witness_name_256", "a name of 256 bytes", "witness", body)
    body = lab.priced_witness_body()
    yield body_case("witness_priced", "a cost that follows from units and prices", "witness", body)
    del body["cost"]["prices"], body["cost"]["cost_usd"], body["cost"]["price_table"]
    yield body_case("witness_usage", "units without prices", "witness", body)
    body["cost"] = {"cost_usd": (0.0 + 0.2 + 0.3 + 0.1) / 1_000_000.0, "price_table": "lab 1",
                    "usage": {"b": 1, "c": 1, "aa": 1},
                    "prices": {"b": 0.2, "c": 0.3, "aa": 0.1}}  # fmt: skip
    yield body_case("witness_priced_order", "added shortest name first, then bytewise", "witness",
                    body)  # fmt: skip
    body["cost"] = {"cost_usd": 9223372036854775807.0 * 3.0 / 1_000_000.0, "price_table": "lab 1",
                    "usage": {"u": 2**63 - 1}, "prices": {"u": 3.0}}  # fmt: skip
    yield body_case("witness_priced_large", "a count that no double holds", "witness", body)
    for name, value in [("prose", ""), ("integer", -7), ("float", 0.5), ("boolean", False)]:
        yield body_case(
            f"annotation_{name}",
            f"a value that is {name}",
            "annotation",
            {"kind": "score", "value": value},
        )
    yield body_case("annotation", "every field", "annotation", _annotation())
    yield body_case("import", "every field", "import", _import())
    yield body_case(
        "erasure", "an erasure", "erasure", {"content": lab.ref("42"), "reason": "asked for"}
    )
    yield body_case("stream_close", "the end of a stream", "stream_close", {"statements": 4})
    yield body_case("export_ledger", "a whole ledger", "export", _export())
    yield body_case("export_session", "a session", "export", _part())
    body = _part() | {"selection": {"kind": "range", "start": 2, "end": 5}}
    yield body_case("export_range", "a range", "export", body)


def _annotation() -> Body:
    return {
        "kind": "score",
        "name": "exact",
        "value": "C",
        "explanation": lab.ref("equal"),
        "source": {"format": "inspect-eval", "event_id": "1"},
    }


def _import() -> Body:
    return {
        "format": "inspect-eval",
        "source": lab.ref("log", "application/zip"),
        "source_name": "theory.eval",
        "witnesses": 100,
        "annotations": 100,
    }


def _export() -> Body:
    return {
        "package_version": 1,
        "seal": dict(_SEAL),
        "selection": dict(_WHOLE),
        "contents": "included",
        "statements": 5,
        "streams": [],
    }


def _part() -> Body:
    return _export() | {
        "selection": {"kind": "session", "start": 0, "end": 5, "session": lab.SESSION},
        "contents": "withheld",
        "statements": 4,
        "streams": [{"id": "keys", "statements": 1}, {"id": lab.STREAM, "statements": 4}],
    }


def _others() -> Iterator[Case]:
    tables: list[tuple[str, Body, list[tuple[str, Any]]]] = [
        (
            "annotation",
            _annotation(),
            [
                ("kind", DROP),
                ("kind", ""),
                ("kind", "a b"),
                ("name", ""),
                ("value", None),
                ("value", b"C"),
                ("value", ["C"]),
                ("value", "a\0"),
                ("value", "a" * 4097),
                ("explanation", "equal"),
                ("source", {}),
                ("source.note", 1),
                ("note", 1),
            ],
        ),
        (
            "import",
            _import(),
            [
                ("format", DROP),
                ("source", DROP),
                ("witnesses", DROP),
                ("annotations", DROP),
                ("format", "a b"),
                ("source", bytes(32)),
                ("source_name", ""),
                ("witnesses", -1),
                ("annotations", 100.0),
                ("note", 1),
            ],
        ),
        (
            "erasure",
            {"content": lab.ref("42"), "reason": ""},
            [
                ("content", DROP),
                ("reason", DROP),
                ("content", bytes(32)),
                ("reason", "a\0"),
                ("reason", "a" * 4097),
                ("content.note", 1),
                ("note", 1),
            ],
        ),
        (
            "stream_close",
            {"statements": 4},
            [
                ("statements", DROP),
                ("statements", 4.0),
                ("statements", -1),
                ("statements", True),
                ("note", 1),
            ],
        ),
        (
            "export",
            _part(),
            [
                ("package_version", DROP),
                ("seal", DROP),
                ("selection", DROP),
                ("contents", DROP),
                ("statements", DROP),
                ("streams", DROP),
                ("package_version", 2),
                ("seal", bytes(32)),
                ("seal.sha256", bytes(31)),
                ("seal.size_bytes", 1.0),
                ("seal.note", 1),
                ("selection.kind", "all"),
                ("selection.start", -1),
                ("selection.end", DROP),
                ("selection.session", "a b"),
                ("selection.note", 1),
                ("contents", "some"),
                ("statements", -1),
                ("streams", {}),
                ("streams.0.id", ""),
                ("streams.0.note", 1),
                ("streams.0.statements", 1.0),
                ("note", 1),
                ("streams", [{"id": f"s{n:03}", "statements": 1} for n in range(513)]),
            ],
        ),
    ]
    for kind, base, changes in tables:
        for number, (path, value) in enumerate(changes):
            told = f"{path} is missing" if value is DROP else f"{path} breaks its rule"
            name = f"{kind}_{path.replace('.', '_')}_{number}"
            yield body_case(name, told, kind, altered(base, path, value), "body_invalid")


def _key_events() -> Iterator[Case]:
    entry = key_entry(lab.signer(4, "second-producer", "producer"), lab.ORIGIN, "producer")
    genesis = lab.payload_map(lab.GENESIS)["body"]
    enrol, rotate = enrol_body("producer", entry), rotate_body(lab.PRODUCER.kid, entry)
    revoke = revoke_body(lab.PRODUCER.kid, 2, "stolen")
    for kind, body in [
        ("genesis", genesis),
        ("enrol", enrol),
        ("rotate", rotate),
        ("revoke", revoke),
    ]:
        yield body_case(kind, f"a {kind}", kind, body)
    producer = genesis["producers"][0]
    tables: list[tuple[str, Body, list[tuple[str, Any]]]] = [
        (
            "genesis",
            genesis,
            [
                ("origin", DROP),
                ("salted", DROP),
                ("authority", DROP),
                ("log", DROP),
                ("producers", DROP),
                ("origin", "a b"),
                ("salted", 0),
                ("producers", []),
                ("producers", [producer] * 17),
                ("producers.0.name", "a b"),
                ("log.public_key", bytes(31)),
                ("authority.proof", bytes(63)),
                ("authority.role", "x"),
                ("note", 1),
            ],
        ),
        (
            "enrol",
            enrol,
            [
                ("role", DROP),
                ("key", DROP),
                ("role", "authority"),
                ("role", "admin"),
                ("key.name", DROP),
                ("key.public_key", DROP),
                ("key.proof", DROP),
                ("key.name", ""),
                ("key.note", 1),
                ("note", 1),
            ],
        ),
        (
            "rotate",
            rotate,
            [
                ("old_kid", DROP),
                ("key", DROP),
                ("old_kid", bytes(31)),
                ("old_kid", "00" * 32),
                ("role", "producer"),
            ],
        ),
        (
            "revoke",
            revoke,
            [
                ("kid", DROP),
                ("last_good_index", DROP),
                ("reason", DROP),
                ("kid", bytes(33)),
                ("last_good_index", -1),
                ("last_good_index", 2.0),
                ("reason", "a\0"),
                ("note", 1),
            ],
        ),
    ]
    for kind, base, changes in tables:
        for number, (path, value) in enumerate(changes):
            told = f"{path} is missing" if value is DROP else f"{path} breaks its rule"
            name = f"{kind}_{path.replace('.', '_')}_{number}"
            yield body_case(name, told, kind, altered(base, path, value), "body_invalid")

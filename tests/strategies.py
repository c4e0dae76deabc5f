"""Hypothesis strategies for bodies of every type: what is drawn is allowed by specs/03 to 07, 10.

`bodies()` gives `(type, model)`; `witnesses()` and the like give models of one type. Sizes are kept
small enough that a statement always fits its 65,535 bytes.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from hypothesis import strategies as st

from ledger import model
from ledger.formats.call import call_url
from ledger.formats.content import ContentRef, refer
from ledger.model import derive
from ledger.model.raw import SECRET_HEADERS

COUNT_MAX = 2**63 - 1

_control = "".join(map(chr, [*range(0x20), 0x7F]))
_text = st.characters(exclude_categories=("Cs",))
names = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters=_control), min_size=1, max_size=40
)
labels = st.from_regex(r"[A-Za-z0-9._@:/-]{1,40}", fullmatch=True)
origins = st.from_regex(r"[A-Za-z0-9._-]{1,20}(/[A-Za-z0-9._-]{1,20}){0,2}", fullmatch=True)
prose = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=80)
digests = st.binary(min_size=32, max_size=32)
counts = st.integers(0, COUNT_MAX)
ratios = st.floats(0.0, 1.0).map(abs)
amounts = st.floats(0.0, allow_infinity=False).map(abs)
times = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(
    lambda moment: moment.isoformat(timespec="microseconds").rjust(26, "0") + "Z"
)
dates = st.dates(date(1, 1, 1)).map(date.isoformat)
_words = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)

free_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0)
    | st.text(_text, max_size=20)
    | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(names.filter(lambda name: name != "blake3"), inner, max_size=4)
    ),
    max_leaves=8,
)


def content_refs(*, salted: bool = False) -> st.SearchStrategy[ContentRef]:
    """References to small contents, as a ledger would make them."""
    salts = st.binary(min_size=16, max_size=16) if salted else st.none()
    return st.builds(
        lambda content, media_type, salt: refer(content, media_type, salt)[0],
        st.binary(max_size=64),
        st.sampled_from(["text/plain; charset=utf-8", "application/json", "image/png"]),
        salts,
    )


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The value, or None for an absent field."""
    return st.none() | values


def _group(kind: type[model.Group], /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(fields).map(lambda given: kind(**given))


def _optional(
    kind: type[model.Group], /, **fields: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    made = _group(kind, **{name: maybe(values) for name, values in fields.items()})
    return made.map(lambda group: None if group.is_empty() else group)


sources = _group(
    model.Source,
    format=names,
    event_id=maybe(names),
    sample_id=maybe(names),
    epoch=maybe(counts),
)
headers = st.dictionaries(
    st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True).filter(
        lambda name: name not in SECRET_HEADERS and name != "blake3"
    ),
    prose,
    min_size=1,
    max_size=4,
)


@st.composite
def models(draw: st.DrawFn) -> model.Model:
    """Model groups."""
    provider = draw(maybe(names))
    source = draw(st.sampled_from(["stated", "endpoint", "guessed"])) if provider else None
    return model.Model(
        model_id=draw(names),
        model_provider=provider,
        provider_source=source,
        weights_hash=draw(maybe(digests)),
        requested_model=draw(maybe(names)),
        actual_model=draw(maybe(names)),
        vendor=draw(maybe(names)),
        api_version=draw(maybe(names)),
        model_build_date=draw(maybe(dates)),
        deployment_region=draw(maybe(names)),
        system_fingerprint=draw(maybe(names)),
    )


@st.composite
def uncertainties(draw: st.DrawFn) -> model.Uncertainty | None:
    """Uncertainty groups whose band follows from the score."""
    score = draw(maybe(ratios | st.sampled_from([0.6, 0.7, 0.8, 0.85, 0.95])))
    weights = draw(st.lists(st.integers(0, 1000), max_size=5))
    whole = max(sum(weights), 1)
    top = [
        {"token": draw(st.text(_text, max_size=20)), "probability": weight / whole}
        for weight in sorted(weights, reverse=True)
    ]
    methods = ["logprobs", "entropy", "verbal", "markers", "heuristic"]
    group = model.Uncertainty(
        confidence_score=score,
        confidence_band=None if score is None else derive.band(score),
        confidence_method=None if score is None else draw(st.sampled_from(methods)),
        ece_score=draw(maybe(ratios)),
        entropy=draw(maybe(amounts)),
        top_k_probs=top or None,
        top_k_position=draw(counts) if top else None,
    )
    return None if group.is_empty() else group


@st.composite
def costs(draw: st.DrawFn) -> model.Cost:
    """Cost groups, with and without units and prices from which the cost follows."""
    usage = draw(maybe(st.dictionaries(_words, counts, min_size=1, max_size=4)))
    cost_usd, prices = draw(maybe(amounts)), None
    if usage is not None and cost_usd is not None:
        prices = {key: draw(st.floats(0.0, 1e200).map(abs)) for key in usage}
        cost_usd = derive.cost(usage, prices)
    return model.Cost(
        response_time_ms=draw(maybe(amounts)),
        tokens_used=draw(maybe(counts)),
        cost_usd=cost_usd,
        price_table=None if cost_usd is None else draw(names),
        usage=usage,
        prices=prices,
    )


@st.composite
def witnesses(draw: st.DrawFn, *, salted: bool = False) -> model.Witness:
    """Whole witnesses, every optional field now there and now absent."""
    refs = content_refs(salted=salted)
    uncertainty = draw(uncertainties())
    score = uncertainty.confidence_score if uncertainty else None
    criticality = draw(st.sampled_from(sorted(derive.KAPPA_THRESHOLDS)))
    threshold = derive.threshold(criticality)
    prompt_tokens, output_tokens = draw(st.tuples(*[maybe(st.integers(0, 2**62 - 1))] * 2))
    counted = [count for count in (prompt_tokens, output_tokens) if count is not None]
    vantage = draw(st.sampled_from(["transport", "hook", "manual", "imported"]))
    occurred_at = draw(times if vantage == "imported" else maybe(times))
    temporal = model.Temporal(occurred_at=occurred_at, execution_time_ms=draw(maybe(amounts)))
    cost = draw(costs())
    atoms = maybe(st.lists(names, min_size=1, max_size=3))
    return model.Witness(
        operation=draw(st.sampled_from(["chat", "embeddings", "execute_tool"]) | _words),
        model=draw(models()),
        data=model.Data(
            prompt_hash=draw(refs),
            prompt_tokens=prompt_tokens,
            prompt_template=draw(maybe(refs)),
            context_snapshot_id=draw(maybe(names)),
            context_atom_ids=draw(atoms),
            retrieved_atom_ids=draw(atoms),
            prompt_variables=draw(maybe(refs)),
            context_snapshot=draw(maybe(refs)),
        ),
        tools=draw(
            maybe(
                _group(
                    model.Tools,
                    tool_ids=st.lists(names, min_size=1, max_size=3),
                    tool_parameters=maybe(refs),
                    tool_results_hash=maybe(refs),
                )
            )
        ),
        uncertainty=uncertainty,
        replay=draw(
            _optional(
                model.Replay,
                replay_seed=st.integers(-(2**63), 2**63 - 1),
                temperature=amounts,
                top_p=ratios,
                top_k=counts,
                max_tokens=counts,
                other_params=st.dictionaries(
                    names.filter(lambda name: name != "blake3"), free_values, min_size=1, max_size=3
                ),
                engine=labels,
                environment=refs,
                observation=refs,
            )
        ),
        output=model.Output(
            output_hash=draw(maybe(refs)),
            output_tokens=output_tokens,
            total_tokens=sum(counted) if len(counted) == 2 else None,
            token_source=draw(st.sampled_from(["provider", "tokenizer", "estimate"]))
            if counted
            else None,
            finish_reason=draw(maybe(names)),
        ),
        meta=model.Meta(
            writer=draw(names),
            task_criticality=criticality,
            domain=draw(maybe(names)),
            kappa_threshold=threshold,
            kappa_gate_passed=None if score is None else derive.gate(score, threshold),
        ),
        temporal=None if temporal.is_empty() else temporal,
        cost=None if cost.is_empty() else cost,
        capture=model.Capture(
            vantage=vantage,
            attempts=draw(maybe(st.integers(1, 10_000))),
            request_id=draw(maybe(names)),
            source=draw(maybe(sources)),
        ),
        raw=draw(
            _optional(
                model.Raw,
                request=refs,
                response=refs,
                request_headers=headers,
                response_headers=headers,
            )
        ),
    )


annotations = _group(
    model.Annotation,
    kind=labels,
    name=maybe(names),
    value=maybe(
        prose
        | st.integers(-(2**64), 2**64 - 1)
        | st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0)
        | st.booleans()
    ),
    explanation=maybe(content_refs()),
    source=maybe(sources),
)
imports = _group(
    model.Import,
    format=labels,
    source=content_refs(),
    source_name=maybe(names),
    witnesses=counts,
    annotations=counts,
)
erasures = _group(model.Erasure, content=content_refs(), reason=prose)
stream_closes = _group(model.StreamClose, statements=counts)
keys = _group(model.Key, name=labels, public_key=digests, proof=st.binary(min_size=64, max_size=64))
key_events = st.one_of(
    st.tuples(
        st.just("genesis"),
        _group(
            model.Genesis,
            origin=origins,
            salted=st.booleans(),
            authority=keys,
            log=keys,
            producers=st.lists(keys, min_size=1, max_size=3),
        ),
    ),
    st.tuples(
        st.just("enrol"),
        _group(model.Enrol, role=st.sampled_from(["producer", "log"]), key=keys),
    ),
    st.tuples(st.just("rotate"), _group(model.Rotate, old_kid=digests, key=keys)),
    st.tuples(
        st.just("revoke"),
        _group(model.Revoke, kid=digests, last_good_index=counts, reason=prose),
    ),
)


@st.composite
def exports(draw: st.DrawFn) -> model.Export:
    """Export statements of whole ledgers, sessions and ranges."""
    kind = draw(st.sampled_from(["ledger", "session", "range"]))
    start = draw(counts) if kind == "range" else 0
    streams = [] if kind == "ledger" else sorted(draw(st.sets(labels, max_size=3)))
    return model.Export(
        seal=model.Seal(sha256=draw(digests), size_bytes=draw(counts)),
        selection=model.Selection(
            kind=kind,
            start=start,
            end=draw(st.integers(start, COUNT_MAX)),
            session=draw(labels) if kind == "session" else None,
        ),
        contents=draw(st.sampled_from(["included", "withheld"])),
        statements=draw(counts),
        streams=[model.StreamCount(id=name, statements=draw(counts)) for name in streams],
    )


_roles = st.sampled_from(["experiment_snapshot", "framework_snapshot", "corpus_manifest", "file"])
_entries = st.lists(st.tuples(_roles, names), unique=True, max_size=4).map(sorted)
runs = st.integers(1, 1_000_000)
urls = st.builds(
    lambda scheme, host, path, query: call_url(f"{scheme}://{host}/{path}?{query}"),
    st.sampled_from(["http", "https"]),
    st.sampled_from(["api.example.org", "localhost:8080", "[::1]"]),
    st.from_regex(r"[!-~]{0,20}", fullmatch=True),
    st.from_regex(r"[!-~]{0,20}", fullmatch=True),
)


@st.composite
def session_opens(draw: st.DrawFn) -> model.SessionOpen:
    """Beginnings of runs."""
    run = draw(st.just(1) | runs)
    refs = content_refs()
    changes = st.sampled_from(["added", "removed", "altered"])
    changed = draw(_entries) if run > 1 else []
    return model.SessionOpen(
        run=run,
        previous=None if run == 1 else draw(st.sampled_from(["complete", "interrupted", "killed"])),
        writer=draw(names),
        on_unknown=draw(st.sampled_from(["ask", "retry", "fetch"])),
        environment=draw(refs),
        frozen=[
            {"role": role, "name": name, "content": draw(refs)} for role, name in draw(_entries)
        ],
        changed=[{"role": role, "name": name, "change": draw(changes)} for role, name in changed]
        or None,
        budget_usd=draw(maybe(amounts)),
        call_key=draw(maybe(digests.map(lambda key: refer(key, "application/octet-stream")[0]))),
    )


@st.composite
def intents(draw: st.DrawFn) -> model.Intent:
    """Intents of first and later attempts."""
    attempt = draw(st.integers(1, 3) | st.integers(1, 10_000))
    after = None if attempt == 1 else draw(st.sampled_from(["failed", "unknown"]))
    return model.Intent(
        call={"digest": draw(digests), "replicate": draw(runs)},
        attempt=attempt,
        after=after,
        method=draw(st.from_regex(r"[A-Z]{1,16}", fullmatch=True)),
        url=draw(urls),
        request=draw(maybe(content_refs().filter(lambda ref: ref.size_bytes > 0))),
        request_headers=draw(maybe(headers)),
        fetches=draw(maybe(names)) if after == "unknown" else None,
        model=draw(maybe(names)),
        stage=draw(maybe(labels)),
        reserved_usd=draw(maybe(amounts)),
    )


@st.composite
def outcomes(draw: st.DrawFn) -> model.Outcome:
    """Outcomes of every row of the table of specs/10 section 4."""
    status, reason, codes, streaming = draw(
        st.sampled_from(
            [
                ("answered", None, st.integers(200, 299), [None, "complete", "closed"]),
                ("failed", "http_status", st.integers(100, 199) | st.integers(300, 599), [None]),
                ("failed", "not_sent", st.none(), [None]),
                ("unknown", "timeout", maybe(st.integers(100, 599)), [None]),
                ("unknown", "disconnected", maybe(st.integers(100, 599)), [None]),
                ("unknown", "stream", maybe(st.integers(100, 599)), ["interrupted", "error"]),
                ("unknown", "abandoned", maybe(st.integers(100, 599)), [None]),
                ("unknown", "killed", st.none(), [None]),
            ]
        )
    )
    if reason == "killed":
        return model.Outcome(status=status, reason=reason)
    response = draw(maybe(content_refs()))
    decoded = _group(model.Decoded, sha256=digests, size_bytes=counts)
    return model.Outcome(
        status=status,
        reason=reason,
        http_status=draw(codes),
        response=response,
        response_headers=draw(maybe(headers)),
        decoded=None if response is None else draw(maybe(decoded)),
        streaming=draw(st.sampled_from(streaming)),
        response_id=draw(maybe(names)),
        first_byte_ms=draw(maybe(amounts)),
        duration_ms=draw(maybe(amounts)),
    )


@st.composite
def session_closes(draw: st.DrawFn) -> model.SessionClose:
    """Ends of runs."""
    status = draw(st.sampled_from(["complete", "interrupted"]))
    return model.SessionClose(
        run=draw(runs),
        status=status,
        reason=draw(names) if status == "interrupted" else None,
        answered=draw(counts),
        failed=draw(counts),
        unknown=draw(counts),
        reused=draw(counts),
        cost_usd=draw(maybe(amounts)),
        unpriced=draw(counts),
    )


session_bodies = st.one_of(
    st.tuples(st.just("session_open"), session_opens()),
    st.tuples(st.just("intent"), intents()),
    st.tuples(st.just("outcome"), outcomes()),
    st.tuples(st.just("reuse"), _group(model.Reuse, calls=st.integers(1, 256))),
    st.tuples(
        st.just("savepoint"),
        _group(model.Savepoint, stage=labels, complete=st.booleans(), state=content_refs()),
    ),
    st.tuples(st.just("session_close"), session_closes()),
)


def bodies() -> st.SearchStrategy[tuple[str, model.Body]]:
    """A statement type and a body of it."""
    return st.one_of(
        st.tuples(st.just("witness"), witnesses()),
        st.tuples(st.just("annotation"), annotations),
        st.tuples(st.just("import"), imports),
        st.tuples(st.just("erasure"), erasures),
        st.tuples(st.just("stream_close"), stream_closes),
        st.tuples(st.just("export"), exports()),
        key_events,
        session_bodies,
    )

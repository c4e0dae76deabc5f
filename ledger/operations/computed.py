"""What follows about a chain as a whole, and claims compared with it (specs/12 §5 and §8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ledger.operations.report import Computed, Finding, Status
from ledger.operations.statements import Resolved, Seen

__all__ = ["claim_findings", "compute"]

FindingsAt = Callable[[Seen], Sequence[Finding]]
"""All findings at a statement, other than `claim_mismatch`."""


def compute(
    chain: Seen,
    parents: Sequence[Resolved],
    findings_at: FindingsAt,
    key_name: Callable[[bytes], str],
) -> Computed:
    """The results about the parts of a provenance."""
    axes: set[str] = set()
    kids: dict[bytes, str] = {}
    for seen in (*(one.seen for one in parents), chain):
        if seen is None:
            continue
        for one in findings_at(seen):
            if one.severity == "fail":
                # It is about contents, and says that two stages are not linked.
                axes.add("lineage" if one.code == "context_mismatch" else one.axis)
        kid = seen.entry.cose.kid
        kids.setdefault(kid, key_name(kid))
    if any(one.state == "unreadable" for one in parents):
        axes.add("integrity")
    sound, fitting = not axes & {"integrity", "authenticity"}, not axes & {"lineage", "policy"}
    outside = any(one.state == "outside" for one in parents)
    status: Status = "failed" if not (sound and fitting) else "outside" if outside else "verified"
    return Computed(sound, fitting, tuple(kids.items()), status)


def claim_findings(
    chain: Seen, parents: Sequence[Resolved], computed: Computed
) -> Iterator[Finding]:
    """Claims of somebody else's system that differ from what was computed."""
    claims = chain.body.get("claims", {})
    for name in ("chain_verified", "lineage_verified", "status"):
        found = getattr(computed, name)
        if name in claims and claims[name] != found:
            yield chain.finding("claim_mismatch", name, found, claims[name])
    if "trust_chain" in claims and all(one.seen is not None for one in parents):
        kids = [kid for kid, _ in computed.trust_chain]
        if claims["trust_chain"] != kids:
            yield chain.finding(
                "claim_mismatch", "trust_chain", _hex(kids), _hex(claims["trust_chain"])
            )


def _hex(kids: Sequence[bytes]) -> str:
    return " ".join(kid.hex()[:16] for kid in kids)

"""What the crate says about the replay plan (specs/13 section 9).

`REPLAY.md` stands at the top of the bag, beside the crate's root `data/`, as `../REPLAY.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["PLAN_FORMAT", "replay_entities", "replay_ids"]

PLAN_FORMAT: Final = "#replay-plan-format"
_PAGE: Final = "../REPLAY.md"
_FILES: Final = {
    "replay/plan.jsonl": (
        "Replay plan",
        "application/jsonl",
        "for each witness how it can be run again and what has to come out, or why it cannot",
    ),
    "replay/weights.json": (
        "Weights",
        "application/json",
        "the weights that the plan names by BLAKE3, and where they are to be had",
    ),
    "replay/environment.json": (
        "Environment",
        "application/json",
        "Python, platform and packages of the newest session, as it recorded them",
    ),
    "replay/requirements.txt": (
        "Requirements",
        "text/plain",
        "the packages of that environment in the form of pip, for people",
    ),
    _PAGE: ("How to run it again", "text/markdown", "the replay plan explained to a reviewer"),
}


def replay_ids(paths: Sequence[str]) -> list[str]:
    """Return the ids of the files at paths in a package; none without a plan."""
    found = [path.removeprefix("data/") for path in paths]
    return [*found, _PAGE] if found else []


def replay_entities(paths: Sequence[str]) -> Iterator[dict[str, object]]:
    """Yield the entities of these files, and of the format that the plan conforms to."""
    if not paths:
        return
    for identifier in replay_ids(paths):
        name, encoding, description = _FILES[identifier]
        entity: dict[str, object] = {
            "@id": identifier,
            "@type": "File",
            "name": name,
            "encodingFormat": encoding,
            "description": description,
        }
        if identifier == "replay/plan.jsonl":
            entity["conformsTo"] = {"@id": PLAN_FORMAT}
        yield entity
    yield {
        "@id": PLAN_FORMAT,
        "@type": "CreativeWork",
        "name": "VIF replay plan",
        "version": "1",
        "description": "one JSON object a line in the form of RFC 8785; specs/13 section 9 of "
        "vif-ledger says which members it has and how each follows from the log",
    }

"""What differs between two runs, and what a provider changed meanwhile (specs/10 section 2).

A run that depends on other files than the one before says so in its first statement. A provider
that serves another model under the same name says nothing; that its answers name another model or
another fingerprint is the only sign, and is kept here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ledger.model.session import Change, Frozen

__all__ = ["Drift", "ModelChange", "differences", "in_words"]

_FIELDS = ("actual_model", "system_fingerprint")


def differences(now: Iterable[Frozen], before: Iterable[Frozen]) -> list[Change]:
    """Return what was added, removed and altered, in order of role and name."""
    new = {(one.role, one.name): one.content for one in now}
    old = {(one.role, one.name): one.content for one in before}
    changes: list[Change] = []
    for role, name in sorted(
        new.keys() | old.keys(), key=lambda key: (key[0].encode(), key[1].encode())
    ):
        if (role, name) not in old:
            changes.append(Change(role=role, name=name, change="added"))
        elif (role, name) not in new:
            changes.append(Change(role=role, name=name, change="removed"))
        elif new[role, name] != old[role, name]:
            changes.append(Change(role=role, name=name, change="altered"))
    return changes


def in_words(changes: Iterable[Change]) -> str:
    """Say changes in one line."""
    return ", ".join(f"{one.role} {one.name} {one.change}" for one in changes)


@dataclass(frozen=True, slots=True)
class ModelChange:
    """Answers to requests for one model began to say something else."""

    requested_model: str
    field: str
    """`actual_model` or `system_fingerprint`."""
    before: str
    after: str
    at: str
    """created_at of the first witness that says so."""

    def __str__(self) -> str:
        return (
            f"{self.requested_model}: {self.field} was {self.before} and is {self.after} "
            f"since {self.at}"
        )


class Drift:
    """What the answers said about the models that were asked for; each new value counts once."""

    def __init__(self) -> None:
        self.changes: list[ModelChange] = []
        self._seen: dict[tuple[str, str], dict[str, None]] = {}

    def witness(self, body: Mapping[str, Any], at: str) -> list[ModelChange]:
        """Take in the body of a witness; returns what it says for the first time."""
        model = body.get("model")
        if not isinstance(model, Mapping):
            return []
        requested = model.get("requested_model")
        if not isinstance(requested, str):
            return []
        found = []
        for field in _FIELDS:
            value = model.get(field)
            if not isinstance(value, str):
                continue
            seen = self._seen.setdefault((requested, field), {})
            if seen and value not in seen:
                found.append(ModelChange(requested, field, next(reversed(seen)), value, at))
            seen.setdefault(value)
        self.changes.extend(found)
        return found

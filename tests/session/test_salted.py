"""Sessions in a salted ledger: nothing published confirms a guess (specs/06 §2, specs/10 §7)."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import ContentError, Ledger
from ledger.capture.exchange import Response
from ledger.errors import SessionError
from ledger.formats.call import call_digest
from ledger.formats.content import from_cbor, references
from tests.helpers.places import Place
from tests.session.lab import NAME, URL, Prices, answer, ask, bodies, do, entries, text_of


@pytest.fixture
def log(place: Place) -> Iterator[Ledger]:
    place.init(salted=True)
    with place.open() as opened:
        yield opened


def test_digests_are_keyed(log: Ledger) -> None:
    """By 32 bytes that the first run makes and later ones repeat; another session has others."""
    for name in (NAME, NAME, "other"):
        with log.session(name) as session:
            do(session, ask("a"))
    opened = bodies(log, "session_open")
    assert opened[0]["call_key"] == opened[1]["call_key"]
    key = log.content(opened[0]["call_key"])
    assert len(key) == 32
    (intent,) = bodies(log, "intent")
    arguments = ("POST", URL, intent["request_headers"], ask("a").body)
    assert intent["call"]["digest"] == call_digest(*arguments, key)
    (other,) = [one.payload.body for one in log.find(session="other", type="intent")]
    assert other["call"]["digest"] not in (intent["call"]["digest"], call_digest(*arguments))


def test_every_reference_is_salted(log: Ledger, tmp_path: Path, prices: Prices) -> None:
    """Also those of large contents, files, savepoints and steps; a plain digest stands nowhere."""
    plan = tmp_path / "plan.md"
    plan.write_text("plan")
    with log.session(NAME, experiment=plan, corpus=tmp_path, prices=prices) as session:

        @session.step
        def step(text: str) -> str:
            do(session, ask(text), answer(text))
            return text

        step("x" * 200_000)
        packed = Response(200, (("content-encoding", "gzip"),), gzip.compress(answer().body))
        session.begin(ask("b")).responded(packed)
        session.savepoint("s", 1)
    for entry in entries(log):
        assert all(ref.salted for ref in references(entry.payload.body))
    assert all("decoded" not in body for body in bodies(log, "outcome"))


def test_answers_are_given_again(log: Ledger, prices: Prices) -> None:
    with log.session(NAME, prices=prices) as session:
        do(session, ask("a"), answer("first"))
        session.savepoint("s", {"x": 1}, complete=True)
    with log.session(NAME, prices=prices) as session:
        assert text_of(session.begin(ask("a"))) == "first"
        assert session.savepoint("s", {"x": 1}, complete=True) is None
    assert len(bodies(log, "intent")) == 1


def test_equal_content_keeps_its_reference(log: Ledger, tmp_path: Path) -> None:
    """It is compared through its salt, so that an unchanged file is no change."""
    plan, corpus = tmp_path / "plan.md", tmp_path / "corpus"
    corpus.mkdir()
    plan.write_text("one" * 50_000)
    for _ in range(2):
        with log.session(NAME, experiment=plan, corpus=corpus):
            pass
    first, second = bodies(log, "session_open")
    assert first["frozen"] == second["frozen"]
    assert "changed" not in second
    plan.write_text("two")
    with pytest.raises(SessionError, match=r"plan\.md altered"):
        log.session(NAME, experiment=plan, corpus=corpus)


def test_a_frozen_file_whose_salt_is_gone(log: Ledger, tmp_path: Path) -> None:
    """It cannot be compared any more, and counts as altered."""
    plan = tmp_path / "plan.md"
    plan.write_text("one")
    with log.session(NAME, experiment=plan):
        pass
    log.erase(from_cbor(bodies(log, "session_open")[0]["frozen"][0]["content"]), "wanted")
    with pytest.raises(SessionError, match="session_changed"):
        log.session(NAME, experiment=plan)
    with log.session(NAME, experiment=plan, on_change="continue"):
        pass
    assert bodies(log, "session_open")[1]["changed"][0]["change"] == "altered"


def test_without_its_key_a_session_ends(log: Ledger) -> None:
    """Calls could not be told apart any more: said at once, nothing is sent."""
    with log.session(NAME):
        pass
    log.erase(from_cbor(bodies(log, "session_open")[0]["call_key"]), "wanted")
    with pytest.raises(ContentError, match="content_erased"):
        log.session(NAME)
    with log.session("another"):
        pass

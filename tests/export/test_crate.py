"""The metadata file as the public validator for RO-Crate sees it (specs/07 §7)."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.export import export
from ledger.export.crate import CRATE_MAX_ACTIONS
from tests.export.lab import ROOT, Lab, draft, fill
from tests.replay.planned import tell

SHARED = Path(os.environ.get("VIF_SHARED", ROOT.parent / "shared")) / "vectors" / "ro-crate"
CONTEXTS = {
    "https://w3id.org/ro/crate/1.1/context": "1.1.jsonld",
    "https://w3id.org/ro/terms/workflow-run/context": "wfrun.jsonld",
}
PROFILES = ("ro-crate-1.1", "process-run-crate-0.5")
KNOWN_ADVICE = {
    # nobody told the ledger addresses of organisations and models, and it invents none
    "The organization SHOULD have a URL.",
    "The Application SHOULD have a url",
    "The SoftwareApplication id SHOULD be an absolute URI",
    # a call that failed has no result
    "The Action SHOULD have a result",
}


@pytest.fixture(scope="module")
def http_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache for the validator that knows the JSON-LD contexts, so that it needs no network."""
    if not SHARED.is_dir():
        pytest.skip(f"no JSON-LD contexts at {SHARED}; set VIF_SHARED")
    requests = pytest.importorskip("requests")
    requests_cache = pytest.importorskip("requests_cache")
    urllib3 = pytest.importorskip("urllib3")
    path = tmp_path_factory.mktemp("http") / "cache"
    with requests_cache.CachedSession(cache_name=str(path), backend="sqlite") as session:
        for url, name in CONTEXTS.items():
            body = (SHARED / name).read_bytes()
            headers = {"Content-Type": "application/ld+json"}
            response = requests.Response()
            response.status_code, response.url = 200, url
            response.headers.update(headers)
            response.request = requests.Request("GET", url).prepare()
            response.raw = urllib3.HTTPResponse(
                body=io.BytesIO(body), headers=headers, status=200, preload_content=False
            )
            response.raw._request_url = url
            response._content = body
            session.cache.save_response(response)
        session.cache.close()
    yield path
    http = pytest.importorskip("rocrate_validator.utils.http")
    http.HttpRequester.reset()


def advice(crate: Path, cache: Path) -> set[str]:
    """Validate strictly; return what is only recommended and not done."""
    from rocrate_validator import models, services

    messages = set()
    for profile in PROFILES:
        settings = services.ValidationSettings(
            rocrate_uri=str(crate),
            profile_identifier=profile,
            requirement_severity=models.Severity.RECOMMENDED,
            cache_path=cache,
            offline=True,
        )
        result = services.validate(settings)
        required = result.get_issues(models.Severity.REQUIRED)
        assert [issue.message for issue in required] == []
        messages |= {issue.message for issue in result.get_issues()}
    return messages


def graph(package: Path) -> dict[str, dict[str, Any]]:
    """The entities of a package by id."""
    document = json.loads((package / "data" / "ro-crate-metadata.json").read_bytes())
    entities = {entity["@id"]: entity for entity in document["@graph"]}
    assert len(entities) == len(document["@graph"])
    return entities


def actions(package: Path) -> list[dict[str, Any]]:
    """The actions of a package."""
    return [e for e in graph(package).values() if e["@type"] == "CreateAction"]


@pytest.mark.filterwarnings("ignore")
def test_the_crate_is_valid_by_both_profiles(lab: Lab, tmp_path: Path, http_cache: Path) -> None:
    """Everything REQUIRED, and of what is RECOMMENDED all that the log knows."""
    with lab.open(session="run-1") as log:
        fill(log, 3)
        hostile = 'a"b\\c</script>\u202e{"@id": "x"}\U0001f642'
        log.append_many(
            [
                draft(log, 7, model=hostile, media_type=hostile),
                draft(log, 8, output=None),
                draft(log, 9, provider="other", output=b"{}", media_type="application/json"),
            ]
        )
        log.erase(draft(log, 0).contents[0].ref, "asked for")
        export(log, tmp_path / "whole")
        export(log, tmp_path / "held", contents="withheld")
    for name in ("whole", "held"):
        assert advice(tmp_path / name / "data", http_cache) <= KNOWN_ADVICE
    names = {e["name"] for e in graph(tmp_path / "whole").values() if "name" in e}
    assert hostile in names


@pytest.mark.filterwarnings("ignore")
def test_a_replay_plan_is_in_the_crate(lab: Lab, tmp_path: Path, http_cache: Path) -> None:
    """Each file with its format and what it is for, parts of the root; the plan has a format."""
    with lab.open() as log:
        tell(log)
        made = export(log, tmp_path / "whole", replay=True)
        plain = export(log, tmp_path / "plain")
    assert advice(made.path / "data", http_cache) <= KNOWN_ADVICE
    found = graph(made.path)
    names = ["plan.jsonl", "weights.json", "environment.json", "requirements.txt"]
    expected = [f"replay/{name}" for name in names] + ["../REPLAY.md"]
    parts = [part["@id"] for part in found["./"]["hasPart"]]
    assert [part for part in parts if "replay" in part.lower()] == expected
    for identifier in expected:
        entity = found[identifier]
        assert entity["@type"] == "File"
        assert entity["encodingFormat"]
        assert entity["description"]
        assert (made.path / "data" / identifier).is_file()
    form = found[found["replay/plan.jsonl"]["conformsTo"]["@id"]]
    assert (form["@type"], form["version"]) == ("CreativeWork", "1")
    assert not [one for one in graph(plain.path) if "replay" in one.lower()]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_a_large_crate_has_an_action_a_session_and_is_valid(
    lab: Lab, tmp_path: Path, http_cache: Path
) -> None:
    """Beyond CRATE_MAX_ACTIONS witnesses: one action for each session, one for a stream without."""
    with lab.open(session="one") as log, lab.open() as other:
        fill(log, CRATE_MAX_ACTIONS - 1, output=b"x")
        fill(other, 2, output=b"x")
        export(log, tmp_path / "whole")
        export(log, tmp_path / "part", session="one")
    made = actions(tmp_path / "whole")
    assert [action["name"] for action in made] == [
        f"{CRATE_MAX_ACTIONS - 1} operations of session one",
        "2 operations of stream main",
    ]
    assert made[0]["result"] == {"@id": "log/"}
    assert advice(tmp_path / "whole" / "data", http_cache) <= KNOWN_ADVICE
    assert len(actions(tmp_path / "part")) == CRATE_MAX_ACTIONS - 1


def test_an_action_says_what_the_witness_says(lab: Lab, tmp_path: Path) -> None:
    """Instrument, agent, times, status, files that are there, hashes of those that are not."""
    with lab.open(session="run-1") as log:
        kept, gone, failed = draft(log, 1), draft(log, 2), draft(log, 3, output=None)
        receipts = log.append_many([kept, gone, failed])
        log.erase(gone.contents[1].ref, "asked for")
        export(log, tmp_path / "whole")
    entities = graph(tmp_path / "whole")
    root = entities["./"]
    assert root["conformsTo"] == {"@id": "https://w3id.org/ro/wfrun/process/0.5"}
    assert [one["@id"] for one in root["mentions"]] == [f"#{r.id}" for r in receipts]
    one, two, three = (entities[f"#{receipt.id}"] for receipt in receipts)
    assert one["identifier"] == receipts[0].leaf_hash.hex()
    assert entities[one["instrument"]["@id"]]["name"] == "gpt-4o"
    assert entities[one["agent"]["@id"]]["name"] == "producer"
    assert one["endTime"] == receipts[0].created_at[:23] + "+00:00"
    assert one["startTime"] < one["endTime"]
    assert one["actionStatus"].endswith("/CompletedActionStatus")
    file = entities[one["result"]["@id"]]
    ref = kept.contents[1].ref
    assert file["@type"] == "File"
    assert (file["sha256"], file["contentSize"]) == (ref.sha256.hex(), str(ref.size_bytes))
    assert (tmp_path / "whole" / "data" / file["@id"]).read_bytes() == kept.contents[1].data
    lost = entities[two["result"]["@id"]]
    assert (lost["@type"], lost["value"]) == (
        "PropertyValue",
        gone.contents[1].ref.sha256.hex(),
    )
    assert "result" not in three
    assert three["actionStatus"].endswith("/FailedActionStatus")


def test_the_file_is_ascii_json(lab: Lab, tmp_path: Path) -> None:
    """No character of a name can mislead whoever looks at the raw file."""
    with lab.open() as log:
        log.append_many([draft(log, 1, model="größe \u202e\U0001f642")])
        export(log, tmp_path / "whole")
    raw = (tmp_path / "whole" / "data" / "ro-crate-metadata.json").read_bytes()
    assert raw.isascii()
    assert b"\\u202e" in raw

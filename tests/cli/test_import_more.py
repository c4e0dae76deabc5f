"""`vif import vcr`, `otlp` and `experiment`: what they print, refuse and leave in a package."""

from __future__ import annotations

import json
from pathlib import Path

from tests.capture.foreign import KEY, cassette, experiment, export, interaction, span
from tests.cli.test_package_commands import verify
from tests.cli.world import Vif


def test_cassettes_are_imported_and_a_second_time_nothing(vif: Vif, lab: Path) -> None:
    """Several at once; one that was imported before is no error and adds nothing."""
    first = cassette(Path("a.yaml"), interaction())
    ran = vif("import", "vcr", lab, first, "--session", "tape", "--json")
    assert ran.code == 0
    assert ran.json["file"] == "a.yaml"
    assert (ran.json["witnesses"], ran.json["session"]) == (1, "tape")
    second = cassette(Path("b.yaml"), interaction(), interaction())
    both = vif("import", "vcr", lab, first, second, "--session", "tape", "--json")
    assert both.code == 0
    assert both.lines[0]["error"]["code"] == "already_imported"
    assert both.lines[1]["witnesses"] == 2
    size = both.lines[1]["size"]
    again = vif("import", "vcr", lab, first, second)
    assert (again.code, again.out) == (0, "")
    assert again.err.count("nothing new") == 2
    assert vif("head", lab, "--json").json["size"] == size
    assert "imported" in vif("import", "vcr", lab, first, "--again").out


def test_credentials_are_refused_with_the_way_out(vif: Vif, lab: Path) -> None:
    """The hint names the option; what was taken out is told, and never shown."""
    headers = {"authorization": [f"Bearer {KEY}"], "content-type": ["application/json"]}
    bad = cassette(Path("bad.yaml"), interaction(request__headers=headers))
    ran = vif("import", "vcr", lab, bad, "--json")
    assert ran.code == 2
    assert ran.error["code"] == "source_secrets"
    assert "--redact" in ran.error["hint"]
    good = cassette(Path("good.yaml"), interaction())
    both = vif("import", "vcr", lab, bad, good)
    assert both.code == 1
    assert "error[source_secrets]" in both.err
    assert "imported" in both.out
    redacted = vif("import", "vcr", lab, bad, "--redact")
    assert redacted.code == 0
    assert "interaction 1 request header authorization" in redacted.err
    for one in (ran, both, redacted):
        assert KEY not in one.out + one.err


def test_an_undated_cassette_needs_a_time(vif: Vif, lab: Path) -> None:
    """It is skipped and told with exit code 1; a typed time must be one."""
    undated = cassette(Path("c.yaml"), interaction(response__headers={}))
    assert vif("import", "vcr", lab, undated, "--assume-time", "soon").code == 2
    ran = vif("import", "vcr", lab, undated)
    assert ran.code == 1
    assert "no date header" in ran.err
    ran = vif("import", "vcr", lab, undated, "--again", "--assume-time", "2024-05-06T07:08:09")
    assert ran.code == 0


def test_traces_are_imported(vif: Vif, lab: Path) -> None:
    """Witnesses and errors counted, other spans told."""
    other = span(3, attributes=[])
    Path("t.jsonl").write_text(json.dumps(export(span(2, 1), span(1), other)) + "\n")
    ran = vif("import", "otlp", lab, "t.jsonl", "--json")
    assert ran.code == 0
    assert (ran.json["witnesses"], ran.json["skipped"]) == (2, [])
    assert len(ran.json["passed"]) == 1
    Path("bad.json").write_text("{")
    bad = vif("import", "otlp", lab, "bad.json", "--json")
    assert bad.error["code"] == "source_unreadable"
    assert vif("import", "otlp", lab, "none.json", "--json").error["code"] == "file_unreadable"


def test_a_folder_is_imported_and_can_be_handed_over(vif: Vif, lab: Path) -> None:
    """Named for the folder; a second run adds nothing; all of it, and the session, verify."""
    folder = experiment(Path("experiment_2"))
    ran = vif("import", "experiment", lab, folder, "--json")
    assert ran.code == 0
    assert ran.json["session"] == "experiment_2"
    assert (ran.json["files"], ran.json["witnesses"], ran.json["annotations"]) == (10, 4, 4)
    again = vif("import", "experiment", lab, folder, "--json")
    assert again.code == 0
    assert (again.json["added"], "index" in again.json) == (0, False)
    shown = vif("import", "experiment", lab, folder)
    assert "10 files, 0 new" in shown.out
    assert "experiment.md: not recognised" in shown.err
    cassette(Path("c.yaml"), interaction())
    Path("t.jsonl").write_text(json.dumps(export(span(2, 1), span(1))) + "\n")
    assert vif("import", "vcr", lab, "c.yaml").code == 0
    assert vif("import", "otlp", lab, "t.jsonl").code == 0
    whole = vif("export", lab, "whole", "--json").json
    checked = verify(*whole["verify"])
    assert checked.returncode == 0, checked.stdout
    part = vif("export", lab, "part", "--session", "experiment_2", "--json").json
    checked = verify(*part["verify"])
    assert checked.returncode in (0, 3), checked.stdout
    state = (folder / "results/state_001.json").read_bytes()
    kept = {path.read_bytes() for path in Path("part").rglob("*") if path.is_file()}
    assert state in kept


def test_odd_folders_and_offsets_are_refused(vif: Vif, lab: Path) -> None:
    """Before anything is written."""
    assert vif("import", "experiment", lab, "none", "--json").error["code"] == "source_unreadable"
    folder = experiment(Path("experiment_2"))
    ran = vif("import", "experiment", lab, folder, "--utc-offset", "2", "--json")
    assert ran.error["code"] == "usage"
    assert vif("import", "experiment", lab, folder, "--utc-offset", "+02:00").code == 0

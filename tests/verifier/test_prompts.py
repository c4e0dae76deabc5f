"""Prompts made again from their templates: honest, altered, and hostile (specs/13 section 3)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.verifier import build
from tests.verifier.replan import JSON, Shop
from verifier import Report, verify_package
from verifier.errors import BadValue
from verifier.templates import filling, made, parse_snapshot, parse_variables

ATOMS = {"a": "first", "b": "second \u20ac", "c": ""}
TEMPLATE = "{{system}}\n{{atoms}}\n{{atom.2}}: {{q.1}}"
VARIABLES = {"system": "Be brief.", "q.1": "{{atoms}} why?"}
TEXT = "Be brief.\nfirst\n\nsecond \u20ac\nsecond \u20ac: {{atoms}} why?"


def filled(
    prompt: bytes | str = TEXT,
    template: bytes | str = TEMPLATE,
    variables: Any = VARIABLES,
    snapshot: Any = None,
    ids: list[str] | None = None,
    media: str = "text/plain",
    salted: bool = False,
) -> Shop:
    """A ledger with one witness whose prompt was made of a template; None leaves out."""

    def raw(value: Any) -> bytes:
        value = json.dumps(value) if not isinstance(value, (bytes, str)) else value
        return value.encode() if isinstance(value, str) else value

    s = Shop(salted)
    data: dict[str, Any] = {
        "prompt_hash": s.ref(raw(prompt), media), "prompt_template": s.ref(raw(template)),
        "context_atom_ids": ["a", "b"] if ids is None else ids,
    }  # fmt: skip
    if not data["context_atom_ids"]:
        del data["context_atom_ids"]
    if variables is not None:
        data["prompt_variables"] = s.ref(raw(variables), JSON)
    if snapshot is not False:
        data["context_snapshot"] = s.ref(raw({"atoms": ATOMS} if snapshot is None else snapshot))
    s.witness("w", data=data)
    return s


def verify(s: Shop, folder: Path, **given: Any) -> Report:
    files = build.package(s.ledger, **given)
    head = f"{len(s.ledger.entries)}:{s.ledger.root().hex()}"
    return verify_package(build.write(files, folder), trust=s.ledger.genesis.hex(), known_head=head)


def codes(report: Report) -> list[tuple[str, int | None]]:
    return [(f["code"], f["index"]) for f in report.findings if f["severity"] == "fail"]


@pytest.mark.parametrize("salted", [False, True])
def test_a_prompt_follows_from_its_template(tmp_path: Path, salted: bool) -> None:
    report = verify(filled(salted=salted), tmp_path)
    assert (codes(report), report.status("replay"), report.exit_code) == ([], "verified", 0)
    assert report.summaries["replay"] == "1 of 1 prompt made again"


@pytest.mark.parametrize(
    "given",
    [
        {"prompt": TEXT + " "},
        {"prompt": TEXT[:-1]},
        {"template": TEMPLATE + "!"},
        {"template": TEMPLATE.replace("atom.2", "atom.1")},
        {"snapshot": {"atoms": ATOMS | {"a": "altered"}}},
        {"variables": VARIABLES | {"system": "Be long."}},
        {"ids": ["b", "a"]},
        {"ids": ["a", "b", "c"]},
        {"ids": ["a", "zz"]},
        {"ids": []},
        {"template": "{{nothing}}"},
        {"template": "{{atom.3}}", "prompt": ""},
        {"template": "{{atom.0}}", "prompt": ""},
        {"template": "{{atom.02}}", "prompt": "second \u20ac"},
        {"template": "{{atom.99999999999999999999}}", "prompt": ""},
        {"variables": ["a"]},
        {"variables": VARIABLES | {"n": 1}},
        {"variables": VARIABLES | {"n": {"x": "y"}}},
        {"variables": b'{"system":"Be brief.","q.1":"a","q.1":"{{atoms}} why?"}'},
        {"variables": b"{" * 100_000},
        {"variables": b"\xff"},
        {"snapshot": {"atoms": ATOMS, "more": {}}},
        {"snapshot": {"atoms": [1]}},
        {"snapshot": {"atoms": ATOMS | {"d": None}}},
        {"snapshot": {}},
        {"snapshot": "[" * 100_000},
        {"snapshot": False},
        {"template": TEMPLATE.encode() + b"\xff"},
    ],
    ids=lambda given: str(given)[:40],
)
def test_a_prompt_that_does_not_follow(tmp_path: Path, given: Any) -> None:
    """An altered template, atom or variable, atoms in another order, a document that is none."""
    s = filled(**given)
    report = verify(s, tmp_path)
    assert codes(report) == [("prompt_mismatch", s.at["w"])]
    assert (report.status("replay"), report.exit_code) == ("failed", 1)


@pytest.mark.parametrize(
    ("prompt", "fits"),
    [
        ([{"role": "user", "content": TEXT}], True),
        ([{"role": "user", "content": "before " + TEXT + " after"}], True),
        ({"deep": [[{"x": TEXT}]]}, True),
        ({TEXT: "a name is no value"}, False),
        ([{"content": TEXT[:9]}, {"content": TEXT[9:]}], False),
        (TEXT.encode(), True),
    ],
    ids=str,
)
def test_a_prompt_of_json_contains_the_text(tmp_path: Path, prompt: Any, fits: bool) -> None:
    """As specs/12 section 4 says it: as bytes, or in one string value."""
    s = filled(prompt=prompt, media=JSON)
    assert codes(verify(s, tmp_path)) == ([] if fits else [("prompt_mismatch", s.at["w"])])


def test_without_a_snapshot_atoms_are_variables(tmp_path: Path) -> None:
    """Both keys of atoms are only with a snapshot; any other is a variable of that name."""
    variables = {"atoms": "x", "atom.1": "y"}
    s = filled(prompt="xy", template="{{atoms}}{{atom.1}}", variables=variables, snapshot=False)
    assert codes(verify(s, tmp_path)) == []


def test_only_a_snapshot(tmp_path: Path) -> None:
    s = filled(prompt="first", template="{{atom.1}}", variables=None)
    assert codes(verify(s, tmp_path)) == []


def test_a_template_with_nothing_to_fill_it_is_not_looked_at(tmp_path: Path) -> None:
    report = verify(filled(prompt="x", variables=None, snapshot=False), tmp_path)
    assert (codes(report), report.status("replay")) == ([], "not_applicable")


def test_contents_that_are_not_there(tmp_path: Path) -> None:
    """What is withheld is not judged, and the report says of how many."""
    report = verify(filled(prompt="something else"), tmp_path, withheld=True)
    assert codes(report) == []
    assert "prompts made from templates: contents not in the package (1)" in report.not_checked


def test_a_content_that_is_wrong_is_said_once(tmp_path: Path) -> None:
    s = filled()
    files = build.package(s.ledger, signed=False)
    data = build.payload(s.ledger.entries[s.at["w"]])["body"]["data"]
    address = data["prompt_template"]["blake3"].hex()
    files[f"data/content/{address[:2]}/{address}"] = b"x" * len(TEMPLATE)
    report = verify_package(build.write(build.bag(files), tmp_path))
    assert codes(report) == [("content_mismatch", s.at["w"])]


def test_many_witnesses_with_one_snapshot(tmp_path: Path) -> None:
    """A snapshot is taken apart once; each witness is judged."""
    s = Shop()
    snapshot = s.ref(json.dumps({"atoms": {f"a{n}": str(n) for n in range(300)}}).encode(), JSON)
    template = s.ref(b"{{atom.1}}")
    for n in range(300):
        prompt = s.ref(str(n if n != 7 else 8).encode())
        data = {"prompt_hash": prompt, "prompt_template": template, "context_snapshot": snapshot,
                "context_atom_ids": [f"a{n}"]}  # fmt: skip
        s.witness(str(n), data=data)
    assert codes(verify(s, tmp_path)) == [("prompt_mismatch", s.at["7"])]


def test_each_witness_has_its_own_variables(tmp_path: Path) -> None:
    s = Shop()
    template = s.ref(b"{{x}}")
    for name, value in (("one", "1"), ("two", "2"), ("bad", "3"), ("again", "1")):
        prompt = s.ref(b"no" if name == "bad" else value.encode())
        data = {"prompt_hash": prompt, "prompt_template": template,
                "prompt_variables": s.ref(json.dumps({"x": value}).encode(), JSON)}  # fmt: skip
        s.witness(name, data=data)
    assert codes(verify(s, tmp_path)) == [("prompt_mismatch", s.at["bad"])]


def put_in(template: str, **variables: str) -> str | None:
    text = made(template.encode(), filling(parse_variables(json.dumps(variables).encode()), None,
                                           ()), 10_000)  # fmt: skip
    return None if text is None else text.decode()


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("", ""),
        ("{{a}}", "A"),
        ("{{{a}}}", "{A}"),
        ("{{a}}{{a}}{{b}}", "AA{{a}}"),
        ("{{ a }}", "{{ a }}"),
        ("{{}}", "{{}}"),
        ("{a}", "{a}"),
        ("{{a", "{{a"),
        ("{{a\n}}", "{{a\n}}"),
        ("{{\u20ac}}", "{{\u20ac}}"),
        ("{{" + "k" * 129 + "}}", "{{" + "k" * 129 + "}}"),
        ("{{{{a}}}}", "{{A}}"),
    ],
)
def test_what_a_key_is(template: str, expected: str) -> None:
    """Once, from left to right; what is put in is not looked at again."""
    assert put_in(template, a="A", b="{{a}}") == expected


def test_a_text_that_grows_without_end_is_not_written() -> None:
    """A template that would make terabytes is given up by its length, before it is written."""
    variables = {b"v": b"x" * 1_000_000}
    assert made(b"{{v}}" * 1_000_000, filling(variables, None, ()), 1000) is None
    atoms = {b"a": b"x" * 1_000_000}
    assert made(b"{{atoms}}" * 10_000, filling(None, atoms, ["a"] * 1024), 1000) is None


@pytest.mark.parametrize("raw", [b"", b"[]", b'"x"', b'{"a":"\\ud800"}', b'{"a":1e999}'])
def test_documents_that_are_none(raw: bytes) -> None:
    for parse in (parse_variables, parse_snapshot):
        with pytest.raises(BadValue):
            parse(raw)

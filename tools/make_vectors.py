"""Write specs/vectors and the examples in the pages, from fixed seeds and times.

    python tools/make_vectors.py            write what differs
    python tools/make_vectors.py --check    write nothing, list what differs, exit 1 if any does

specs/vectors/README.md says what a case means.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.vectors import (  # noqa: E402 - the repository has to be on the path first
    bodies,
    calls,
    case,
    cbor_cases,
    contents,
    cross_bodies,
    heads,
    histories,
    keys,
    operation_packages,
    packages,
    pages,
    plan_packages,
    proofs,
    replay_bodies,
    replay_packages,
    session_bodies,
    session_folders,
    session_packages,
    statements,
)

FAMILIES = (
    cbor_cases,
    statements,
    heads,
    proofs,
    keys,
    histories,
    contents,
    bodies,
    session_bodies,
    cross_bodies,
    replay_bodies,
    calls,
    packages,
    session_packages,
    session_folders,
    operation_packages,
    replay_packages,
    plan_packages,
)


def main(arguments: list[str] | None = None) -> int:
    """Run the program; return its exit code."""
    parser = argparse.ArgumentParser(description="write specs/vectors and the examples in specs")
    parser.add_argument(
        "--check", action="store_true", help="write nothing, exit 1 on a difference"
    )
    parser.add_argument("--specs", type=Path, default=ROOT / "specs", help="the folder of pages")
    options = parser.parse_args(arguments)
    files = case.collect(made for family in FAMILIES for made in family.cases())
    texts = pages.filled(options.specs, files)
    if options.check:
        wrong = [f"vectors/{path}" for path in case.differences(files, options.specs / "vectors")]
        wrong += [page.name for page in texts]
        print("\n".join(wrong) or f"{len(files)} files as made")
        return 1 if wrong else 0
    changed = case.write(files, options.specs / "vectors")
    for page, text in texts.items():
        page.write_text(text)
    print(f"{len(files)} files, {len(changed)} changed; {len(texts)} pages changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())

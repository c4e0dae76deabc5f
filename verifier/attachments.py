"""Packages of others in the folder `attachments/` of a package (specs/13 section 10)."""

from __future__ import annotations

import posixpath

from .layout import ATTACHMENTS, BESIDE_MAX
from .package import FolderPackage, Package, is_component
from .report import Report


def attached(package: Package, report: Report) -> list[Report]:
    """Return a report for each attached package; what cannot be one is a finding of the first."""
    if not isinstance(package, FolderPackage):
        return []
    names = []
    for name, usable in package.attachments():
        path = f"{ATTACHMENTS}/{name}"
        if not is_component(name):
            report.note("name_invalid", "a name that is not allowed", path=path)
        elif not usable:
            report.note("link_refused", "neither a regular file nor a folder", path=path)
        else:
            names.append(path)
    if len(names) > BESIDE_MAX:
        text = f"more than {BESIDE_MAX} packages are attached"
        report.note("package_invalid", text, path=ATTACHMENTS)
    return [
        Report(report.verifier, report.verified_at, posixpath.join(report.package, path))
        for path in names[:BESIDE_MAX]
    ]

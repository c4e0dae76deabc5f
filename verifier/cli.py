"""The command line: `vif-verify PACKAGE [--trust ...] [--known-head ...]`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from . import JOBS_MAX, __version__, verify_package
from .endpoint import REPLAY_LEVEL, REPLAY_TIMEOUT_MAX_S, REPLAY_TIMEOUT_S
from .errors import AXES
from .layout import BESIDE_MAX
from .levels import LEVELS
from .report import EXIT_UNREADABLE, Report
from .text import safe

_EPILOG = """\
example:
  vif-verify runs-2026-11-20 --trust lab.trust.json --known-head head.txt
  vif-verify answers --trust lab.trust.json --beside insights \\
             --trust other.trust.json --lineage 27
  vif-verify runs-2026-11-20 --trust lab.trust.json \\
             --replay-endpoint http://127.0.0.1:8080

exit codes:
  0  verified    every axis that applies is verified, under the pinned genesis,
                 up to the known head
  1  failed      something is wrong, or an axis named by --require is not verified
  2  unreadable  a package, trust file or known head cannot be read, or a wrong call
  3  limited     intact as far as it goes, but incomplete, unanchored, unpinned
                 or unsigned
"""
_PROGRESS_AFTER_S = 2.0


class _Parser(argparse.ArgumentParser):
    """A parser whose errors cannot carry control characters to the terminal."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.print_usage(sys.stderr)
        print(f"{self.prog}: usage: {safe(message)}", file=sys.stderr)
        raise SystemExit(EXIT_UNREADABLE)


def _jobs(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= JOBS_MAX:
        raise argparse.ArgumentTypeError(f"not a number from 1 to {JOBS_MAX}")
    return int(text[:9])


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found <= REPLAY_TIMEOUT_MAX_S:
        raise argparse.ArgumentTypeError(f"not a number above 0 up to {REPLAY_TIMEOUT_MAX_S:g}")
    return found


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    p = _Parser(
        prog="vif-verify",
        description="Verify a package of a vif-ledger: a folder or a zip.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("package", metavar="PACKAGE", help="the package, a folder or a zip file")
    p.add_argument(
        "--trust",
        metavar="FILE|HEX",
        action="append",
        default=[],
        help="trust file, or genesis leaf hash as 64 hex digits; once for each ledger",
    )
    p.add_argument(
        "--known-head",
        metavar="FILE|SIZE:ROOT",
        action="append",
        default=[],
        help="a head obtained from outside the package; a checkpoint file is for the package of "
        "its origin, SIZE:ROOT for PACKAGE",
    )
    p.add_argument(
        "--beside",
        metavar="PACKAGE",
        action="append",
        default=[],
        help=f"package of another ledger, in which parents are looked up; up to {BESIDE_MAX}",
    )
    p.add_argument(
        "--lineage",
        metavar="ID",
        help="list everything that a statement (id, index or leaf hash) rests on",
    )
    p.add_argument(
        "--require",
        metavar="AXIS",
        nargs="+",
        action="extend",
        choices=AXES,
        default=[],
        help="exit 1 unless these axes are verified: " + ", ".join(AXES),
    )
    asked = p.add_argument_group("sending requests again")
    asked.add_argument(
        "--replay-endpoint",
        metavar="URL",
        help="send the recorded requests to this server again, one at a time, and compare what "
        "comes back; nothing is sent anywhere without this",
    )
    asked.add_argument(
        "--allow-remote",
        action="store_true",
        help="let the endpoint be on another machine, which then sees the requests",
    )
    asked.add_argument(
        "--replay-level",
        metavar="LEVEL",
        choices=LEVELS,
        help=f"level that has to be reached, by default {REPLAY_LEVEL}: " + ", ".join(LEVELS),
    )
    asked.add_argument(
        "--replay-timeout",
        metavar="SECONDS",
        type=_seconds,
        help=f"time for each answer as a whole, by default {REPLAY_TIMEOUT_S:g}",
    )
    out = p.add_mutually_exclusive_group()
    out.add_argument("--json", action="store_true", help="print the report as JSON")
    out.add_argument("--html", metavar="FILE", help="also write the report as a page")
    p.add_argument("--jobs", metavar="N", type=_jobs, help="number of processes")
    p.add_argument("--quiet", action="store_true", help="print nothing but errors")
    p.add_argument("--version", action="version", version=f"vif-verify {__version__}")
    return p


class _Progress:
    """One line on a terminal when the work takes long."""

    def __init__(self) -> None:
        self._began = self._shown = time.monotonic()
        self.used = False

    def __call__(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._began < _PROGRESS_AFTER_S or now - self._shown < 0.2:
            return
        self._shown, self.used = now, True
        text = f"{step} {done}" + (f" of {total}" if total else "")
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()

    def end(self) -> None:
        """Take the line away."""
        if self.used:
            sys.stderr.write("\r\x1b[K")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    commands = parser()
    args = commands.parse_args(argv)
    if len(args.beside) > BESIDE_MAX:
        commands.error(f"--beside: more than {BESIDE_MAX} packages")
    if args.replay_endpoint is None and (
        args.allow_remote or args.replay_level is not None or args.replay_timeout is not None
    ):
        commands.error("--replay-endpoint is missing: nothing is sent without it")
    progress = _Progress() if sys.stderr.isatty() and not args.quiet else None
    try:
        report = verify_package(
            args.package,
            trust=args.trust,
            known_head=args.known_head,
            beside=args.beside,
            lineage=args.lineage,
            require=args.require,
            jobs=args.jobs,
            progress=progress,
            replay_endpoint=args.replay_endpoint,
            allow_remote=args.allow_remote,
            replay_level=args.replay_level or REPLAY_LEVEL,
            replay_timeout=args.replay_timeout or REPLAY_TIMEOUT_S,
        )
    except KeyboardInterrupt:
        return EXIT_UNREADABLE
    finally:
        if progress is not None:
            progress.end()
    try:
        return _output(args, report)
    except BrokenPipeError:
        # Whoever reads our output went away; the exit code still says what was found.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return report.exit_code
    except OSError as e:
        print(f"vif-verify: the report cannot be written: {e.strerror}", file=sys.stderr)
        return EXIT_UNREADABLE


def _output(args: argparse.Namespace, report: Report) -> int:
    code = report.exit_code
    if code == EXIT_UNREADABLE:
        for finding in report.findings:
            if finding["severity"] == "fatal":
                text = f"{finding['code']}: {finding['message']}"
                print(f"vif-verify: {safe(text)}", file=sys.stderr)
    if args.html:
        from .html import to_html

        with open(args.html, "w", encoding="utf-8") as file:
            file.write(to_html(report))
    if args.json:
        print(report.to_json())
    elif not args.quiet and code != EXIT_UNREADABLE:
        sys.stdout.write(report.to_text())
    sys.stdout.flush()
    return code

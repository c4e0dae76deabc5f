"""The `vif` command: what a person or a script does with a ledger from a shell.

Every command takes the ledger's folder as its first argument. Standard output carries the answer
(`--json`: as JSON, one object a line where there are several), standard error everything else.

| exit code | meaning |
|---|---|
| 0 | done; or the answer is yes |
| 1 | the answer is no: a file that does not match, a damaged ledger, lines of input refused |
| 2 | it could not be done: a wrong call, a missing file, a refused record |
| 130 | stopped with Ctrl-C |

Errors read `error[code]: message` and, where something helps, a line `hint: ...`; with `--json`
they are `{"error": {"code", "message", "hint"}}`, hint null when there is none. Codes are those of
`ledger.errors` and specs/08, and here also:

| code | meaning |
|---|---|
| `usage` | a wrong call |
| `file_unreadable`, `file_unwritable`, `file_exists` | a file that the caller named |
| `system` | the operating system refused |
| `proxy_libraries` | the proxy's libraries are not installed |
| `demo_failed` | the demo did not go as it should (exit code 1) |
| `demo_needs_openai`, `demo_service`, `demo_no_text` | SDK, model service or texts of the demo |
"""

from __future__ import annotations

from ledger.cli.app import main

__all__ = ["main"]

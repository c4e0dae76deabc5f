"""Pages made of templates: what all of them have in common.

HTML is escaped by itself, a name that is missing is an error, and what stands in a page as it is
(style, script) is named by its hash in the policy of the page.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from ledger.export.text import shown

__all__ = ["clip", "content_hash", "environment", "own_file"]


def environment(package: str, filters: dict[str, Callable[..., Any]]) -> Environment:
    """The templates in the folder `templates` of a package, with filters for their values.

    All have `shown`, `clip`, `number` and `moment`.
    """
    made = Environment(
        loader=PackageLoader(package),
        # Markdown is escaped by filters; HTML entities have no place in it
        autoescape=select_autoescape(("html.j2",), default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "shown": shown,
        "clip": clip,
        "number": lambda value: f"{value:,}",
        "moment": lambda value: f"{value[:10]} {value[11:19]} UTC",
        **filters,
    }
    return made


def own_file(made: Environment, name: str) -> Markup:
    """A file of the package of an environment, as it is."""
    loader = made.loader
    assert loader is not None
    return Markup(loader.get_source(made, name)[0])  # noqa: S704 - ours, and constant


def content_hash(text: str) -> str:
    """How a content security policy names what may stand in a page."""
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"


def clip(text: str, characters: int) -> str:
    """Text in which nothing can act, cut with an ellipsis."""
    text = shown(text)
    return text if len(text) <= characters else text[: characters - 1] + "…"

"""The prompt as one text: as given, or messages put into the model's own chat template.

A prompt that is text goes to the model as it is. One that is JSON is an array of messages as chat
completions have them, and needs a template among the weights. Templates are Jinja of unknown
origin: rendered in a sandbox, without files. One that asks for the date is told the date that the
witness names, since today's would make another prompt tomorrow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple, NoReturn

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ledger.errors import ReplayError
from ledger.formats.call import read_ijson
from ledger.formats.containing import is_json
from ledger.model.archive import Media

__all__ = ["Prompt", "prompt_text"]


class Prompt(NamedTuple):
    """A text, and whether a template made it: then its special tokens are in it already."""

    text: str
    templated: bool


def prompt_text(
    content: Media, template: str | None, special: Mapping[str, Any], today: date | None
) -> Prompt:
    """Return the text that the model is given; raises `ReplayError("engine_failed")`.

    `special` are names a template may use, such as `bos_token`.
    """
    if not is_json(content.media_type):
        try:
            return Prompt(content.data.decode(), False)
        except UnicodeDecodeError:
            raise _failed("the prompt is not UTF-8") from None
    try:
        messages = read_ijson(content.data)
    except ValueError as error:
        raise _failed(f"the prompt is not I-JSON ({error})") from None
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise _failed("a prompt in JSON is an array of messages")
    if template is None:
        raise _failed("the prompt is messages, and the model has no chat template")
    try:
        rendered = (
            _environment(today)
            .from_string(template)
            .render(
                messages=messages, add_generation_prompt=True, tools=None, documents=None, **special
            )
        )
    except ReplayError:
        raise
    except Exception as error:
        # of a template anything can come
        raise _failed(f"the chat template: {type(error).__name__}") from error
    return Prompt(rendered, True)


def _environment(today: date | None) -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
    )
    made.filters["tojson"] = _tojson
    made.globals["raise_exception"] = _raise

    def strftime_now(form: str) -> str:
        if today is None:
            raise ReplayError(
                "engine_failed",
                "the chat template asks for the date, and the operation does not say which",
                hint="record it with a parameter `date`, such as 2026-11-20",
            )
        return today.strftime(form)

    made.globals["strftime_now"] = strftime_now
    return made


def _tojson(value: Any, indent: int | None = None, **options: Any) -> str:
    """As model templates expect it: without HTML escapes."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _failed(why: str) -> ReplayError:
    return ReplayError("engine_failed", why)

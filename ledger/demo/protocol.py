"""The chat-completions protocol: what a request may say, and how an answer is written.

Fields and error texts follow https://platform.openai.com/docs/api-reference/chat, plus `top_k`. A
request is answered as asked or refused: a field that would change the answer and is not supported
is an error, never passed over. A missing seed is seed 0, so equal requests get equal answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from ledger.demo.model import Generation, Parameters, Step
from ledger.demo.tokens import END

MAX_COMPLETION_TOKENS = 4096
_ROLES = ("system", "developer", "user", "assistant")
# Accepted with the value under which they change nothing, or with null.
_NEUTRAL: Mapping[str, tuple[object, ...]] = {
    "n": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "modalities": (["text"],),
    "response_format": ({"type": "text"},),
    "service_tier": ("auto", "default"),
}
# Accepted with any value: they are notes to the provider and do not touch the answer.
_NOTES = frozenset(
    ["user", "metadata", "store", "parallel_tool_calls", "safety_identifier", "prompt_cache_key"]
)
_FORM = frozenset(["model", "messages", "stop", "logprobs", "stream", "stream_options"])
_SAMPLING = frozenset(["temperature", "top_p", "top_k", "seed", "top_logprobs"])
_LIMITS = frozenset(["max_tokens", "max_completion_tokens"])
_KNOWN = _FORM | _SAMPLING | _LIMITS | _NOTES

Json: TypeAlias = dict[str, Any]


class ApiError(Exception):
    """A refusal in OpenAI's shape: HTTP status, message, the field at fault and a stable code."""

    def __init__(
        self, status: int, message: str, param: str | None = None, code: str | None = None
    ) -> None:
        """Keep the status, and the body to send with it."""
        super().__init__(message)
        self.status = status
        kind = "server_error" if status >= 500 else "invalid_request_error"
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A checked request: what to answer and in which form."""

    prompt: str
    background: tuple[str, ...]
    parameters: Parameters
    logprobs: bool
    stream: bool
    include_usage: bool


def _invalid(param: str, message: str, code: str = "invalid_value") -> NoReturn:
    raise ApiError(400, f"Invalid {param!r}: {message}.", param, code)


def _number(
    body: Json, name: str, default: float, low: float, high: float, whole: bool = True
) -> Any:
    value = body.get(name)
    if value is None:
        return default
    # bool is an int in Python but not in JSON.
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        _invalid(name, f"expected {'an integer' if whole else 'a number'}", "invalid_type")
    if not low <= value <= high:
        _invalid(name, f"expected a value from {low} to {high}, but got {value!r}")
    return value


def _flag(body: Json, name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        _invalid(name, "expected a boolean", "invalid_type")
    return bool(value)


def _text(value: object, param: str) -> str:
    if not isinstance(value, str):
        _invalid(param, "expected a string", "invalid_type")
    try:
        value.encode()
    except UnicodeEncodeError:
        _invalid(param, "the string has an unpaired surrogate")
    return value


def _content(message: object, param: str) -> str:
    if not isinstance(message, dict):
        _invalid(param, "expected an object", "invalid_type")
    if message.get("role") not in _ROLES:
        _invalid(f"{param}.role", f"expected one of {', '.join(_ROLES)}")
    content, param = message.get("content"), f"{param}.content"
    if not isinstance(content, list):
        return _text(content, param)
    for number, part in enumerate(content):
        if not isinstance(part, dict) or part.get("type") != "text":
            _invalid(f"{param}[{number}]", "expected a part of type 'text'")
    return "".join(_text(part.get("text"), f"{param}[{n}].text") for n, part in enumerate(content))


def parse_chat_request(body: object, model_name: str) -> ChatRequest:
    """Check the decoded body of a chat-completions request.

    The last user message (or, without one, the last message) is the prompt. Raises ApiError:
    404 for another model than `model_name`, 400 for anything else that cannot be answered.
    """
    if not isinstance(body, dict):
        raise ApiError(400, "The request body must be a JSON object.")
    for name, value in body.items():
        if name in _NEUTRAL:
            if value is not None and (isinstance(value, bool) or value not in _NEUTRAL[name]):
                only = " or ".join(map(repr, _NEUTRAL[name]))
                _invalid(name, f"this server supports only {only}", "unsupported_value")
        elif name not in _KNOWN:
            raise ApiError(400, f"Unknown parameter: {name!r}.", name, "unknown_parameter")
    for name in ("model", "messages"):
        if body.get(name) is None:
            message = f"Missing required parameter: {name!r}."
            raise ApiError(400, message, name, "missing_required_parameter")
    model = _text(body["model"], "model")
    if model != model_name:
        raise ApiError(404, f"The model {model!r} does not exist.", "model", "model_not_found")
    messages = body["messages"]
    if not isinstance(messages, list) or not messages:
        _invalid("messages", "expected a non-empty array", "invalid_type")
    contents = [_content(message, f"messages[{n}]") for n, message in enumerate(messages)]
    asked = [n for n, message in enumerate(messages) if message["role"] == "user"]
    prompt = contents.pop(asked[-1] if asked else -1)

    stop = body.get("stop")
    stops = [] if stop is None else stop if isinstance(stop, list) else [stop]
    if len(stops) > 4 or "" in stops:
        _invalid("stop", "expected up to 4 non-empty strings")
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        _invalid("max_tokens", "use either this or 'max_completion_tokens'")
    limit = "max_tokens" if body.get("max_tokens") is not None else "max_completion_tokens"
    logprobs, stream = _flag(body, "logprobs"), _flag(body, "stream")
    if body.get("top_logprobs") is not None and not logprobs:
        _invalid("top_logprobs", "'logprobs' must be true to use it")
    options = body.get("stream_options")
    if options is not None and (not stream or not isinstance(options, dict)):
        _invalid("stream_options", "expected an object, and only with 'stream' true")
    parameters = Parameters(
        seed=_number(body, "seed", 0, -(2**63), 2**63 - 1),
        temperature=_number(body, "temperature", 1.0, 0, 2, whole=False),
        top_p=_number(body, "top_p", 1.0, 0, 1, whole=False),
        top_k=_number(body, "top_k", 0, 0, 2**31 - 1),
        max_tokens=_number(body, limit, Parameters().max_tokens, 1, MAX_COMPLETION_TOKENS),
        top_logprobs=_number(body, "top_logprobs", 0, 0, 20),
        stop=tuple(_text(sequence, "stop") for sequence in stops),
    )
    usage = _flag(options or {}, "include_usage")
    return ChatRequest(prompt, tuple(contents), parameters, logprobs, stream, usage)


def _logprobs(steps: tuple[Step, ...]) -> Json:
    def entry(token: str, logprob: float) -> Json:
        # The end token is not text, so it has no bytes.
        return {
            "token": token,
            "logprob": logprob,
            "bytes": None if token == END else list(token.encode()),
        }

    content = [
        entry(step.token, step.logprob)
        | {"top_logprobs": [entry(other.token, other.logprob) for other in step.alternatives]}
        for step in steps
    ]
    return {"content": content, "refusal": None}


def _usage(answer: Generation) -> Json:
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
    }


def completion(request: ChatRequest, answer: Generation, frame: Json) -> Json:
    """One whole answer as a `chat.completion` object."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": answer.text, "refusal": None},
        "logprobs": _logprobs(answer.steps) if request.logprobs else None,
        "finish_reason": answer.finish_reason,
    }
    return frame | {"object": "chat.completion", "choices": [choice], "usage": _usage(answer)}


def chunks(request: ChatRequest, answer: Generation, frame: Json) -> Iterator[Json]:
    """One answer as the `chat.completion.chunk` objects of a stream."""
    frame = frame | {"object": "chat.completion.chunk"}
    if request.include_usage:
        frame["usage"] = None

    def chunk(delta: Json, logprobs: Json | None = None, finish: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return frame | {"choices": [choice]}

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    start = 0
    for step in answer.steps:
        # A stop sequence may have cut the last token: the slice is what the text still shows.
        shown = answer.text[start : start + len(step.token)]
        yield chunk({"content": shown}, _logprobs((step,)) if request.logprobs else None)
        start += len(step.token)
    yield chunk({}, finish=answer.finish_reason)
    if request.include_usage:
        yield frame | {"choices": [], "usage": _usage(answer)}

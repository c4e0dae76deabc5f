"""The spans of an OTLP/JSON file, one by one (opentelemetry-proto, `ExportTraceServiceRequest`).

    {"resourceSpans": [{"resource": {"attributes": […]},
      "scopeSpans": [{"scope": {"name": …},
        "spans": [{"traceId", "spanId", "parentSpanId", "name", "startTimeUnixNano",
                   "endTimeUnixNano", "attributes": [{"key", "value": {"stringValue": …}}],
                   "events": [{"name", "attributes"}], "status": {"code", "message"}}]}]}]}

A file is one such request, an array of them, or one a line, as the collector's file exporter
writes. Names may be in snake case, as protobuf's JSON has them on request, and the older
`instrumentationLibrarySpans` is read as `scopeSpans`. Integers of 64 bits come as text or number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from ledger.capture import fitting, strict_json
from ledger.errors import ImportSourceError
from ledger.formats.values import parse_decimal

__all__ = ["Span", "attributes", "requests", "spans"]

_CAMEL = {
    "start_time_unix_nano": "startTimeUnixNano",
    "end_time_unix_nano": "endTimeUnixNano",
    "parent_span_id": "parentSpanId",
    "trace_id": "traceId",
    "span_id": "spanId",
    "resource_spans": "resourceSpans",
    "scope_spans": "scopeSpans",
    "string_value": "stringValue",
    "bool_value": "boolValue",
    "int_value": "intValue",
    "double_value": "doubleValue",
    "array_value": "arrayValue",
    "kvlist_value": "kvlistValue",
    "bytes_value": "bytesValue",
}


@dataclass(frozen=True, slots=True)
class Span:
    """A span with its attributes as plain values; those of its resource are kept apart."""

    place: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    scope: str
    start_ns: int | None
    end_ns: int | None
    attributes: dict[str, Any]
    resource: dict[str, Any]
    events: tuple[tuple[str, dict[str, Any]], ...]
    failed: bool
    message: str | None

    @property
    def key(self) -> tuple[str, str]:
        """What names a span: its trace and its id."""
        return self.trace_id, self.span_id


def requests(file: BinaryIO) -> Iterator[tuple[str, Any]]:
    """Yield place and value of each JSON text of a file, read from its beginning.

    A first line that is JSON by itself makes the file JSON Lines. Raises `ImportSourceError`
    `source_unreadable`, naming the line.
    """
    file.seek(0)
    first = next(strict_json.lines(file), None)
    if first is None:
        raise ImportSourceError("source_unreadable", "the file is empty")
    try:
        strict_json.parse(first[1])
    except ImportSourceError:
        file.seek(0)
        yield "document", strict_json.whole(file)
        return
    file.seek(0)
    for number, line in strict_json.lines(file):
        try:
            value = strict_json.parse(line)
        except ImportSourceError as error:
            raise ImportSourceError(error.code, f"line {number}: {error.message}") from None
        yield f"line {number}", value


def spans(place: str, request: Any) -> Iterator[Span]:
    """Yield the spans of a request, or of an array of them.

    Raises `ImportSourceError` `source_unsupported` for JSON that is no trace export.
    """
    for one in request if isinstance(request, list) else [request]:
        found = _get(fitting.as_map(one), "resource_spans")
        if not isinstance(found, list):
            raise ImportSourceError("source_unsupported", f"{place}: no resourceSpans in it")
        number = 0
        for group in map(fitting.as_map, found):
            resource = attributes(fitting.as_map(group.get("resource")).get("attributes"))
            scopes = _get(group, "scope_spans") or group.get("instrumentationLibrarySpans")
            for scope in map(fitting.as_map, fitting.as_list(scopes)):
                named = scope.get("scope") or scope.get("instrumentationLibrary")
                scope_name = fitting.name(fitting.as_map(named).get("name")) or ""
                for span in fitting.as_list(scope.get("spans")):
                    number += 1
                    where = f"{place} span {number}"
                    yield _span(where, fitting.as_map(span), scope_name, resource)


def attributes(pairs: object) -> dict[str, Any]:
    """Return attributes as plain values by name; what is no value of OTLP is None."""
    found: dict[str, Any] = {}
    for pair in fitting.as_list(pairs):
        key = fitting.as_map(pair).get("key")
        if isinstance(key, str):
            found[key] = _value(pair.get("value"))
    return found


def _span(place: str, span: dict[str, Any], scope: str, resource: dict[str, Any]) -> Span:
    status = fitting.as_map(span.get("status"))
    events = tuple(
        (str(event.get("name")), attributes(event.get("attributes")))
        for event in map(fitting.as_map, fitting.as_list(span.get("events")))
    )
    return Span(
        place=place,
        trace_id=_id(span, "trace_id"),
        span_id=_id(span, "span_id"),
        parent_id=_id(span, "parent_span_id"),
        name=fitting.text(span.get("name")) or "",
        scope=scope,
        start_ns=_nanoseconds(span, "start_time_unix_nano"),
        end_ns=_nanoseconds(span, "end_time_unix_nano"),
        attributes=attributes(span.get("attributes")),
        resource=resource,
        events=events,
        failed=status.get("code") in (2, "STATUS_CODE_ERROR"),
        message=fitting.text(status.get("message")),
    )


def _get(value: dict[str, Any], name: str) -> Any:
    return value.get(_CAMEL[name], value.get(name))


def _id(span: dict[str, Any], name: str) -> str:
    return fitting.name(_get(span, name)) or ""


def _nanoseconds(span: dict[str, Any], name: str) -> int | None:
    value = _get(span, name)
    found = parse_decimal(value) if isinstance(value, str) else fitting.count(value)
    return found or None  # protobuf leaves out what is zero


def _value(value: object) -> Any:
    given = fitting.as_map(value)
    for name in ("string_value", "bool_value", "int_value", "double_value"):
        found = _get(given, name)
        if found is not None:
            return _integer(found) if name == "int_value" else found
    array, pairs = _get(given, "array_value"), _get(given, "kvlist_value")
    if array is not None:
        return [_value(item) for item in fitting.as_list(fitting.as_map(array).get("values"))]
    if pairs is not None:
        return attributes(fitting.as_map(pairs).get("values"))
    return _get(given, "bytes_value")


def _integer(value: object) -> int | None:
    if isinstance(value, str) and len(value) <= 20:
        digits = value.removeprefix("-")
        number = int(value) if digits.isascii() and digits.isdigit() else None
    else:
        number = value if type(value) is int else None
    return fitting.integer(number)

"""The form of a recorded url (specs/10 section 7)."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from .errors import BadValue
from .values import prose

SECRET_PARAMETERS = frozenset(
    (
        b"access_token",
        b"api-key",
        b"api_key",
        b"apikey",
        b"key",
        b"sig",
        b"signature",
        b"token",
        b"x-amz-credential",
        b"x-amz-security-token",
        b"x-amz-signature",
    )
)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_PORT_MAX = 65535
_CHARACTERS = re.compile(r"[\x21-\x7e]*")
_SCHEME = re.compile(r"(https?)://", re.IGNORECASE)
_AUTHORITY = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(|[1-9][0-9]{0,4}))?")


def recorded_url(asked: str) -> str:
    """Return the form in which a url that was asked for is recorded; BadValue if there is none."""
    if _CHARACTERS.fullmatch(asked) is None:
        raise BadValue("a url with characters outside U+0021 to U+007E")
    rest = asked.partition("#")[0]
    match = _SCHEME.match(rest)
    if match is None:
        raise BadValue("a url that is not of http or https")
    scheme, rest = match[1].lower(), rest[match.end() :]
    end = re.search(r"[/?]|\Z", rest)
    at = end.start() if end is not None else len(rest)
    authority, rest = rest[:at].rpartition("@")[2], rest[at:]
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise BadValue("a url without a valid host and port")
    host, port = match[1].lower(), match[2] or ""
    if port and int(port) > _PORT_MAX:
        raise BadValue(f"a port above {_PORT_MAX}")
    path, _, query = rest.partition("?")
    kept = "&".join(part for part in query.split("&") if not _is_secret(part))
    port = f":{port}" if port and port != _DEFAULT_PORTS[scheme] else ""
    recorded = f"{scheme}://{host}{port}{path or '/'}" + (f"?{kept}" if kept else "")
    prose(recorded)
    return recorded


def _is_secret(parameter: str) -> bool:
    name = unquote_to_bytes(parameter.partition("=")[0])
    return name.lower() in SECRET_PARAMETERS


def check_url(text: str) -> None:
    """Check that a url is in the recorded form: neither credentials nor fragment."""
    if recorded_url(text) != text:
        raise BadValue("not in the form in which a url is recorded")

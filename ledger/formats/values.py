"""The common value types of specs/00, and how times and ids are made.

    time   2026-11-20T10:41:00.000250Z    UTC, six fraction digits, 27 characters
    uuid   48 bits milliseconds | 7 | 12 bits fraction of it | 10 | 62 random bits     (RFC 9562)

>>> format_time(1_795_171_260_000_250)
'2026-11-20T10:41:00.000250Z'
>>> uuid7(1_795_171_260_000_250, bytes(8))
'01a1f88b-9660-7400-8000-000000000000'
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, TypeGuard

from ledger.errors import FormatError

LABEL: Final = re.compile(r"[A-Za-z0-9._@:/-]{1,128}")
ORIGIN: Final = re.compile(r"(?=.{1,128}\Z)[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{6})Z"
)
UUID7: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
NAME_MAX_BYTES: Final = 256
PROSE_MAX_BYTES: Final = 4096
COUNT_MAX: Final = 2**63 - 1
DIGEST_BYTES: Final = 32

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def is_label(value: object) -> TypeGuard[str]:
    """Tell whether the value is a *label*."""
    return type(value) is str and LABEL.fullmatch(value) is not None


def is_origin(value: object) -> TypeGuard[str]:
    """Tell whether the value is an *origin*."""
    return type(value) is str and ORIGIN.fullmatch(value) is not None


def is_name(value: object) -> TypeGuard[str]:
    """Tell whether the value is a *name*: 1 to 256 bytes of UTF-8 without control characters."""
    if type(value) is not str or not value or _CONTROL.search(value):
        return False
    size = _utf8_bytes(value)
    return size is not None and size <= NAME_MAX_BYTES


def is_prose(value: object) -> TypeGuard[str]:
    """Tell whether the value is *prose*: at most 4,096 bytes of UTF-8 without U+0000."""
    if type(value) is not str or "\0" in value:
        return False
    size = _utf8_bytes(value)
    return size is not None and size <= PROSE_MAX_BYTES


def is_time(value: object) -> TypeGuard[str]:
    """Tell whether the value is a *time*, of a date that exists."""
    return type(value) is str and _moment(value) is not None


def is_uuid7(value: object) -> TypeGuard[str]:
    """Tell whether the value is a *uuid*: UUIDv7 as lower-case text."""
    return type(value) is str and UUID7.fullmatch(value) is not None


def is_count(value: object) -> TypeGuard[int]:
    """Tell whether the value is a *count*: an integer 0 to 2^63-1; a boolean is not one."""
    return type(value) is int and 0 <= value <= COUNT_MAX


def is_digest(value: object) -> TypeGuard[bytes]:
    """Tell whether the value is a *digest*: a byte string of 32 bytes."""
    return type(value) is bytes and len(value) == DIGEST_BYTES


def parse_decimal(text: str) -> int | None:
    """Read a decimal number, 0 to 2^63-1 in its one spelling; None for anything else."""
    if _DECIMAL.fullmatch(text) is None:
        return None
    number = int(text)
    return number if number <= COUNT_MAX else None


def format_time(microseconds_since_epoch: int) -> str:
    """Write a *time*; FormatError `payload_invalid` outside the years 0001 to 9999."""
    try:
        moment = _EPOCH + timedelta(microseconds=microseconds_since_epoch)
    except OverflowError:
        raise FormatError("payload_invalid", "a time outside the years 0001 to 9999") from None
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_time(text: str) -> int:
    """Read a *time* as microseconds since 1970; FormatError `payload_invalid` for anything else."""
    moment = _moment(text)
    if moment is None:
        raise FormatError("payload_invalid", f"not a time: {text[:64]!a}")
    return (moment - _EPOCH) // _MICROSECOND


def uuid7(us: int, random: bytes) -> str:
    """Make a UUIDv7 of microseconds since 1970 and 8 random bytes, of which 62 bits are used.

    The 12 bits after the version hold the fraction of the millisecond (RFC 9562 section 6.2,
    method 3), so that ids made in one millisecond still sort. Raises FormatError `payload_invalid`
    when 48 bits cannot hold the milliseconds.
    """
    ms, rest = divmod(us, 1000)
    if not 0 <= ms < 1 << 48:
        raise FormatError("payload_invalid", "a time outside the range of UUIDv7")
    if len(random) < 8:
        raise ValueError("uuid7 takes 8 random bytes")
    low = int.from_bytes(random[:8]) & (1 << 62) - 1
    number = ms << 80 | 7 << 76 | (rest * 4096 // 1000) << 64 | 0b10 << 62 | low
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def uuid7_ms(text: str) -> int:
    """Return the milliseconds since 1970 that a *uuid* holds."""
    return int.from_bytes(uuid7_bytes(text)[:6])


def uuid7_bytes(text: str) -> bytes:
    """Return the 16 bytes of a *uuid*; FormatError `payload_invalid` for anything else."""
    if not is_uuid7(text):
        raise FormatError("payload_invalid", f"not a UUIDv7: {text[:64]!a}")
    return bytes.fromhex(text.replace("-", ""))


def _utf8_bytes(text: str) -> int | None:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None


def _moment(text: str) -> datetime | None:
    match = TIME.fullmatch(text)
    if match is None:
        return None
    try:
        year, month, day, hour, minute, second, fraction = map(int, match.groups())
        return datetime(year, month, day, hour, minute, second, fraction, tzinfo=UTC)
    except ValueError:
        return None

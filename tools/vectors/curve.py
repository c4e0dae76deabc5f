"""Arithmetic on edwards25519 in plain integers, for keys and signatures that no library makes."""

from __future__ import annotations

from hashlib import sha512

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P

Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def add(a: Point, b: Point) -> Point:
    """Add two points."""
    product = D * a[0] * b[0] * a[1] * b[1]
    x = (a[0] * b[1] + a[1] * b[0]) * pow(1 + product, -1, P)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P)
    return x % P, y % P


def times(scalar: int, point: Point) -> Point:
    """Multiply a point."""
    total = IDENTITY
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def lift(y: int, sign: int) -> Point | None:
    """Return the point with this y whose x has this lowest bit, or None off the curve."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        return None
    return (P - x if x & 1 != sign and x else x), y


def encode(point: Point) -> bytes:
    """Write a point."""
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


BASE = lift(4 * pow(5, -1, P) % P, 0) or IDENTITY


def torsion() -> list[Point]:
    """Return the eight points of small order, from a generator: its multiples 0 to 7."""
    y = 2
    while True:
        point = lift(y, 0)
        generator = times(L, point) if point else IDENTITY
        if times(4, generator) != IDENTITY:
            return [times(n, generator) for n in range(8)]
        y += 1


def secret(seed: bytes) -> int:
    """Return the scalar of a private key."""
    raw = bytearray(sha512(seed).digest()[:32])
    raw[0] &= 248
    raw[31] = raw[31] & 127 | 64
    return int.from_bytes(raw, "little")


def challenge(r: bytes, a: bytes, message: bytes) -> int:
    """Return k of RFC 8032: the hash over R, A and the message, below L."""
    return int.from_bytes(sha512(r + a + message).digest(), "little") % L

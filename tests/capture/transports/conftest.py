"""Fixtures of the transport tests."""

from __future__ import annotations

import pytest

from tests.capture.fake_session import FakeSession


@pytest.fixture
def session():
    return FakeSession()


@pytest.fixture(params=["httpx2", "httpx"])
def flavour(request):
    pytest.importorskip(request.param)
    return request.param

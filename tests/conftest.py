"""Fixtures that several test files use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from serving import Server, serving


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server on this machine, asked without a proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as running:
        yield running

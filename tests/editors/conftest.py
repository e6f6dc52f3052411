"""The server, as an editor starts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.client import Client, program


@pytest.fixture(scope="session")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """An initialised conversation with `batchmean server`, which takes a second to start."""
    with Client([program("batchmean"), "server"], tmp_path_factory.mktemp("server")) as client:
        client.initialize()
        yield client


@pytest.fixture
def client(conversation: Client, tmp_path: Path) -> Client:
    """The same, with no document open and the test's own folder."""
    conversation.start_over(tmp_path)
    return conversation

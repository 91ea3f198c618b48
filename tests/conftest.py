"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

import indicator_cache as ic

settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    max_examples=60,
    # The backend does not change between examples.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("ci")


@pytest.fixture(params=ic.backends.NAMES)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each backend in turn. One that cannot be used is an error."""
    with ic.use_backend(request.param):
        yield request.param

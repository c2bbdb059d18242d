"""The sandboxes that programs of models are run in."""

import pytest

from harness.scoring.canaries import FORK
from harness.scoring.sandbox import Sandbox, open_sandbox
from tests.builders.sandboxes import BARE, UNGUARDED, run


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return open_sandbox()


@pytest.fixture(params=["strongest", "none", "unguarded"])
def either(request, sandbox) -> Sandbox:
    """The strongest sandbox; one with no namespaces; and one where nothing but its limits holds a program."""
    if request.param == "strongest":
        return sandbox
    if run(BARE, FORK).status == "returned":
        pytest.skip("programs could start processes")
    return BARE if request.param == "none" else UNGUARDED

"""The OpenAPI document against the service that it describes, with requests that a machine makes up."""

import pytest
from hypothesis import HealthCheck, given, seed, settings
from parcels import bearer

schemathesis = pytest.importorskip("schemathesis")

from schemathesis import GenerationMode  # noqa: E402
from schemathesis.specs.openapi.checks import positive_data_acceptance  # noqa: E402

EXAMPLES = 10
# a document of tens of kilobytes beside the pictures is too large before it is wrong
REFUSALS = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]
NOTHING_TO_SPOIL = ("/v1/products", "/v1/health", "/v1/version", "/metrics")


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_made_up_request_finds_the_service_and_its_document_apart(mode, live, keys):
    ring, _, engineer = keys
    app, port, _ = live(ring, rate=10_000, burst=10_000)
    address = f"http://127.0.0.1:{port}"
    checks = {"negative_data_rejection": {"expected-statuses": REFUSALS}}
    config = schemathesis.Config.from_dict({"checks": checks})
    schema = schemathesis.openapi.from_dict(app.openapi(), config=config)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) == 22 and app.openapi()["components"]["securitySchemes"]
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and operation.path in NOTHING_TO_SPOIL and operation.method == "get":
            continue

        @seed(6)
        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(mode))
        def ask(case):
            # which mode goes with which product is more than a schema can say
            excluded = [positive_data_acceptance]
            case.call_and_validate(base_url=address, headers=bearer(engineer), excluded_checks=excluded)

        ask()

import pytest

from podtide.kube import errors

CONFLICT = b'{"kind":"Status","status":"Failure","message":"modified","reason":"Conflict","code":409}'


@pytest.mark.parametrize(
    ("code", "body", "kind", "reason", "message"),
    [
        pytest.param(409, CONFLICT, errors.Conflict, "Conflict", "modified", id="a Status"),
        pytest.param(0, CONFLICT, errors.Conflict, "Conflict", "modified", id="a Status in a watch's ERROR event"),
        pytest.param(404, b"404 page not found\n", errors.NotFound, "NotFound", "404 page not found", id="plain text"),
        pytest.param(502, b"<html>\xff", errors.ServerError, "ServerError", "<html>\ufffd", id="a proxy's page"),
        pytest.param(418, b"{}", errors.StatusError, "StatusError", "no message", id="a code we do not know"),
        pytest.param(0, b"{}", errors.ServerError, "ServerError", "no message", id="nothing said at all"),
    ],
)
def test_an_answer_becomes_the_error_of_its_code(
    code: int, body: bytes, kind: type[errors.StatusError], reason: str, message: str
) -> None:
    error = errors.from_status(code, body)
    assert type(error) is kind
    assert (error.reason, error.message) == (reason, message)

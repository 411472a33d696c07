# SPDX-License-Identifier: MIT
"""The programs of examples/, as a stranger would run them, against the sandbox: what they print is
what examples/README.md says, and what they sent is what the guides ask for."""
import os
import pathlib
import subprocess

import pytest

from doc_shell import ROOT
from sandbox_client import Sandbox

FOLDER = pathlib.Path(os.environ["BACKCHANNEL_BIN"]).resolve().parent / "examples"
TENANT = "/tenant-1"
TOKEN = "12345-test-123-12345"
LANDING = f"https://shop.example/?sovReqToken={TOKEN}"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as made:
        yield made


def run(sandbox, name, *arguments, **environment):
    """The finished program; nothing of our own environment reaches it but where to find things."""
    values = {"PATH": os.environ["PATH"], "IMS_BASE_URL": sandbox.base, "IMS_CLIENT_ID": "client-1",
              "IMS_CLIENT_SECRET": "secret-one-of-two", "IMS_ORG_ID": "1234@AdobeOrg",
              "API_ENDPOINT": sandbox.base + TENANT, "SOVENDUS_BASE_URL": sandbox.sovendus,
              "SOVENDUS_PRODUCT_ID": "P1", "SOVENDUS_API_KEY": "a-key"}
    values.update(environment)
    return subprocess.run([FOLDER / name, *arguments], text=True, capture_output=True, timeout=60,
                          env={key: value for key, value in values.items() if value is not None},
                          check=False)


def token_requests(sandbox):
    return len(sandbox.requests(path="/ims/token/v3"))


def test_a_blocking_call_prints_the_answer(sandbox):
    sandbox.clear_requests()
    done = run(sandbox, "commerce_blocking", "/V1/orders/201?fields=entity_id")
    assert (done.returncode, done.stderr) == (0, "")
    assert '"entity_id":201' in done.stdout.replace(" ", "")
    assert token_requests(sandbox) == 1


def test_a_search_is_asked_for_as_it_is_written(sandbox):
    done = run(sandbox, "commerce_blocking")
    assert (done.returncode, done.stderr) == (0, "")
    assert '"total_count"' in done.stdout


def test_an_error_of_commerce_is_one_line(sandbox):
    done = run(sandbox, "commerce_blocking", "/V1/orders/999999")
    assert done.returncode == 1
    assert done.stderr.startswith("404: ") and len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_cache_file_makes_many_runs_one_token_request(sandbox, tmp_path):
    sandbox.clear_requests()
    for _ in range(5):
        done = run(sandbox, "commerce_blocking", "/V1/orders/201",
                   TOKEN_CACHE=str(tmp_path / "token"))
        assert (done.returncode, done.stderr) == (0, "")
    assert token_requests(sandbox) == 1
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


def test_what_is_missing_is_said_with_what_to_do(sandbox):
    done = run(sandbox, "commerce_blocking", IMS_CLIENT_SECRET=None)
    assert done.returncode == 1
    assert done.stderr == ("oauth_client_secret is missing, oauth_client_id is set; "
                           "set both, or neither for calls without a token\n")
    done = run(sandbox, "commerce_blocking", API_ENDPOINT="http://shop.example/tenant")
    assert "commerce_base_url is not https" in done.stderr


def test_calls_on_a_loop_of_ones_own_run_together(sandbox):
    sandbox.clear_requests()
    paths = [f"/V1/orders/{number}" for number in range(201, 241)]
    done = run(sandbox, "commerce_loop", *paths)
    assert (done.returncode, done.stderr) == (0, "")
    lines = sorted(done.stdout.splitlines())
    assert [line.split(":")[0] for line in lines] == paths
    assert all(": 200, " in line and line.endswith(" in 1 attempts") for line in lines)
    assert token_requests(sandbox) == 1


def test_a_hand_back_says_its_verdict(sandbox):
    before = sandbox.accepted(TOKEN)
    done = run(sandbox, "hand_back", LANDING)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("delivered: ")
    assert sandbox.accepted(TOKEN) == before + 1


def test_a_hand_back_without_a_token_sends_nothing(sandbox):
    sandbox.clear_requests()
    done = run(sandbox, "hand_back", "https://shop.example/?sovReqToken=../../x")
    assert (done.returncode, done.stderr) == (1, "there is no token in the URL\n")
    done = run(sandbox, "hand_back", LANDING, SOVENDUS_API_KEY=None)
    assert done.returncode == 1
    assert "key" in done.stderr
    assert sandbox.requests() == []


def test_a_hand_back_that_is_refused_says_what_to_mend(sandbox):
    sandbox.set_products({"P1": "another-key"})
    try:
        done = run(sandbox, "hand_back", LANDING)
    finally:
        sandbox.reset()
    assert done.returncode == 1
    assert done.stdout.startswith("suspect: ")
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.c")), ids=lambda path: path.name)
def test_an_example_is_short_and_needs_the_public_headers_alone(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    includes = [line.split('"')[1] for line in text.splitlines() if line.startswith('#include "')]
    assert includes == []
    assert path.name in (ROOT / "examples" / "README.md").read_text(encoding="utf-8")

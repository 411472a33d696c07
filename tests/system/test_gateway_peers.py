# SPDX-License-Identifier: MIT
"""The gateway among programs that this project did not write: an OAuth server, Adobe's own client, curl,
fetch, requests and urllib, and nginx as what stands in front of Commerce."""
import gzip
import json
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import urllib.request

import pytest

from daemon import Daemon, clean_environment, note
from gateway import Gateway
from npm_peers import node
from ports import own_port
from sandbox_client import Sandbox, wait_for
from upstream import TokenEndpoint, echo

SECONDS = 60
SECRET = "s3cret:%/+ &="  # as in peers/oauth.mjs
TENANT = "AbCdEf123"


# --- an OAuth server -----------------------------------------------------------------------------

class OAuthServer:
    def __init__(self, folder, life, scope):
        self.process = subprocess.Popen(["node", "oauth.mjs", str(life), scope], cwd=folder, text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        env=clean_environment(folder))
        line = self.process.stdout.readline()
        while line and not line.strip().isdigit():
            line = self.process.stdout.readline()
        assert line, "oidc-provider did not start"
        self.base = f"http://127.0.0.1:{int(line)}"

    @property
    def requests(self):
        with urllib.request.urlopen(self.base + "/requests", timeout=10) as answer:
            return int(answer.read())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def asks(gateways, server, client, **more):
    settings = {"IMS_CLIENT_ID": client, "IMS_CLIENT_SECRET": SECRET, "IMS_ORG_ID": None, "IMS_BASE_URL": None,
                "BACKCHANNEL_OAUTH_TOKEN_URL": server.base + "/token", "IMS_SCOPES": "orders products",
                "BACKCHANNEL_OAUTH_SCOPE_SEPARATOR": "space",
                "BACKCHANNEL_OAUTH_AUTH": client.removeprefix("by-"), **more}
    return gateways(**settings)


@pytest.mark.parametrize("client", ["by-body", "by-basic"])
def test_another_oauth_server_gives_the_token(gateways, peers, client):
    """A secret of all that has to be encoded, in either form."""
    with OAuthServer(peers, 600, "orders products") as server:
        gateway = asks(gateways, server, client)
        tokens = {gateway.seen("GET", f"/V1/orders/{n}").token for n in range(100)}
        (event,) = gateway.daemon.events("token.issued")
        assert len(tokens) == 1 and len(tokens.pop()) > 20
        assert 400 <= event["expires_in_s"] <= 540, "a margin was taken off 600"
        assert server.requests == 1


@pytest.mark.parametrize("client, secret", [("by-body", "wrong"), ("by-basic", "wrong"), ("by-nobody", SECRET)])
def test_another_oauth_servers_refusal_is_understood(gateways, peers, client, secret):
    with OAuthServer(peers, 600, "orders products") as server:
        gateway = asks(gateways, server, client, IMS_CLIENT_SECRET=secret,
                       BACKCHANNEL_OAUTH_AUTH="basic" if client == "by-basic" else "body")
        gateway.wait_token("refused")
        answer = gateway.get()
        assert (answer.status, answer.problem) == (503, "credential-refused")
        assert "invalid_client" in answer.json["detail"] and SECRET not in answer.text


def test_a_scope_that_another_oauth_server_does_not_grant_is_named(gateways, peers):
    with OAuthServer(peers, 600, "orders") as server:
        gateway = asks(gateways, server, "by-body", IMS_SCOPES="orders customers")
        wait_for(lambda: "problem" in gateway.token(), what="the refusal")
        assert "scope" in gateway.token()["problem"]
        assert gateway.get().status == 503


def test_short_tokens_of_another_oauth_server_are_replaced_in_time(gateways, peers):
    with OAuthServer(peers, 4, "orders products") as server:
        gateway = asks(gateways, server, "by-basic")
        tokens = set()

        def third():
            tokens.add(gateway.seen("GET", "/V1/orders").token)
            return len(tokens) == 3
        wait_for(third, 15, "the third token")
        assert server.requests == 3


# --- Adobe's client ------------------------------------------------------------------------------

@pytest.fixture
def sandbox():
    with Sandbox() as made:
        yield made


def adobe(base, **more):
    return {"AIO_COMMERCE_API_BASE_URL": base, "AIO_COMMERCE_API_FLAVOR": "saas", **more}


def by_ims(sandbox, folder):
    return {"IMS_BASE_URL": sandbox.base, "AIO_CONFIG_FILE": folder / "aio",
            **{f"AIO_COMMERCE_AUTH_IMS_{name}": value for name, value in {
                "CLIENT_ID": "client-1", "CLIENT_SECRETS": '["secret-1"]', "ORG_ID": "0A1B2C@AdobeOrg",
                "SCOPES": '["openid","AdobeID","commerce.accs"]', "TECHNICAL_ACCOUNT_ID": "t@techacct.adobe.com",
                "TECHNICAL_ACCOUNT_EMAIL": "t@techacct.adobe.com"}.items()}}


def assert_commerce_answered(seen):
    assert seen["items"] == 2 and seen["total"] > 100 and seen["posted"] is True
    assert seen["product"] == seen["sku"]
    assert seen["error"]["status"] == 404 and "requested doesn't exist" in seen["error"]["body"]["message"]


def test_adobes_client_works_against_the_sandbox(sandbox, peers, tmp_path):
    """The sandbox is what Adobe's own code expects; and that code asks for a token on every call."""
    seen = node(peers, "--require", "./preload.cjs", "adobe.mjs",
                **adobe(f"{sandbox.base}/{TENANT}", **by_ims(sandbox, tmp_path)))
    assert_commerce_answered(seen)
    tokens = [row for row in sandbox.requests() if row["path"].startswith("/ims/token/")]
    note(f"Adobe's client: 5 calls, {len(tokens)} token requests")
    assert len(tokens) == 5


def gateway_of(sandbox, folder):
    """A daemon in front of the sandbox."""
    return Daemon(folder, IMS_CLIENT_ID="client-1", IMS_CLIENT_SECRET="secret-1", IMS_ORG_ID="0A1B2C@AdobeOrg",
                  IMS_BASE_URL=sandbox.base, API_ENDPOINT=f"{sandbox.base}/{TENANT}")


def test_adobes_client_works_against_the_gateway(sandbox, peers, tmp_path):
    """With a token that is none: the gateway has the real one. It sees no difference to Commerce."""
    ready = {"AIO_COMMERCE_AUTH_IMS_TOKEN": "not-a-token", "AIO_COMMERCE_AUTH_IMS_API_KEY": "not-a-key"}
    direct = node(peers, "--require", "./preload.cjs", "adobe.mjs",
                  **adobe(f"{sandbox.base}/{TENANT}", **by_ims(sandbox, tmp_path)))
    sandbox.reset()
    with gateway_of(sandbox, tmp_path / "d") as daemon:
        seen = node(peers, "adobe.mjs", **adobe(f"http://{daemon.address}/accs", **ready))
        assert daemon.get("/v1/token").json["generation"] == 1
    assert seen == direct
    assert_commerce_answered(seen)
    asked = [row["path"] for row in sandbox.requests()]
    assert sum(path.startswith("/ims/token/") for path in asked) == 1


# --- plain clients -------------------------------------------------------------------------------

def test_node_fetch_through_the_gateway(accs, peers):
    def script(call):
        name = call.path.rpartition("/")[2]
        if name == "upload":
            call.answer(200, {"length": len(call.read())})
        elif name == "download":
            call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n")
            call.pour(5000000)
        elif name == "redirect":
            call.answer(302, b"", ["Location: /elsewhere"])
        else:
            echo(call)
    accs.upstream.script = script
    seen = node(peers, "fetch.mjs", f"http://{accs.address}/accs")
    assert seen["statuses"] == [200] and (seen["head"], seen["redirect"]) == (200, 302)
    assert seen["targets"] == [f"/tenant-1/V1/orders/{n}?a[b]=c%20d" for n in range(50)]
    assert (seen["uploaded"], seen["down"]) == (64 * 16384, 5000000)


def curl(accs, *arguments, data=None):
    done = subprocess.run(["curl", "-sS", "-m", "20", "--noproxy", "*", *arguments], capture_output=True, input=data,
                          timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not here: tools/deps --test")
def test_curl_through_the_gateway(accs, tmp_path):
    base = f"http://{accs.address}/accs"
    body = random.Random(1).randbytes(2000000)
    (tmp_path / "file").write_bytes(body)
    assert json.loads(curl(accs, f"{base}/V1/orders/1", "-H", "Authorization: Bearer mine"))["method"] == "GET"
    assert accs.calls[-1].token != "mine"
    seen = json.loads(curl(accs, "-g", f"{base}/rest/default/V1/orders?searchCriteria[pageSize]=1"))
    assert seen["target"] == "/tenant-1/V1/orders?searchCriteria[pageSize]=1"
    curl(accs, "--json", '{"a": 1}', f"{base}/V1/orders")
    assert accs.calls[-1].body == b'{"a": 1}'
    curl(accs, "-T", tmp_path / "file", f"{base}/V1/import")  # says Expect: 100-continue
    assert accs.calls[-1].body == body
    curl(accs, "-T", "-", "-H", "Transfer-Encoding: chunked", f"{base}/V1/import", data=body)
    assert accs.calls[-1].body == body
    assert curl(accs, "-I", f"{base}/V1/orders").startswith(b"HTTP/1.1 200")
    curl(accs, "-F", f"file=@{tmp_path / 'file'}", f"{base}/V1/form")
    assert accs.calls[-1].field("content-type").startswith("multipart/form-data; boundary=")


def test_pythons_clients_through_the_gateway(accs):
    base = f"http://{accs.address}/accs"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(f"{base}/V1/orders", data=b"{}", method="PUT"), timeout=20) as answer:
        assert json.load(answer)["method"] == "PUT"
    assert accs.calls[-1].field("content-type") == "application/x-www-form-urlencoded", "what urllib says, stays"
    requests = pytest.importorskip("requests")
    with requests.Session() as session:
        session.trust_env = False
        packed = gzip.compress(b'{"packed": true}' * 100)
        accs.upstream.script = lambda call: call.answer(200, packed, ["Content-Encoding: gzip"])
        assert session.get(f"{base}/V1/orders", timeout=20).text == '{"packed": true}' * 100
        accs.upstream.script = echo
        assert session.post(f"{base}/V1/orders", json={"a": "ü"}, timeout=20).json()["method"] == "POST"
        pieces = (b"x" * 50000 for _ in range(20))
        assert session.put(f"{base}/V1/import", data=pieces, timeout=20).status_code == 200
        assert len(accs.calls[-1].body) == 1000000


# --- nginx ---------------------------------------------------------------------------------------

NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log stderr error;
events {{ worker_connections 256; }}
http {{
	access_log {folder}/access; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
	fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
	log_format calls '$connection $status $http_authorization'; access_log {folder}/calls calls;
	gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any; client_max_body_size 0; keepalive_requests 50;
	server {{
		listen 127.0.0.1:{port};
		location /tenant/V1/files/ {{ alias {folder}/files/; }}
		location /tenant/V1/upload {{ proxy_pass http://127.0.0.1:{behind}/; proxy_request_buffering off; }}
	}}
}}
"""


@pytest.fixture
def nginx(tmp_path, accs):
    if not shutil.which("nginx") and not pathlib.Path("/usr/sbin/nginx").exists():
        pytest.skip("nginx is not here: tools/deps --test")
    folder = tmp_path / "nginx"
    (folder / "files").mkdir(parents=True)
    port = own_port()
    (folder / "conf").write_text(NGINX.format(folder=folder, port=port, behind=accs.upstream.port), encoding="ascii")
    folder.chmod(0o755)
    process = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-p", folder, "-c", folder / "conf"],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def listens():
        assert process.poll() is None, process.stderr.read()
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", port)) == 0
    wait_for(listens, what="nginx")
    yield folder, port
    process.terminate()
    process.wait()
    process.stderr.close()


@pytest.fixture
def before_nginx(tmp_path, nginx):
    folder, port = nginx
    with TokenEndpoint() as tokens:
        gateway = Gateway(tmp_path / "d", tokens=tokens, API_ENDPOINT=f"http://127.0.0.1:{port}/tenant").start()
        yield gateway, folder
        gateway.stop()


def test_files_of_nginx_pass_as_they_are(before_nginx):
    gateway, folder = before_nginx
    body = b"".join(b"%d\n" % n for n in range(300000))
    (folder / "files" / "orders.json").write_bytes(body)
    plain = gateway.get("/V1/files/orders.json")
    assert (plain.status, plain.body) == (200, body) and plain.headers["content-length"] == str(len(body))
    packed = gateway.get("/V1/files/orders.json", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip" and "content-length" not in packed.headers
    assert len(packed.body) < len(body) and gzip.decompress(packed.body) == body
    part = gateway.get("/V1/files/orders.json", headers={"Range": "bytes=100-199"})
    assert (part.status, part.body) == (206, body[100:200])
    same = gateway.get("/V1/files/orders.json", headers={"If-None-Match": plain.headers["etag"]})
    assert (same.status, same.body) == (304, b"")
    assert gateway.get("/V1/files/none").status == 404
    head = gateway.ask("HEAD", "/V1/files/orders.json")
    assert (head.body, head.headers["content-length"]) == (b"", str(len(body)))


def test_connections_to_nginx_are_kept_and_its_closing_them_costs_no_call(before_nginx):
    """It closes each after 50 requests."""
    gateway, folder = before_nginx
    (folder / "files" / "x").write_bytes(b"x")
    for _ in range(10):
        with gateway.at_once(16, path="/V1/files/x") as calls:
            pass
        assert calls.statuses == [200] * 16
    for n in range(140):
        assert gateway.get("/V1/files/x").status == 200, n
    rows = [line.split() for line in (folder / "calls").read_text(encoding="ascii").splitlines()]
    connections = {row[0] for row in rows}
    note(f"gateway: {len(rows)} calls to nginx over {len(connections)} connections")
    assert len(rows) == 300 and len(connections) <= 40
    assert {row[1] for row in rows} == {"200"} and {row[3] for row in rows} == {"token-1"}


def test_an_upload_passes_the_gateway_and_nginx(before_nginx, accs):
    gateway, _ = before_nginx
    body = random.Random(3).randbytes(3000000)
    answer = gateway.ask("POST", "/V1/upload", body, headers={"Content-Type": "text/csv"})
    assert answer.status == 200 and accs.calls[-1].body == body


def test_the_guides_python_sample_needs_no_oauth_code(accs):
    """Its call to Commerce as it stands there, with the gateway for an endpoint and no token."""
    sample = (
        "import json, os, urllib.request\n"
        "base = os.environ['API_ENDPOINT'].rstrip('/')\n"
        "request = urllib.request.Request(base + '/rest/default/V1/products/example-sku')\n"
        "print(json.load(urllib.request.urlopen(request))['target'])\n")
    done = subprocess.run([sys.executable, "-c", sample], capture_output=True, text=True, timeout=SECONDS, check=False,
                          env=clean_environment("/", API_ENDPOINT=f"http://{accs.address}/accs", no_proxy="*"))
    assert done.stdout.strip() == "/tenant-1/V1/products/example-sku", done.stderr
    assert accs.calls[-1].field("store") == "default"

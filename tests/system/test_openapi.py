# SPDX-License-Identifier: MIT
"""docs/openapi.yaml is true: clean by its linter's own rules, the same routes, parameters, fields and
problems as the program's tables, and every answer of a running daemon is one that it describes, its
examples first of all. The other way round, too: each answer and each member that it documents comes, or
stands below with the reason why not here.

Redocly's CLI from npm lints it and sends the requests (openapi.py); what must fail, fails.
"""
import copy
import json
import re
import subprocess

import pytest

import openapi
import signer
import wire
from daemon import Daemon
from event_receiver import Receiver
from gateway import Gateway
from joined import CLIENT, Joined
from npm_peers import ROOT
from openapi import Step
from sandbox_client import wait_for

DOC = openapi.load()
OPERATIONS = openapi.operations(DOC)
EXAMPLES = openapi.examples(DOC)
API_TOKEN = "token-of-the-operator"
JOURNAL = "/events/organizations/1/integrations/2/reg-1"
DAEMON = ROOT / "src" / "daemon"

# One shop's day, in which every example has its turn.
STORY = """
    getHealth.alive getReadiness.ready getMetrics.200
    getConsole.200 getConsoleStartJs.200 getConsoleJs.200 getConsoleBaseJs.200 getConsoleOrdersJs.200 getChartsCss.200 getCharts.200 getDescription.200
    captureClick.landing captureClick.named captureClick.bare captureClick.nothing
    captureClick.noToken captureClick.noSession
    reportOrder.delivered reportOrder.again reportOrder.without reportOrder.conflict
    reportOrder.noToken reportOrder.noSession
    pauseLane.paused reportOrder.session listLanes.paused retryOrder.pending retryOrder.noClick
    cancelOrder.cancelled cancelOrder.tooLate resumeLane.open resumeLane.notPaused probeLane.taken
    getOrder.delivered listOrders.page listOrders.tokens listOrders.count retryOrders.first retryOrders.all
    deleteClick.204 getSummary.200 getHistory.200 startBackup.begun getBackup.made dropBackup.204
    getToken.fresh getToken.shown startPull.running getPull.done
    tellLanding.204 postLanding.204 answerChallenge.ours takeEvents.order takeWebhook.placing
""".split()

# Answers that no request of this file brings about: {(operation, status): why}.
NOT_HERE = {
    ("streamSummary", "200"): "it has no end, which the tool would wait for: see the test of the stream",
    ("streamSummary", "503"): "the same",
    ("getToken", "504"): "the wait for a token is 8 s, and ends before by whatever else is wrong",
    ("probeLane", "503"): "test_a_probe_that_hangs_does_not_hold_up_the_end",
    ("startBackup", "409"): "a copy of a store this small is made before anybody can ask again",
    ("takeWebhook", "503"): "64 MiB of bodies would have to be under way",
    ("takeEvents", "413"): "2 MiB, over which the tool sits for seconds: see the test of the ceiling",
    ("takeWebhook", "413"): "the same",
}

# Members that need a state of things which is made elsewhere: {member: the test that has it}.
NOT_SEEN = {
    "Backup.hint": "a copy that fails, for want of room",
    "Backup.problem": "the same",
    "Busy.title": "see the test of the stream",
    "Busy.type": "the same",
    "Order.comment": "test_a_delivered_order_gets_one_comment_without_a_token",
}


class World:
    """A daemon with all its listeners, and the description at its addresses."""

    def __init__(self, daemon, peers, work):
        self.daemon, self.peers, self.work = daemon, peers, work
        self.edge = next((event["listen"] for event in daemon.events("edge.listening", this_run=True)), "127.0.0.1:9")
        self.doc = openapi.strict(DOC, daemon.address, self.edge)

    def signed_in(self, steps):
        return [step if step.operation.is_edge else step.with_headers(**{**self.daemon.headers, **step.headers})
                for step in steps]

    def hold(self, steps):
        (exchanges,) = openapi.hold(self.peers, self.work, [(self.doc, self.signed_in(steps))])
        return exchanges


class Keys:
    """Adobe's and Commerce's, which sign what is sent to the public listener."""

    def __init__(self):
        self.adobe, self.commerce = signer.key("000000000001"), signer.key("000000000011")
        self.host = signer.KeyHost(self.adobe)

    def sign(self, step):
        body = signer.encoded(step.body[1])
        if step.operation.id == "takeEvents":
            return step.with_headers(**signer.signatures(body, self.adobe))
        return step.with_headers(
            x_adobe_commerce_webhook_signature=signer.webhook_signature(body, self.commerce))


@pytest.fixture(scope="module")
def keys():
    made = Keys()
    with made.host:
        yield made


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory, peers, keys):
    """All of it is on, and the API wants its token."""
    folder = tmp_path_factory.mktemp("open")
    (folder / "webhook.pem").write_text(keys.commerce.pem, encoding="ascii")
    (folder / "webhook.pem").chmod(0o600)
    joined = Joined(folder, BACKCHANNEL_EDGE="127.0.0.1:0", BACKCHANNEL_API_TOKEN=API_TOKEN,
                    BACKCHANNEL_WEBHOOK_KEY_FILE=str(folder / "webhook.pem"),
                    BACKCHANNEL_EVENTS_CLIENT_ID=CLIENT, BACKCHANNEL_EVENTS_KEY_URL=keys.host.base)
    joined.daemon.settings["BACKCHANNEL_JOURNAL_URL"] = joined.sandbox.base + JOURNAL
    with joined:
        yield World(joined.daemon, peers, folder / "respect")


@pytest.fixture(scope="module")
def story(open_shop, keys):
    """The exchanges of all examples, by their names."""
    steps = {name: copy.copy(EXAMPLES[name]) for name in STORY}
    for name in ("takeEvents.order", "takeWebhook.placing"):
        steps[name] = keys.sign(steps[name])
    return dict(zip(STORY, open_shop.hold(list(steps.values())), strict=True))


def test_every_example_has_its_turn():
    assert sorted(STORY) == sorted(EXAMPLES)


@pytest.mark.parametrize("name", STORY)
def test_every_example_is_answered_as_it_says(story, name):
    exchange = story[name]
    assert exchange.failures == [], exchange
    assert openapi.header_faults(exchange) == []
    assert openapi.shape(exchange.step.expected, exchange.body) == [], exchange.body


# --- every answer that is documented ---------------------------------------------------------------

def ask(operation, target, status, body=None, **headers):
    kind = ("application/json", body) if body is not None else None
    return Step(OPERATIONS[operation], target, status, kind).with_headers(**headers)


def sample(operation):
    """A target of that operation, its path filled in."""
    values = {p["name"]: p["example"] for p in operation.parameters if p["in"] == "path"}
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], operation.path)


def with_body(operation, status, **headers):
    """The least that such an operation is asked with."""
    body = operation.what.get("requestBody")
    return ask(operation.id, sample(operation), status, {} if body and not operation.is_edge else None, **headers)


def strangers():
    """401 and 403 look the same everywhere."""
    for operation in OPERATIONS.values():
        if "401" in operation.responses and not operation.is_edge:
            yield with_body(operation, 401, Authorization="Bearer of-somebody-else")
        if "403" in operation.responses:
            yield with_body(operation, 403, Origin="https://elsewhere.example")


def kept_files():
    for operation in OPERATIONS.values():
        if "304" in operation.responses:
            yield ask(operation.id, operation.path, 304, If_None_Match="*")


GOOD_ORDER = {"order": "o-1", "click": "c.00112233445566778899aabbccddeeff"}
LONG = "x" * (70 * 1024)

WRONG = [
    ask("captureClick", "/v1/clicks", 400, {"url": 7}),
    ask("captureClick", "/v1/clicks", 413, {"url": LONG}),
    ask("reportOrder", "/v1/orders", 400, {"session": "6f1c0a9e5b"}),
    ask("reportOrder", "/v1/orders", 413, {"order": LONG}),
    ask("deleteClick", "/v1/clicks/x", 400),
    ask("deleteClick", "/v1/clicks/c.ffffffffffffffffffffffffffffffff", 404),
    ask("listOrders", "/v1/orders?limit=0", 400),
    ask("retryOrders", "/v1/orders/retry?limit=1", 400),
    ask("getOrder", "/v1/orders/none", 404),
    ask("cancelOrder", "/v1/orders/none/cancel", 404),
    ask("retryOrder", "/v1/orders/none/retry", 404),
    *(ask(f"{action}Lane", f"/v1/lanes/none/{action}", 404) for action in ("pause", "probe", "resume")),
    ask("getHistory", "/v1/history?span=1y", 400),
    ask("startPull", "/v1/pull?since=yesterday", 400),
    ask("getToken", "/v1/token?show=2", 400),
    ask("answerChallenge", "/v1/events/adobe?challenge=%3Cscript%3E", 400),
    ask("takeEvents", "/v1/events/adobe", 401, {}),
    ask("takeWebhook", "/v1/webhooks/commerce", 401, {}),
]

FAULTS = ("put-click=full,delete-click=full,accept-order=full,requeue=full,cancel=full,put-lane=full,take-page=full,"
          "probe=full,get-order=refuse,list-orders=refuse,counts=refuse,history=refuse,lanes@2+=refuse,backup=refuse")
STORELESS = [
    ask("captureClick", "/v1/clicks", 503, {"token": "12a3b-4c5d-6e7-8f9g0"}),
    ask("getReadiness", "/readyz", 503),
    ask("deleteClick", "/v1/clicks/c.ffffffffffffffffffffffffffffffff", 503),
    ask("reportOrder", "/v1/orders", 503, GOOD_ORDER),
    ask("listOrders", "/v1/orders", 503),
    ask("retryOrders", "/v1/orders/retry?state=rejected", 503),
    ask("getOrder", "/v1/orders/o-1", 503),
    ask("cancelOrder", "/v1/orders/o-1/cancel", 503),
    ask("retryOrder", "/v1/orders/o-1/retry", 503),
    ask("listLanes", "/v1/lanes", 503),
    ask("pauseLane", "/v1/lanes/sovendus.default/pause", 503),
    ask("resumeLane", "/v1/lanes/sovendus.default/resume", 503),
    ask("getSummary", "/v1/summary", 503),
    ask("getHistory", "/v1/history", 503),
    ask("getMetrics", "/metrics", 503),
    ask("getBackup", "/v1/backup", 503),
    ask("startBackup", "/v1/backup", 503),
    ask("dropBackup", "/v1/backup", 503),
]

# Where Commerce is off, and with it whatever Adobe sends; and the store is none that could be copied.
OFF = [
    ask("getToken", "/v1/token", 404),
    ask("getPull", "/v1/pull", 404),
    ask("startPull", "/v1/pull", 404),
    ask("answerChallenge", "/v1/events/adobe?challenge=x", 404),
    ask("takeEvents", "/v1/events/adobe", 404, {}),
    ask("takeWebhook", "/v1/webhooks/commerce", 404, {}),
    ask("commerceGet", "/accs/V1/store/storeConfigs", 404),
    ask("startBackup", "/v1/backup", 400),
]


@pytest.fixture(scope="module")
def refusals(open_shop, story, keys):
    """In the open shop, after its day; and what only its public listener and Commerce's orders have."""
    del story
    edited = {"increment_id": "000000103-1", "original_increment_id": "000000103", "edit_increment": 1,
              "entity_id": 103, "custom_attributes": signer.click_of("1095752fb409-457a-af14-17a09e6be523")}
    for state in ("new", "canceled"):
        sent = signer.deliver(open_shop.edge, signer.event(client=CLIENT, **{**edited, "state": state}), keys.adobe)
        assert sent.json == {"events": 1, "orders": 1}
        open_shop.daemon.wait_state("000000103", "delivered")
    return open_shop.hold([
        ask("getCaptureScript", "/capture.js", 200), ask("headCaptureScript", "/capture.js", 200),
        ask("getOrder", "/v1/orders/000000103", 200), *strangers(), *kept_files(), *WRONG,
        keys.sign(ask("takeEvents", "/v1/events/adobe", 400, ["no event"]))])


@pytest.fixture(scope="module")
def storeless(tmp_path_factory, peers, keys):
    """A shop whose store refuses."""
    folder = tmp_path_factory.mktemp("storeless")
    order = EXAMPLES["takeEvents.order"]
    events = keys.sign(Step(order.operation, "/v1/events/adobe", 503, order.body))
    with Daemon(folder, BACKCHANNEL_STORE=f"fault:{FAULTS}:sqlite:{folder / 'shop.db'}",
                BACKCHANNEL_EDGE="127.0.0.1:0", BACKCHANNEL_EVENTS_CLIENT_ID=CLIENT,
                BACKCHANNEL_EVENTS_KEY_URL=keys.host.base) as daemon:
        return World(daemon, peers, folder / "respect").hold([events, *STORELESS])


@pytest.fixture(scope="module")
def off(tmp_path_factory, peers):
    folder = tmp_path_factory.mktemp("off")
    with Daemon(folder, BACKCHANNEL_EDGE="127.0.0.1:0", BACKCHANNEL_STORE="memory:") as daemon:
        return World(daemon, peers, folder / "respect").hold(OFF)


@pytest.fixture(scope="module")
def parked(tmp_path_factory, peers, partner_process):
    """A lane that stands, and an order behind it."""
    folder = tmp_path_factory.mktemp("parked")
    partner_process.reset()
    partner_process.set_faults("status=403")
    with Daemon(folder, partner_process, BACKCHANNEL_LANE_PROBE="1h") as daemon:
        daemon.order("waits", token="12a3b-4c5d-6e7-8f9g0")
        daemon.wait_lane("parked")
        return World(daemon, peers, folder / "respect").hold([
            ask("getOrder", "/v1/orders/waits", 200), ask("listLanes", "/v1/lanes", 200)])


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, peers):
    """Calls of Commerce, and what is wrong with it one after the other."""
    folder = tmp_path_factory.mktemp("gateway")
    target, found = "/accs/V1/store/storeConfigs", []
    made = Gateway(folder, BACKCHANNEL_GATEWAY_WAIT="100ms", BACKCHANNEL_GATEWAY_TIMEOUT="300ms",
                   BACKCHANNEL_GATEWAY_ALLOW="GET /V1,POST /V1,PUT /V1,PATCH /V1,DELETE /V1").start()
    try:
        world = World(made.daemon, peers, folder / "respect")
        found += world.hold([ask(f"commerce{method}", target, 200, None if method in ("Get", "Delete") else {})
                             for method in ("Get", "Put", "Post", "Delete", "Patch")])
        made.upstream.script = lambda call: call.wait_gone()
        found += world.hold([ask("commerceGet", target, 504)])
        made.upstream.script = lambda call: call.answer(429, {}, ["Retry-After: 1"])
        found += world.hold([ask("commerceGet", target, 429)] * 2 + [ask("getSummary", "/v1/summary", 200)])
        made.upstream.script = lambda call: call.reset()
        made.upstream.stop()
        wait_for(lambda: made.get().status == 503, what="the upstream's pause to end")
        found += world.hold([ask("commerceGet", target, 503)])
    finally:
        made.stop()
    return found


@pytest.fixture(scope="module")
def refused_client(tmp_path_factory, peers):
    folder = tmp_path_factory.mktemp("refused")
    made = Gateway(folder)
    made.tokens.secrets = set()
    made.start()
    try:
        made.wait_token("refused")
        made.daemon.post("/v1/pull")
        wait_for(lambda: made.daemon.get("/v1/pull").json["state"] == "failed", what="the pull to fail")
        return World(made.daemon, peers, folder / "respect").hold([
            ask("getToken", "/v1/token", 200), ask("getToken", "/v1/token?show=1", 503),
            ask("commerceGet", "/accs/V1/store/storeConfigs", 503), ask("getPull", "/v1/pull", 200)])
    finally:
        made.stop()


@pytest.fixture(scope="module")
def answers(story, refusals, storeless, off, parked, gateway, refused_client):
    return [*story.values(), *refusals, *storeless, *off, *parked, *gateway, *refused_client]


def test_every_answer_is_one_that_is_described(answers):
    faults = [f"{exchange.step}: {exchange.failures}" for exchange in answers if exchange.failures]
    faults += [fault for exchange in answers for fault in openapi.header_faults(exchange)]
    assert not faults, "\n".join(faults)


def test_every_answer_that_is_described_comes(answers):
    came = {(id(e.operation.responses), str(e.status)) for e in answers}
    came |= {(key, status[0] + "XX") for key, status in came}
    missing = {(operation.id, status) for operation in OPERATIONS.values() for status in operation.statuses
               if (id(operation.responses), status) not in came}
    assert sorted(missing) == sorted(NOT_HERE), "\n".join(map(str, sorted(missing)))


def test_every_member_that_is_described_comes(answers):
    members = openapi.Members(DOC)
    for exchange in answers:
        members.see(exchange)
    assert sorted(members.missing()) == sorted(NOT_SEEN), "\n".join(sorted(members.missing()))


# --- against the program's tables ------------------------------------------------------------------

def source(name):
    return (DAEMON / name).read_text(encoding="utf-8")


def test_the_gateway_takes_its_calls_before_the_table_of_routes_is_looked_at():
    """All other routes are described in the words of their tables (tests/unit/test_docs_tables.c)."""
    assert 'bc_str_starts(req->path, "/accs/")' in source("listener.c")


def test_every_problem_that_is_described_is_of_a_type_that_the_program_has():
    schemas = DOC["components"]["schemas"]
    consts = {s["properties"]["type"]["const"] for s in schemas.values() if "const" in s.get("properties", {}).get("type", {})}
    assert consts == set(schemas["ProblemType"]["enum"]) and len(consts) > 10


def test_parameters_and_fields_are_those_that_the_program_reads():
    code = "".join(path.read_text(encoding="utf-8") for path in DAEMON.glob("api*.c"))
    queries = set(re.findall(r'\bcall_query\w*\(call, "(\w+)"', code))
    fields = set(re.findall(r'\bcall_(?:field|number)\(call, "(\w+)"', code))
    mine = [o for o in OPERATIONS.values() if not o.is_edge]
    assert {p["name"] for o in mine for p in o.parameters if p["in"] == "query"} == queries
    schemas = DOC["components"]["schemas"]
    assert set(schemas["Landing"]["properties"]) | set(schemas["Report"]["properties"]) == fields


def test_every_path_takes_the_methods_that_are_described(open_shop):
    for path, item in DOC["paths"].items():
        if "/accs/" in path:
            continue
        target = sample(next(o for o in OPERATIONS.values() if o.path == path))
        # "retry" may be an order's number, too.
        wanted = {o.method.upper() for o in OPERATIONS.values() if o.fits(target) and "/accs/" not in o.path}
        if "GET" in wanted and "servers" not in item:
            wanted.add("HEAD")
        where, headers = (open_shop.edge, {}) if "servers" in item else (
            open_shop.daemon.address, open_shop.daemon.headers)
        answer = wire.ask(where, "OPTIONS", target, headers=headers)
        assert (answer.status, answer.problem) == (405, "bad-request"), path
        assert set(answer.headers["allow"].split(", ")) == wanted, path
        assert answer.headers["x-request-id"]


@pytest.mark.parametrize("path", [path for path, item in DOC["paths"].items()
                                  if "get" in item and "{" not in path and path not in ("/metrics", "/v1/stream")])
def test_a_head_is_a_get_without_its_body(open_shop, story, path):
    del story  # what the day changes is changed by now
    operation = next(o for o in OPERATIONS.values() if (o.path, o.method) == (path, "get"))
    if operation.is_edge:
        taken = wire.ask(open_shop.edge, "OPTIONS", path).headers["allow"].split(", ")
        assert ("HEAD" in taken) == ("head" in DOC["paths"][path])
        return
    got, head = open_shop.daemon.get(path), open_shop.daemon.ask("HEAD", path)
    assert (head.status, head.body) == (got.status, b"")
    volatile = ("x-request-id", "content-length")
    assert all(head.headers[name] == value for name, value in got.headers.items() if name not in volatile)
    assert "content-length" in head.headers


# --- what the tool cannot read ---------------------------------------------------------------------

def first_event(peer):
    """(the answer's headers, the event)."""
    wait_for(lambda: b"\n\n" in peer.read(until=b"\n\n").bytes, what="an event")
    head, _, event = peer.bytes.decode().partition("\r\n\r\n")
    return dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:]), event


def test_the_stream_sends_what_the_summary_answers_and_refuses_a_seventeenth(open_shop):
    daemon = open_shop.daemon
    request = (f"GET /v1/stream HTTP/1.1\r\nHost: {daemon.address}\r\n"
               f"Authorization: Bearer {API_TOKEN}\r\n\r\n").encode()
    peers = [wire.Peer(daemon.address).send(request) for _ in range(16)]
    try:
        headers, event = first_event(peers[0])
        described = {name.lower() for name in OPERATIONS["streamSummary"].response(200)["headers"]}
        assert described <= set(headers) <= described | openapi.PLAIN_HEADERS
        assert headers["content-type"] == "text/event-stream"
        data = json.loads(re.search(r"^data: (.*)$", event, re.M)[1])
        assert re.search(r"^event: summary$", event, re.M)
        assert sorted(data) == sorted(daemon.get("/v1/summary").json)
        for peer in peers[1:]:
            first_event(peer)
        (refused,) = open_shop.hold([ask("streamSummary", "/v1/stream", 503)])
        assert refused.failures == [] and openapi.header_faults(refused) == []
    finally:
        for peer in peers:
            peer.close()


def test_an_alert_is_one_that_is_described(daemons, partner):
    with Receiver() as receiver:
        shop = daemons(BACKCHANNEL_ALERT_URL=receiver.url)
        wait_for(lambda: shop.post("/v1/lanes/sovendus.default/pause").status == 200, what="the lanes to be read")
        wait_for(lambda: receiver.deliveries, what="the alert")
    schema = DOC["components"]["schemas"]["Alert"]
    body = receiver.deliveries[0].json
    assert set(schema["required"]) <= set(body) <= set(schema["properties"])
    assert body["event"] in schema["properties"]["event"]["enum"] and body["lane"] == "sovendus.default"


def test_a_body_over_the_ceiling_of_the_public_listener_is_413(open_shop):
    for path in (signer.EVENTS, signer.WEBHOOK):
        answer = wire.ask(open_shop.edge, "POST", path, b"x" * (2 * 1024 * 1024 + 1))
        assert (answer.status, answer.problem) == (413, "too-large")
        assert answer.headers["x-request-id"] and set(answer.json) == {"type", "title", "status", "detail"}


# --- lint, page, and the test of the test ------------------------------------------------------------

def test_its_linter_has_nothing_to_say(peers, tmp_path):
    done = openapi.redocly(peers, "lint", "--format=stylish", openapi.FILE, cwd=tmp_path)
    assert done.returncode == 0 and "warning" not in done.stdout.lower(), done.stdout + done.stderr


def test_examples_hold_no_member_that_is_not_described(peers, tmp_path):
    (tmp_path / "strict.json").write_text(json.dumps(openapi.strict(DOC, "api", "edge")), encoding="utf-8")
    done = openapi.redocly(peers, "lint", "--skip-rule=operation-4xx-response", "--skip-rule=no-unused-components",
                           "strict.json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_for_people_is_what_the_tool_makes_of_it():
    page = subprocess.run([ROOT / "tools" / "http-page"], capture_output=True, text=True, check=True).stdout
    assert openapi.written(page, ROOT / "docs" / "http.md"), \
        "docs/http.md is not what tools/http-page makes: run this test once with BC_WRITE_DOCS=1"


def lie(*path, value=None):
    """Puts something else there; without a value, takes it out."""
    def tell(doc):
        for name in path[:-1]:
            doc = doc[name]
        if value is None:
            del doc[path[-1]]
        else:
            doc[path[-1]] = value
    return tell


CAPTURED = ("components", "schemas", "Captured")
CLICKS = ("paths", "/v1/clicks", "post", "responses")

LIES = {
    "a member that never comes is required": lie(*CAPTURED, "required", value=["captured", "fee"]),
    "a member that comes is not described": lie(*CAPTURED, "properties", "kind"),
    "a member has another type": lie(*CAPTURED, "properties", "click", value={"type": "integer"}),
    "a member has other values": lie("components", "schemas", "Kind", value={"enum": ["real", "fake"]}),
    "the answer has another type": lie(*CLICKS, "201", "content", value={"text/html": {"schema": {"type": "string"}}}),
    "the answer has another status": lie(*CLICKS, "201"),
    "there is no such path": lambda doc: doc["paths"].update({"/v1/clocks": doc["paths"].pop("/v1/clicks")}),
}


@pytest.fixture(scope="module")
def liars(open_shop):
    """What the tool says of one and the same answer, by what each description makes of it."""
    docs = {None: copy.deepcopy(open_shop.doc)}
    for name, tell in LIES.items():
        docs[name] = copy.deepcopy(open_shop.doc)
        tell(docs[name])
    steps = open_shop.signed_in([EXAMPLES["captureClick.bare"]])
    told = openapi.hold(open_shop.peers, open_shop.work, [(doc, steps) for doc in docs.values()])
    return {name: exchange for name, (exchange,) in zip(docs, told, strict=True)}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_about_an_answer_is_found(liars, name):
    assert liars[None].failures == []
    assert liars[name].failures != []


def test_a_lie_about_a_header_is_found(story):
    exchange = copy.copy(story["captureClick.landing"])
    exchange.headers = {**exchange.headers, "x-new": "1"}
    assert openapi.header_faults(exchange) == ["captureClick landing: x-new is not described"]
    exchange.headers = {"content-type": "application/json"}
    assert openapi.header_faults(exchange) == ["captureClick landing: no x-request-id"]


def test_a_member_that_never_comes_is_told():
    doc = copy.deepcopy(DOC)
    doc["components"]["schemas"]["Captured"]["properties"]["fee"] = {"type": "integer"}
    members = openapi.Members(doc)
    members.look({"$ref": "#/components/schemas/Captured"}, {"captured": True, "click": "c.0"}, "captureClick")
    assert "Captured.fee" in members.missing() and "Captured.click" not in members.missing()

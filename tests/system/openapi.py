# SPDX-License-Identifier: MIT
"""docs/openapi.yaml as the tests use it, and the tool that holds a running daemon against it.

The description is made strict first: a member that it does not name is a failure, and so is a status
that no operation lists by itself. Redocly's `respect` then sends requests and checks the status, the
type and the body of each answer; what it does not look at (headers, what never comes) is checked here.
"""
import copy
import json
import os
import re
import subprocess
import urllib.parse

import yaml

from daemon import clean_environment
from npm_peers import ROOT

FILE = ROOT / "docs" / "openapi.yaml"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
# What every answer may have, whatever it is about.
PLAIN_HEADERS = {"content-length", "content-type", "connection", "keep-alive", "date", "transfer-encoding"}
SECONDS = 60


def load():
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


class Operation:
    def __init__(self, doc, path, method):
        item = doc["paths"][path]
        self.doc, self.path, self.method = doc, path, method
        self.what = item[method]
        self.id = self.what["operationId"]
        self.is_edge = "servers" in item
        self.responses = self.what["responses"]
        self.parameters = [self.resolved(p) for p in [*item.get("parameters", ()),
                                                      *self.what.get("parameters", ())]]
        self.is_open = self.what.get("security", doc["security"]) == []

    def resolved(self, part):
        while "$ref" in part:
            found = self.doc
            for name in part["$ref"].removeprefix("#/").split("/"):
                found = found[name.replace("~1", "/")]
            part = found
        return part

    def response(self, status):
        """What is said of that status; None if nothing is."""
        found = self.responses.get(str(status)) or self.responses.get(f"{status // 100}XX")
        return self.resolved(found) if found else None

    def schema(self, status, kind):
        contents = (self.response(status) or {}).get("content", {})
        return contents.get((kind or "").partition(";")[0], {}).get("schema", {})

    @property
    def statuses(self):
        """Those that it lists by itself."""
        return [status for status, response in self.responses.items()
                if not response.get("$ref", "").endswith("/Refused")]

    def fits(self, path):
        pattern = re.sub(r"\{\w+\}", "([^/]+)" if "/accs/" not in self.path else "(.+)", re.escape(self.path)
                         .replace(r"\{", "{").replace(r"\}", "}"))
        return re.fullmatch(pattern, path)


def operations(doc):
    return {found.id: found for found in (
        Operation(doc, path, method) for path, item in doc["paths"].items()
        for method in METHODS if method in item)}


# --- requests ------------------------------------------------------------------------------------

class Step:
    """One request of an operation, and the status that has to come."""

    def __init__(self, operation, target, status, body=None, headers=None, name="", expected=None):
        self.operation, self.status, self.name, self.expected = operation, status, name, expected
        self.body, self.headers = body, dict(headers or {})
        path, _, query = target.partition("?")
        self.values = operation.fits(path).groups()
        self.query = urllib.parse.parse_qsl(query, keep_blank_values=True)

    def with_headers(self, **headers):
        """A step like this one, but for these."""
        made = copy.copy(self)
        made.headers = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return made

    def __repr__(self):
        return f"{self.operation.id} {self.name or self.status}"

    def arazzo(self, number):
        names = re.findall(r"\{(\w+)\}", self.operation.path)
        step = {"stepId": f"s{number}", "operationId": self.operation.id, "parameters": [
            *({"name": name, "in": "path", "value": urllib.parse.unquote(value)}
              for name, value in zip(names, self.values, strict=True)),
            *({"name": name, "in": "query", "value": value} for name, value in self.query),
            *({"name": name, "in": "header", "value": value} for name, value in self.headers.items())],
            "successCriteria": [{"condition": f"$statusCode == {self.status}"}]}
        if self.body is not None:
            kind, payload = self.body
            step["requestBody"] = {"contentType": kind, "payload": payload}
        return {"workflowId": f"w{number}", "steps": [step]}


def examples(doc):
    """{"operation.example": Step} of everything that has an `x-request`."""
    found = {}
    for operation in operations(doc).values():
        for status, response in operation.responses.items():
            response = operation.resolved(response)
            number = int(status[0] + "00") if "XX" in status else status != "default" and int(status)
            if "x-request" in response:
                found[f"{operation.id}.{status}"] = _step(operation, response["x-request"], number, None, None)
            for content in response.get("content", {}).values():
                for name, example in content.get("examples", {}).items():
                    if "x-request" in example:
                        found[f"{operation.id}.{name}"] = _step(operation, example["x-request"], number,
                                                                name, example["value"])
    return found


def _step(operation, request, status, name, value):
    method, _, target = request.partition(" ")
    assert method == operation.method.upper() and operation.fits(target.partition("?")[0]), request
    body = None
    for kind, content in operation.what.get("requestBody", {}).get("content", {}).items():
        for title, example in content.get("examples", {}).items():
            if body is None and title == (name or title):
                body = (kind, example["value"])
    return Step(operation, target, status, body, name=name or str(status), expected=value)


# --- the strict form -----------------------------------------------------------------------------

def strict(doc, api, edge):
    """A copy in which only what is described may come, at these addresses."""
    doc = copy.deepcopy(doc)
    doc["servers"] = [{"url": f"http://{api}"}]
    _literal_gateway(doc["paths"])
    for item in doc["paths"].values():
        if "servers" in item:
            item["servers"] = [{"url": f"http://{edge}"}]
        for method in METHODS:
            item.get(method, {})["responses"] = _named(item.get(method, {}).get("responses", {}))
    schemas = doc["components"]["schemas"]
    doc["components"]["schemas"] = {name: _closed(_flat(schema, schemas)) for name, schema in schemas.items()}
    doc["paths"] = _closed(doc["paths"])
    doc["components"]["responses"] = _closed(doc["components"]["responses"])
    return doc


def _named(responses):
    """Each status by itself; without those that no operation has of its own."""
    ranges = {"2XX": ["200"], "4XX": ["400", "401", "403", "404", "429"], "5XX": ["503", "504"]}
    return {status: response for name, response in responses.items()
            if name != "default" and not response.get("$ref", "").endswith("/Refused")
            for status in ranges.get(name, [name])}


def _literal_gateway(paths):
    """A path parameter cannot hold slashes, for any tool."""
    item = paths.pop("/accs/{path}")
    paths["/accs/V1/store/storeConfigs"] = {**item, "parameters": []}


def _flat(schema, schemas):
    if "allOf" not in schema:
        return schema
    merged = {"type": "object", "required": [], "properties": {}}
    for part in [*schema["allOf"], schema]:
        part = _flat(schemas[part["$ref"].rpartition("/")[2]], schemas) if "$ref" in part else part
        merged["required"] = [*merged["required"], *part.get("required", [])]
        for name, what in part.get("properties", {}).items():
            merged["properties"][name] = what
    return merged


def _closed(part):
    if isinstance(part, list):
        return [_closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    part = {name: _closed(each) for name, each in part.items()}
    if part.get("type") == "object" and "properties" in part:
        part["additionalProperties"] = False
    return part


# --- the tool ------------------------------------------------------------------------------------

def redocly(folder, *arguments, cwd):
    env = clean_environment(cwd, REDOCLY_TELEMETRY="off", REDOCLY_SUPPRESS_UPDATE_NOTICE="true", NO_COLOR="1")
    return subprocess.run(["node", "-r", str(folder / "node18.cjs"),
                           str(folder / "node_modules/@redocly/cli/bin/cli.js"), *map(str, arguments)],
                          cwd=cwd, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)


class Exchange:
    """What became of a step: the answer, and what the tool says of it."""

    def __init__(self, step, told):
        answer = told.get("response") or {}
        self.step, self.operation = step, step.operation
        self.status = answer.get("statusCode")
        self.headers = {name.lower(): value for name, value in answer.get("headers", {}).items()}
        self.body = answer.get("body")
        self.failures = [f"{check['name']}: {check['message']}" for check in told["checks"] if not check["passed"]]
        if not any(check["name"] == "status code check" for check in told["checks"]):
            self.failures.append("the tool has not looked at it")

    def __repr__(self):
        return f"<{self.step}: {self.status} {self.headers} {str(self.body)[:400]} {self.failures}>"


def hold(folder, work, pairs):
    """For each (description, steps): sends the steps in their order, and has each answer checked against
    that description. A list of lists of Exchanges."""
    work.mkdir(exist_ok=True)
    names = [f"steps{n}.json" for n in range(len(pairs))]
    for name, (doc, steps) in zip(names, pairs, strict=True):
        (work / f"api-{name}").write_text(json.dumps(doc), encoding="utf-8")
        (work / name).write_text(json.dumps({
            "arazzo": "1.0.1", "info": {"title": "the contract", "version": "1"},
            "sourceDescriptions": [{"name": "api", "type": "openapi", "url": f"api-{name}"}],
            "workflows": [step.arazzo(n) for n, step in enumerate(steps)]}), encoding="utf-8")
    done = redocly(folder, "respect", *names, "--json-output", "told.json", "--no-secrets-masking", cwd=work)
    assert (work / "told.json").exists(), done.stdout + done.stderr
    told = json.loads((work / "told.json").read_text(encoding="utf-8"))["files"]
    (work / "told.json").unlink()
    return [_exchanges(told[name], steps) for name, (_, steps) in zip(names, pairs, strict=True)]


def _exchanges(told, steps):
    found = {step["stepId"]: step for workflow in told["executedWorkflows"] for step in workflow["executedSteps"]}
    assert len(found) == len(steps), told
    return [Exchange(step, found[f"s{n}"]) for n, step in enumerate(steps)]


# --- what the tool does not look at --------------------------------------------------------------

def header_faults(exchange):
    """What is wrong with an answer's headers, as a list of sentences."""
    operation, faults = exchange.operation, []
    response = operation.response(exchange.status) or {}
    described = {name.lower(): operation.resolved(header) for name, header in response.get("headers", {}).items()}
    for name, header in described.items():
        value = exchange.headers.get(name)
        if value is None:
            faults += [f"{exchange.step}: no {name}"] if header.get("required") else []
        elif not _header_fits(value, header["schema"]):
            faults.append(f"{exchange.step}: {name} is {value}")
    if "/accs/" not in operation.path:  # Commerce's own are passed on there
        faults += [f"{exchange.step}: {name} is not described" for name in exchange.headers
                   if name not in described and name not in PLAIN_HEADERS]
    return faults


def _header_fits(value, schema):
    if "const" in schema:
        return value == schema["const"]
    if "enum" in schema:
        return value in schema["enum"]
    if schema.get("type") == "integer":
        return value.isdigit()
    return re.search(schema.get("pattern", ""), value) is not None


class Members:
    """Which documented members of answers have come. A member is known by where it is described."""

    def __init__(self, doc):
        self.doc, self.described, self.seen = doc, {}, set()
        for operation in operations(doc).values():
            for status in operation.statuses:
                for content in operation.resolved(operation.responses[status]).get("content", {}).values():
                    self._describe(content["schema"], operation.id)

    def see(self, exchange):
        schema = exchange.operation.schema(exchange.status, exchange.headers.get("content-type"))
        self.look(schema, exchange.body, exchange.operation.id)

    def _ref(self, schema, owner):
        while "$ref" in schema:
            owner = schema["$ref"].rpartition("/")[2]
            schema = self.doc["components"]["schemas"][owner]
        return schema, owner

    def _parts(self, schema, owner):
        """The schema, and those it is made of, with who owns each."""
        schema, owner = self._ref(schema, owner)
        yield schema, owner
        for kind in ("allOf", "oneOf", "anyOf"):
            for part in schema.get(kind, ()):
                yield from self._parts(part, owner)

    def _describe(self, schema, owner):
        for part, owns in self._parts(schema, owner):
            for name, member in part.get("properties", {}).items():
                if (owns, name) not in self.described:
                    self.described[owns, name] = member
                    self._describe(member, f"{owns}.{name}")
            if "items" in part:
                self._describe(part["items"], owns)

    def look(self, schema, value, owner):
        for part, owns in self._parts(schema, owner):
            if isinstance(value, list) and "items" in part:
                for each in value:
                    self.look(part["items"], each, owns)
            if not isinstance(value, dict):
                continue
            for name, member in part.get("properties", {}).items():
                if name in value and value[name] == member.get("const", value[name]):
                    self.seen.add((owns, name))
                    self.look(member, value[name], f"{owns}.{name}")

    def missing(self):
        return {f"{owner}.{name}" for owner, name in self.described if (owner, name) not in self.seen}


def shape(example, value, where="it"):
    """How a value differs in form from its example; a null says nothing of it."""
    if example is None or value is None:
        return []
    if isinstance(example, bool) or isinstance(value, bool) or not isinstance(example, (dict, list)):
        same = isinstance(value, type(example)) or isinstance(example, float) and isinstance(value, int)
        return [] if same else [f"{where} is {value!r}"]
    if isinstance(example, list):
        rows = zip(example[:1], value[:1]) if isinstance(value, list) else ()
        faults = [] if isinstance(value, list) and bool(example) == bool(value) else [f"{where} is {value!r}"]
        return faults + [fault for e, v in rows for fault in shape(e, v, f"{where}[0]")]
    if not isinstance(value, dict) or set(example) != set(value):
        return [f"{where} has {sorted(value) if isinstance(value, dict) else value!r}, not {sorted(example)}"]
    return [fault for name in example for fault in shape(example[name], value[name], f"{where}.{name}")]


def written(text, path):
    """Is it what the file has? With BC_WRITE_DOCS=1 the file is written first."""
    if os.environ.get("BC_WRITE_DOCS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path.exists() and path.read_text(encoding="utf-8") == text

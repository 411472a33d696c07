# SPDX-License-Identifier: MIT
"""What Prometheus and Grafana are given: /metrics in both formats, the rules with their unit tests, the
dashboard. Every metric and label that a rule or a panel asks for is one that a running daemon has."""
import json
import re
import subprocess

import pytest
import yaml

from doc_shell import ROOT
from sandbox_client import wait_for

PROMETHEUS = ROOT / "packaging/prometheus"
RULES = PROMETHEUS / "backchannel.rules.yml"
TESTS = [PROMETHEUS / "backchannel.rules.test.yml", PROMETHEUS / "backchannel.rules.days.test.yml"]
DASHBOARD = ROOT / "packaging/grafana/backchannel.json"
OPENMETRICS = "application/openmetrics-text"
# As Prometheus 2.42 asks.
ACCEPT = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
          "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
LANDING = "https://shop.example/?sovReqToken="


def promtool(*arguments, given=None):
    return subprocess.run(["promtool", *map(str, arguments)], input=given, text=True, capture_output=True,
                          timeout=120, check=False)


@pytest.fixture(scope="module")
def busy(tmp_path_factory, partner_process):
    """A daemon with every part switched on, each of which has something to tell."""
    from conftest import _Gateways
    folder = tmp_path_factory.mktemp("busy")
    partner_process.reset()
    made = _Gateways(folder)
    gateway = made(partner=partner_process, BACKCHANNEL_EDGE="127.0.0.1:0",
                   BACKCHANNEL_INPUT=f"unix:{folder}/input.sock",
                   BACKCHANNEL_JOURNAL_URL="http://127.0.0.1:9/events/organizations/1/integrations/2/3")
    shop = gateway.daemon
    for number in range(3):
        session = f"session-of-{number}"
        assert shop.click(url=f"{LANDING}12a3b-4c5d-6e7-8f9g{number}", session=session)
        shop.order(f"order-{number}", wait="5s", session=session)
    shop.order("order-without", session="nobody-was-here")
    assert shop.post("/v1/lanes/sovendus.default/pause").status == 200
    assert shop.order("order-that-waits", token="12a3b-4c5d-6e7-8f9gw").status == 202
    assert gateway.get("/V1/orders").status == 200
    wait_for(lambda: samples(shop.get("/metrics").text).get("backchannel_journal_failures_total"),
             what="the journal to have failed")
    yield shop
    made.stop_all()


def samples(text):
    """{series as it stands: value}"""
    return {name: float(value) for name, value in
            re.findall(r"^(\w+(?:\{.*\})?) (\S+)$", text, re.M)}


def series(text):
    """{metric: {label: values}} of every sample."""
    found = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.M):
        known = found.setdefault(name, {})
        for label, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels):
            known.setdefault(label, set()).add(value)
    return found


# --- /metrics ------------------------------------------------------------------------------------

def test_promtool_finds_nothing_wrong_with_the_metrics(busy):
    got = busy.get("/metrics")
    checked = promtool("check", "metrics", given=got.text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_promtool_finds_nothing_wrong_with_those_of_a_daemon_that_has_nothing_to_tell(daemons):
    checked = promtool("check", "metrics", given=daemons().get("/metrics").text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.parametrize("accept, opened", [
    pytest.param(ACCEPT, True, id="Prometheus"),
    pytest.param("application/openmetrics-text", True, id="OpenMetrics alone"),
    pytest.param("text/plain, application/openmetrics-text", False, id="text first"),
    pytest.param("*/*", False, id="anything"),
    pytest.param("text/html", False, id="a browser"),
])
def test_openmetrics_is_given_to_who_asks_for_it_first(busy, accept, opened):
    got = busy.ask("GET", "/metrics", headers={"Accept": accept})
    kind = got.headers["Content-Type"] if "Content-Type" in got.headers else got.headers["content-type"]
    assert kind.startswith(OPENMETRICS + "; version=1.0.0" if opened else "text/plain; version=0.0.4")
    assert got.text.endswith("\n# EOF\n") is opened and got.text.count("# EOF") == opened


def test_both_formats_have_the_same_series(busy):
    plain = busy.get("/metrics").text
    opened = busy.ask("GET", "/metrics", headers={"Accept": ACCEPT}).text
    assert set(samples(plain)) == set(samples(opened)) and len(samples(plain)) > 150


def test_openmetrics_keeps_the_rules_that_prometheus_text_does_not_have(busy):
    """A family of counters goes without the _total of its samples; each family stands in one piece
    below its TYPE and HELP; the bounds of a histogram are numbers with a fraction; no empty line."""
    lines = busy.ask("GET", "/metrics", headers={"Accept": ACCEPT}).text.splitlines()
    suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    family, kind, seen = None, None, set()
    for line in lines[:-1]:
        words = line.split(" ", 3)
        if line.startswith("# HELP "):
            family = words[2]
            assert family not in seen and len(words[3]) > 10
            seen.add(family)
        elif line.startswith("# TYPE "):
            assert words[2] == family
            kind = words[3]
            assert not (kind == "counter" and family.endswith("_total"))
        else:
            name = re.match(r"\w+", line)[0]
            assert name in {family + suffix for suffix in suffixes[kind]}, line
            bound = re.search(r'le="([^"]+)"', line)
            assert not bound or bound[1] == "+Inf" or "." in bound[1], line
    assert len(seen) > 30 and lines[-1] == "# EOF"


def test_histograms_end_with_their_count(busy):
    text = busy.get("/metrics").text
    for name in re.findall(r"^# TYPE (\w+) histogram$", text, re.M):
        for labels, count in re.findall(rf"^{name}_count(?:\{{(.*)\}})? (\d+)$", text, re.M):
            inner = f"{labels}," if labels else ""
            assert samples(text)[f'{name}_bucket{{{inner}le="+Inf"}}'] == int(count)


# --- the rules -----------------------------------------------------------------------------------

def rules():
    document = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def test_promtool_takes_the_rules():
    checked = promtool("check", "rules", RULES)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(rules())} rules found" in checked.stdout


@pytest.mark.parametrize("tests", TESTS, ids=["minutes", "days"])
def test_each_alert_fires_for_what_it_is_there_for_and_not_for_what_comes_close(tests):
    checked = promtool("test", "rules", tests)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "SUCCESS" in checked.stdout


def test_every_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not():
    fires, silent = set(), set()
    for path in TESTS:
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for row in test.get("promql_expr_test", []):
                alert = re.search(r'alertname="(\w+)"', row["expr"])[1]
                (fires if row["exp_samples"] else silent).add(alert)
    names = {rule["alert"] for rule in rules()}
    assert fires == names and silent == names


def test_every_alert_says_what_happened_what_to_do_and_where_more_stands():
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    descriptions = set()
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
        said = rule["annotations"]
        assert set(said) == {"summary", "description", "runbook_url"}, rule["alert"]
        assert "Do:" in said["description"] or "Do, once" in said["description"], rule["alert"]
        assert len(said["summary"]) < 100, rule["alert"]
        assert (ROOT / said["runbook_url"]).is_file(), said["runbook_url"]
        descriptions.add(said["description"])
    assert len(descriptions) == len(names)


def test_the_page_about_alerts_has_every_rule():
    page = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(Backchannel\w+)`", page)) == {rule["alert"] for rule in rules()}
    for row in re.findall(r"^\|.*`Backchannel.*$", page, re.M):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        severities = {rule["labels"]["severity"] for rule in rules() if f"`{rule['alert']}`" in cells[2]}
        assert set(cells[3].split(", ")) == severities, row


def test_the_scrape_example_is_one_that_prometheus_reads(tmp_path):
    config = (PROMETHEUS / "scrape.yml").read_text(encoding="utf-8")
    token = tmp_path / "token"
    token.write_text("any-token", encoding="ascii")
    (tmp_path / RULES.name).write_text(RULES.read_text(encoding="utf-8"), encoding="utf-8")
    path = tmp_path / "prometheus.yml"
    path.write_text(config.replace("/etc/prometheus/backchannel.token", str(token)), encoding="utf-8")
    checked = promtool("check", "config", path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    job = yaml.safe_load(config)["scrape_configs"][0]["job_name"]
    assert all(f'job="{job}"' in rule["expr"] for rule in rules() if "up{" in rule["expr"])


# --- rules and dashboard against a running daemon ----------------------------------------------------

OF_PROMETHEUS = {"job", "instance"}  # labels that a scrape adds


def selectors(expression):
    """(metric, [(label, operator, value)]) of each selector of a query."""
    for name, matchers in re.findall(r"\b(backchannel_\w+|up)\b(?:\{([^}]*)\})?", expression):
        yield name, re.findall(r'(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"', matchers or "")


def aggregated(expression):
    """Labels that a query groups, joins or relabels by."""
    found = set()
    for names in re.findall(r"\b(?:by|on|ignoring|group_left|without)\s*\(([^)]*)\)", expression):
        found |= {name.strip() for name in names.split(",") if name.strip()}
    return found


def check_query(expression, known):
    """Is it about metrics, labels and values that there are?"""
    labels = set(OF_PROMETHEUS)
    for name, matchers in selectors(expression):
        if name == "up":
            continue
        assert name in known, f"there is no metric {name}: {expression}"
        labels |= set(known[name])
        for label, operator, value in matchers:
            assert label in set(known[name]) | OF_PROMETHEUS, f"{name} has no label {label}: {expression}"
            if label in OF_PROMETHEUS or label in ("lane", "product", "path"):
                continue
            for word in value.split("|"):
                assert word in known[name][label], f"{name} has never {label}={word}: {expression}"
    labels |= set(re.findall(r'label_replace\(.*?"(\w+)",', expression, re.S))
    assert aggregated(expression) <= labels, expression


def test_every_metric_label_and_value_of_the_rules_is_one_of_the_daemons(busy):
    known = series(busy.get("/metrics").text)
    for rule in rules():
        check_query(rule["expr"], known)


@pytest.fixture(scope="module")
def dashboard():
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))


def queries(dashboard):
    return [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])]


def test_every_metric_label_and_value_of_the_dashboard_is_one_of_the_daemons(busy, dashboard):
    known = series(busy.get("/metrics").text)
    assert len(queries(dashboard)) > 25
    for _, expression in queries(dashboard):
        check_query(expression.replace('=~"$job"', '="j"').replace('=~"$instance"', '="i"'), known)
    legends = {label for panel in dashboard["panels"] for target in panel.get("targets", [])
               for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])}
    assert legends <= OF_PROMETHEUS | {label for labels in known.values() for label in labels}


def test_every_query_of_the_dashboard_is_promql(tmp_path, dashboard):
    spelled = [{"record": f"q:{n}", "expr": expression.replace("$__rate_interval", "5m").replace("$job", ".*")
                .replace("$instance", ".*")} for n, (_, expression) in enumerate(queries(dashboard))]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": spelled}]}), encoding="utf-8")
    checked = promtool("check", "rules", path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_dashboard_can_be_imported_and_brings_no_data_source_of_its_own(dashboard):
    assert dashboard["title"] == "backchannel" and dashboard["id"] is None and dashboard["uid"]
    variables = {row["name"]: row for row in dashboard["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24 and place["h"] > 0
        if panel["type"] == "row":
            continue
        assert panel["title"] and panel["description"] and panel["targets"], panel["id"]
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
    used = {name for _, expression in queries(dashboard) for name in re.findall(r"\$(\w+)", expression)}
    assert used - {"__rate_interval"} <= set(variables)


def test_no_two_panels_stand_in_the_same_place(dashboard):
    taken = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_metric_is_on_the_dashboard_or_in_a_rule_or_named_as_neither(busy, dashboard):
    families = set(re.findall(r"^# TYPE (\w+)", busy.get("/metrics").text, re.M))
    asked = {name for _, expression in queries(dashboard) for name, _ in selectors(expression)}
    asked |= {name for rule in rules() for name, _ in selectors(rule["expr"])}
    asked = {re.sub(r"_(?:bucket|sum|count)$", "", name) for name in asked}
    neither = {"backchannel_lane_transitions_total",  # the timeline of the lanes shows them
               "backchannel_journal_state", "backchannel_journal_events_total",  # the lag says it
               "backchannel_journal_failures_total", "backchannel_journal_events_per_minute",
               "backchannel_streams"}  # open consoles
    assert families - asked == neither & families
    assert not neither & asked

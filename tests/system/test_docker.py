# SPDX-License-Identifier: MIT
"""What a machine without a container engine can know of packaging/docker: the Dockerfile is clean by a
kept linter and names only what is there, the compose file holds together, nginx takes the
configuration, and `backchannel ready` is the health check that both rely on. tests/fresh/image goes
through the Dockerfile's steps in a bare Debian."""
import json
import pathlib
import re
import shlex
import subprocess

import pytest
import yaml

from daemon import binary, clean_environment, run
from npm_peers import node
from sandbox_client import wait_for
from web_servers import recipe

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCKER = ROOT / "packaging" / "docker"


@pytest.fixture(scope="module")
def dockerfile():
    """[(instruction, arguments)], continued lines joined, comments gone."""
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def variables(tmp_path_factory):
    """The environment name of every setting; of secrets with _FILE too."""
    folder = tmp_path_factory.mktemp("settings")
    done = subprocess.run([binary(), "config", "reference"], env=clean_environment(folder), cwd=folder, text=True,
                          capture_output=True, check=True)
    return set(re.findall(r"`([A-Z][A-Z0-9_]+)`", done.stdout))


def of(dockerfile, instruction):
    return [arguments for name, arguments in dockerfile if name == instruction]


def is_setting(name, variables):
    return name in variables or name.removesuffix("_FILE") in variables


def test_the_linter_finds_nothing_in_the_dockerfile(peers):
    assert node(peers, "dockerfile.mjs", DOCKER / "Dockerfile") == []


def test_the_linter_would_have_found_something(peers, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM debian AS x\nWORKDIR here\nHEALTHCHECK CMD a\nHEALTHCHECK CMD b\nCOPIE . .\n")
    found = node(peers, "dockerfile.mjs", tmp_path / "Dockerfile")
    assert {line["line"] for line in found} >= {2, 5}


def test_each_step_is_one_that_the_shell_can_read(dockerfile):
    steps = of(dockerfile, "RUN")
    assert len(steps) == 2
    for step in steps:
        done = subprocess.run(["dash", "-n", "-c", step], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (step, done.stderr)
        for program in re.findall(r"(?:^|&& )([a-z-]+/[a-z-]+)", step):
            assert (ROOT / program).exists(), program


def test_what_is_copied_is_there_and_the_final_image_gets_the_package_alone(dockerfile):
    whole, package = of(dockerfile, "COPY")
    assert whole == ". ." and package.startswith("--from=build /packages/backchannel_*.deb ")
    ignored = (DOCKER / "Dockerfile.dockerignore").read_text().split()
    assert ".git" in ignored and not {"packaging", "debian", "cmake", "src", "tools"} & set(ignored)


def test_the_image_runs_as_nobody_with_the_settings_that_it_needs(dockerfile, variables):
    assert of(dockerfile, "USER") == ["10001:10001"] and of(dockerfile, "STOPSIGNAL") == ["SIGTERM"]
    (env,), (volume,) = of(dockerfile, "ENV"), of(dockerfile, "VOLUME")
    set_here = dict(part.split("=", 1) for part in shlex.split(env))
    assert all(is_setting(name, variables) for name in set_here), set_here
    assert set_here["BACKCHANNEL_STATE"] == volume
    (health,) = of(dockerfile, "HEALTHCHECK")
    assert json.loads(health.split("CMD ")[1]) == ["/usr/bin/backchannel", "ready"]
    assert json.loads(of(dockerfile, "ENTRYPOINT")[0] if of(dockerfile, "ENTRYPOINT") else "[]") == [
        "/usr/bin/backchannel"] and json.loads(of(dockerfile, "CMD")[0]) == ["serve"]


def test_without_an_api_token_it_says_what_is_missing_and_does_not_start(dockerfile, tmp_path):
    """Its ports are reachable: so the image alone, with its settings alone, must not serve."""
    env = dict(part.split("=", 1) for part in shlex.split(of(dockerfile, "ENV")[0]))
    env.update(BACKCHANNEL_STATE=str(tmp_path / "state"), BACKCHANNEL_LISTEN="0.0.0.0:0", SOVENDUS_PRODUCT_ID="p",
               SOVENDUS_API_KEY="a-key-000")
    done = run(["serve"], clean_environment(tmp_path, **env), tmp_path)
    assert done.code == 1 and "api_token" in done.err


def test_the_compose_file_holds_together(compose, variables):
    daemon, web = compose["services"]["backchannel"], compose["services"]["web"]
    assert (DOCKER / daemon["build"]["context"] / daemon["build"]["dockerfile"]).exists()
    assert all(is_setting(name, variables) for name in daemon["environment"]), daemon["environment"]
    for name in daemon["secrets"]:
        assert f"/run/secrets/{name}" in daemon["environment"].values() and name in compose["secrets"]
    for mounted in web["volumes"]:
        assert (DOCKER / mounted.split(":")[0]).is_file(), mounted
    for service in (daemon, web):
        assert set(service["networks"]) <= set(compose["networks"])
    assert daemon["volumes"] == ["state:/var/lib/backchannel"] and "state" in compose["volumes"]
    assert daemon["read_only"] and daemon["cap_drop"] == ["ALL"] and "ports" not in daemon
    assert web["depends_on"]["backchannel"]["condition"] == "service_healthy"


def test_nginx_takes_its_configuration_which_is_what_the_recipe_prints(tmp_path):
    assert (DOCKER / "capture.conf").read_text(encoding="utf-8") == recipe("nginx", tmp_path)
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off;\n"
        f"include {DOCKER}/capture.conf;\ninclude {DOCKER}/shop.conf; }}\n", encoding="utf-8")
    done = subprocess.run(["nginx", "-t", "-q", "-p", tmp_path, "-c", tmp_path / "nginx.conf"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- the health check -----------------------------------------------------------------------------

def test_ready_is_0_while_the_daemon_takes_orders(shop):
    assert (shop.cli("ready").code, shop.cli("ready").out) == (0, "ready\n")
    assert shop.cli("ready", "--json").code == 0


def test_ready_is_4_where_no_daemon_answers_and_makes_nothing(tmp_path):
    done = run(["ready"], clean_environment(tmp_path, BACKCHANNEL_URL="http://127.0.0.1:9"), tmp_path)
    assert done.code == 4 and "no daemon answers" in done.err and not list(tmp_path.iterdir())


def test_ready_is_1_with_the_reason_while_the_store_refuses(daemons, unique, tmp_path):
    daemon = daemons(BACKCHANNEL_STORE=f"fault:put-click@1-1000=full:sqlite:{tmp_path / 'shop.db'}")

    def refused():  # what else it writes goes well, and may come in between
        assert daemon.post("/v1/clicks", {"token": unique.token()}).status == 503
        done = daemon.cli("ready")
        return done.code != 0 and done
    done = wait_for(refused)
    assert done.code == 1 and "space" in done.err, done

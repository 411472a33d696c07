# SPDX-License-Identifier: MIT
"""A shop's web site for the browser tests, with capture.js in its pages and the daemon's public listener
behind two of its paths, as a shop's web server would have it; and the browser that visits it."""
import http.server
import json
import re
import select
import shutil
import subprocess
import threading

import wire
from daemon import clean_environment

DAEMONS = ("/capture.js", "/v1/c")
START_SECONDS = 60
ANSWER_SECONDS = 60
HOP_BY_HOP = ("connection", "content-length", "transfer-encoding", "date", "keep-alive")


class Storefront:
    """pages: what stands at a path, by default a page that loads capture.js with these options.
    seen: what visitors asked for, as (method, path, headers, body)."""

    def __init__(self, edge):
        self.edge = edge
        self.pages, self.headers, self.seen = {}, {}, []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()

    def page(self, head="", path="/", **options):
        """This page from now on at the path; options are the data- attributes of the script."""
        data = "".join(f' data-{name}="{value}"' for name, value in options.items())
        self.pages[path] = (f'<!doctype html><meta charset=utf-8><link rel=icon href="data:,">{head}'
                            f'<title>Shop</title><script async src="/capture.js"{data}></script><p>Welcome.')

    def beacons(self):
        """The bodies that came to the beacon's path."""
        return [body.decode() for method, path, _, body in list(self.seen)
                if path == "/v1/c" and method == "POST"]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def _answer(self, method, target, headers, body):
        path = target.split("?")[0]
        self.seen.append((method, target, headers, body))
        if path in DAEMONS:
            kept = {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}
            try:
                answer = wire.ask(self.edge, method, target, body or None, kept)
            except OSError:
                return 502, [], b""
            return answer.status, [(name, value) for name, value in answer.headers.items()
                                   if name not in HOP_BY_HOP], answer.body
        page = self.pages.get(path) or self.pages["/"]
        return 200, [("Content-Type", "text/html"), *self.headers.items()], page.encode()

    def _handler(self):
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def respond(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, answer = site._answer(self.command, self.path, self.headers, body)
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                if status != 204:
                    self.wfile.write(answer)

            do_GET = do_POST = respond

            def log_message(self, *_arguments):
                pass
        return Handler


class Browser:
    """Chromium; each method is a command of peers/browser.mjs."""

    def __init__(self, folder):
        self.process = subprocess.Popen(["node", "browser.mjs", shutil.which("chromium")], cwd=folder, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean_environment("/tmp"))
        self.version = self._read(START_SECONDS)

    def _read(self, seconds):
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = self.process.stdout.readline() if ready else ""
        assert line, "the browser does not answer"
        answer = json.loads(line)
        assert not isinstance(answer, dict) or "failed" not in answer, answer
        return answer

    def _do(self, command, **options):
        self.process.stdin.write(json.dumps({"do": command, **options}) + "\n")
        self.process.stdin.flush()
        return self._read(ANSWER_SECONDS)

    def new(self, **options):
        return self._do("new", **options)

    def tab(self):
        return self._do("tab")

    def go(self, url, **options):
        return self._do("go", url=url, **options)

    def run(self, js):
        return self._do("run", js=js)

    @property
    def errors(self):
        return self._do("seen")["errors"]

    def requests(self, pattern=""):
        return [row for row in self._do("seen")["requests"] if re.search(pattern, row["url"])]

    @property
    def cookies(self):
        return {cookie["name"]: cookie for cookie in self._do("cookies")}

    def kept(self):
        """Everything a page could have left in this browser: what storage holds, and the cookies."""
        return self.run("({...sessionStorage, ...localStorage})"), list(self.cookies)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(ANSWER_SECONDS)
        self.process.stdout.close()

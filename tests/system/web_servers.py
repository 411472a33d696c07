# SPDX-License-Identifier: MIT
"""Real web servers in front of a tiny shop, for the tests of the capture recipes.

Each is Debian's own program with a configuration of its own in a folder of its own, on free ports of
the loopback; Debian's services are not touched. What `backchannel recipe` printed is put where its
comments say; the configuration is checked by the server's own checker first. All of them serve:

/...        a page of the application (PAGE), also /page, /deep/down/...
/go         the application answers 302 and drops the query
/gone       the application answers 404
/login      the application starts a session: Set-Cookie, twice
/moved      the web server itself answers 301
/cached/... pages that the web server keeps, whatever their query
/spa/...    a file that is everything: nginx by try_files, Apache by FallbackResource
"""
import http.server
import json
import os
import pathlib
import shutil
import socket
import socketserver
import statistics
import subprocess
import tempfile
import threading
import time

import wire
from daemon import clean_environment, run
from ports import Port
from sandbox_client import wait_for

PAGE, SPA = "a page of the shop", "the one page of the shop"
START_SECONDS = 15
APACHE_MODULES = "/usr/lib/apache2/modules"


def recipe(name, folder, *options, **settings):
    """What `backchannel recipe` prints."""
    done = run(["recipe", name, *options], clean_environment(folder, **settings), folder)
    assert done.code == 0, done
    return done.out


# --- the shop ------------------------------------------------------------------------------------

class _Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    ANSWERS = {"/go": (302, [("Location", "/landing")]), "/gone": (404, []),
               "/login": (200, [("Set-Cookie", "theme=dark; Path=/"),
                                ("Set-Cookie", "PHPSESSID=fresh123; Path=/; HttpOnly"),
                                ("Set-Cookie", "connect.sid=s%3Afresh; Path=/")])}

    def do_GET(self):
        path = self.path.split("?")[0]
        with self.server.lock:
            self.server.seen.append(self.path)
        status, headers = self.ANSWERS.get(path, (200, []))
        if path.startswith("/cached/"):
            headers = [("Cache-Control", "public, max-age=300")]
        body = PAGE.encode()
        head = f"HTTP/1.1 {status} OK\r\nContent-Length: {len(body)}\r\nContent-Type: text/html\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers)
        self.wfile.write(head.encode() + b"\r\n" + body)

    do_POST = do_HEAD = do_GET

    def log_message(self, *_):
        pass


class Shop(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """The application behind the web server; `seen` are the requests that reached it."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Shop)
        self.lock, self.seen = threading.Lock(), []
        self.address = f"127.0.0.1:{self.server_port}"
        self.thread = threading.Thread(target=self.serve_forever)

    def handle_error(self, request, client_address):
        """A server that closes its connections with a reset is none."""

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join()
        self.server_close()


# --- who hears the datagrams ---------------------------------------------------------------------

class Ears:
    """A datagram socket where the daemon's input would be; `heard` are the objects that came.
    address: as the setting `input`. deaf: it is there, and never reads."""

    def __init__(self, address, deaf=False):
        self.kind, _, place = address.partition(":")
        if self.kind == "unix":
            self.place = place
            pathlib.Path(place).unlink(missing_ok=True)
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.socket.bind(place)
            os.chmod(place, 0o666)
        else:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind(wire.split_address(place))
        if deaf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        self.socket.settimeout(0.05)
        self.raw, self.over = [], threading.Event()
        self.thread = None if deaf else threading.Thread(target=self._listen)
        if self.thread:
            self.thread.start()

    def _listen(self):
        while not self.over.is_set():
            try:
                self.raw.append(self.socket.recv(65536))
            except TimeoutError:
                pass

    @property
    def heard(self):
        return [json.loads(data[data.index(b"{"):].decode("utf-8", "replace"))
                for data in list(self.raw)]

    def wait(self, token):
        """The datagram of this token."""
        return wait_for(lambda: [d for d in self.heard if d["tok"] == token],
                        what=f"a datagram with {token}")[0]

    def close(self):
        """As a daemon that is stopped: a Unix socket's file stays behind."""
        self.over.set()
        if self.thread:
            self.thread.join()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# --- the servers ---------------------------------------------------------------------------------

class WebServer:
    """One with a recipe in it. more: further lines for the place of a test's own."""
    program = None

    def __init__(self, shop, printed, more=""):
        if not shutil.which(self.program):
            raise AssertionError(f"{self.program} is not installed; run tools/deps --test")
        # Not pytest's: the workers of a server that was started by root are somebody else.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"bc-{self.program}-"))
        self.folder.chmod(0o755)
        (self.folder / "www").mkdir(mode=0o755)
        (self.folder / "www" / "index.html").write_text(SPA, encoding="ascii")
        self.shop, self.printed, self.more = shop, printed, more
        self.port = Port()
        self.address = self.port.address
        self.process = None
        self.config = self.folder / f"{self.program}.conf"

    def checked(self, command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def spawn(self, command):
        with open(self.folder / "output", "ab") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=output)

    def start(self):
        self.config.write_text(self.text(), encoding="ascii")
        self.checker_said = self.check()
        self.run()
        wait_for(self._is_up, START_SECONDS, f"{self.program}'s start")
        return self

    def _is_up(self):
        assert self.process.poll() is None, (self.folder / "output").read_text() + self.errors()
        try:
            return wire.ask(self.address, "GET", "/").status == 200
        except OSError:
            return None

    def errors(self):
        log = self.folder / "error.log"
        return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(START_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    # --- what a visitor sees ---------------------------------------------------------------------

    def raw(self, data, seconds=10.0):
        """Bytes out, bytes back."""
        return wire.exchange(self.address, data, seconds).bytes

    def visit(self, target, method="GET", cookie=None, **headers):
        """(status, every Set-Cookie, body) of one request, byte for byte as given. A line break in
        the target makes it HTTP/0.9 for some: no head then, and status 0."""
        lines = [f"{method} {target} HTTP/1.1", "Host: shop.example", "Connection: close"]
        lines += [f"Cookie: {cookie}"] if cookie else []
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        got = self.raw("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if not got.startswith(b"HTTP/"):
            return 0, [], got.decode("latin-1")
        head, _, body = got.partition(b"\r\n\r\n")
        status, *fields = head.decode("latin-1").split("\r\n")
        fields = [field.split(": ", 1) for field in fields]
        assert not any(name.lower() == "x-evil" for name, *_ in fields), got
        return (int(status.split()[1]), [value for name, value in fields
                                         if name.lower() == "set-cookie"], body.decode("latin-1"))

    def cookies(self, target, **more):
        """The click cookies that one request brings, whole."""
        return [cookie for cookie in self.visit(target, **more)[1] if cookie.startswith("bc_click=")]

    def click(self, target, **more):
        """The value of the one click cookie that this landing brings."""
        cookies = self.cookies(target, **more)
        assert len(cookies) == 1, cookies
        return cookies[0].split(";")[0].split("=", 1)[1]

    def page_times(self, targets):
        """How long each page took, in milliseconds, one after the other on one connection: what
        holds up the next request of a visitor shows as well."""
        found, conn = [], wire.connection(self.address)
        try:
            for target in targets:
                start = time.monotonic()
                answer = wire.send(conn, "GET", target)
                found.append((time.monotonic() - start) * 1000)
                assert answer.status == 200 and PAGE in answer.text, answer
        finally:
            conn.close()
        return found

    def median(self, targets):
        times = self.page_times(targets)
        assert max(times) < 2000, "a page waited"
        return statistics.median(times)


def commented(printed, word):
    """The lines that a recipe shows as comments, for another place than its own."""
    return "\n".join(line[1:] for line in printed.splitlines()
                     if line.startswith("#  ") and line[1:].strip().startswith(word))


class Nginx(WebServer):
    program = "nginx"

    def text(self):
        folder = self.folder
        (folder / "backchannel.conf").write_text(self.printed, encoding="ascii")
        header = commented(self.printed, "add_header")
        logs = commented(self.printed, "access_log").replace("/var/log/nginx", str(folder))
        assert header, self.printed
        return f"""
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log warn;
events {{}}
http {{
    access_log {folder}/other.log; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
    fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    proxy_cache_path {folder}/cache keys_zone=pages:1m;
    include {folder}/backchannel.conf;
    server {{
        listen {self.address};
        root {folder}/www;
{header}
{logs}
        proxy_http_version 1.1; proxy_set_header Connection "";
        location / {{ proxy_pass http://{self.shop.address}; }}
        location = /moved {{ return 301 /landing; }}
        location /cached/ {{
            proxy_pass http://{self.shop.address}; proxy_cache pages; proxy_cache_key $uri;
        }}
        location /spa {{ try_files $uri /index.html; }}
        location = /index.html {{ }}
        location /inner {{ add_header X-Frame-Options DENY; proxy_pass http://{self.shop.address}; }}
        location /mended {{
            add_header X-Frame-Options DENY;
{header}
            proxy_pass http://{self.shop.address};
        }}
        {self.more}
    }}
}}
"""

    def command(self):
        return ["nginx", "-p", str(self.folder), "-c", str(self.config),
                "-e", str(self.folder / "error.log")]

    def check(self):
        return self.checked([*self.command(), "-t"])

    def run(self):
        self.spawn(self.command())


class Haproxy(WebServer):
    program = "haproxy"
    ordinary_log = "127.0.0.1:9"
    # As Debian's own file has it: a recipe must cope with what is inherited.
    DEFAULTS = """
defaults
    log global
    mode http
    option httplog
    option dontlognull
    timeout connect 5s
    timeout client 30s
    timeout server 30s
"""

    def text(self):
        return f"""
global
    log {self.ordinary_log} local0
    maxconn 200
{self.DEFAULTS}
cache pages
    total-max-size 4
    max-age 300
frontend shop
    bind {self.address}
{self.printed}
    {self.more}
    http-request redirect location /landing code 301 if {{ path /moved }}
    http-request return status 200 content-type text/html string "{SPA}" if {{ path_beg /spa }}
    use_backend cached if {{ path_beg /cached/ }}
    default_backend application
backend application
    server one {self.shop.address}
backend cached
    http-request set-query x
    http-request cache-use pages
    http-response cache-store pages
    server one {self.shop.address}
"""

    def check(self):
        return self.checked(["haproxy", "-c", "-f", str(self.config)])

    def run(self):
        self.spawn(["haproxy", "-db", "-f", str(self.config)])


class Apache(WebServer):
    program = "apache2"
    # As the recipe's comments say.
    CACHE = "CacheQuickHandler Off\n<Location /cached/>\nSetOutputFilter CACHE\n</Location>"
    MODULES = ("mpm_event authz_core setenvif headers alias dir rewrite proxy proxy_http cache "
               "cache_disk").split()

    def text(self):
        folder = self.folder
        (folder / "backchannel.conf").write_text(self.printed, encoding="ascii")
        (folder / "cache").mkdir(exist_ok=True)
        (folder / "cache").chmod(0o777)
        modules = "\n".join(f"LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so"
                            for name in self.MODULES)
        user = "User nobody\nGroup nogroup" if os.geteuid() == 0 else ""
        return f"""
ServerName shop.example
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/pid
ErrorLog {folder}/error.log
Listen {self.address}
{user}
StartServers 1
{modules}
Include {folder}/backchannel.conf
<Directory {folder}/www>
    Require all granted
    AllowOverride FileInfo
</Directory>
<VirtualHost {self.address}>
    DocumentRoot {folder}/www
    Header always set X-Frame-Options DENY
    Redirect 301 /moved /landing
    CacheRoot {folder}/cache
    CacheEnable disk /cached/
    CacheIgnoreQueryString On
    CacheIgnoreNoLastMod On
    {self.CACHE}
    RewriteEngine On
    RewriteRule ^/spa /index.html [L]
    ProxyPass /index.html !
    ProxyPass /moved !
    {self.more}
    ProxyPass / http://{self.shop.address}/
</VirtualHost>
"""

    def check(self):
        return self.checked(["apache2", "-f", str(self.config), "-t"])

    def run(self):
        self.spawn(["apache2", "-f", str(self.config), "-DFOREGROUND"])


SERVERS = {"nginx": Nginx, "nginx-log": Nginx, "haproxy": Haproxy, "haproxy-log": Haproxy,
           "apache": Apache}

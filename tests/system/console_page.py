# SPDX-License-Identifier: MIT
"""The console in a real browser: the reader who looks at it, and what must be so of every page that was
looked at."""
import json
import re
import shutil

import pytest

from sandbox_client import wait_for
from storefront import Browser

TOKEN = "console-token-of-the-tests-0001"
KEPT = "backchannel.api_token"
WIDTHS = [360, 768, 1280]
# What the browser itself says of an answer that is none: told by the page, and no fault of the page.
EXPECTED = re.compile(r"Failed to load resource")


class Visitor(Browser):
    """A reader of the console. What he clicks has to be there to be seen."""

    def click(self, at):
        return self._do("click", at=at)

    def hover(self, at):
        self._do("hover", at=at)

    def fill(self, at, text):
        return self._do("fill", at=at, text=text)

    def press(self, *keys):
        for key in keys:
            self._do("press", key=key)

    def size(self, width, height=900):
        self._do("size", width=width, height=height)

    def media(self, **options):
        self._do("media", **options)

    def axe(self):
        return self._do("axe")

    def answer(self, pattern, status=None, body=None):
        self._do("answer", pattern=pattern, status=status, type="application/problem+json",
                 body=json.dumps(body) if body else "")

    @property
    def url(self):
        return self._do("url")

    def shot(self, path):
        self._do("shot", path=str(path))

    @property
    def said(self):
        """What the browser's console has above the ordinary."""
        return [line["text"] for line in self._do("seen")["console"]
                if line["level"] in ("error", "warning") and not EXPECTED.search(line["text"])]

    def text(self, at):
        """What can be read there; "" where nothing is, or it is hidden."""
        return self.run(f"(() => {{ const n = document.querySelector({json.dumps(at)}); return n && n.checkVisibility() ? n.innerText : ''; }})()")

    def wait(self, js, what=None, seconds=10):
        return wait_for(lambda: self.run(js), seconds, what or js)

    def wait_text(self, at, pattern, seconds=10):
        """Waits until the text matches; the match."""
        try:
            return wait_for(lambda: re.search(pattern, self.text(at), re.S), seconds, f"{at} to say {pattern}")
        except AssertionError as late:
            raise AssertionError(f"{late}; it says {self.text(at)!r}") from None

    def focus(self):
        """What has the focus, as somebody would name it."""
        return self.run("(() => { const n = document.activeElement; return n.id || n.getAttribute('aria-label') || n.innerText || n.tagName; })()")


def page_of(daemon):
    return f"http://{daemon.address}/"


@pytest.fixture(scope="module")
def browser(peers):
    if not shutil.which("chromium"):
        pytest.skip("Chromium is not here: tools/deps --test")
    started = Visitor(peers)
    yield started
    started.stop()


def visit(browser, daemon, token=TOKEN, at="", init="", **options):
    """Another reader, who has the API token in his tab, if there is one."""
    signed_in = f"sessionStorage['{KEPT}'] ??= {json.dumps(token)};" if token else ""
    browser.new(init=init + signed_in, **{"viewport": {"width": 1280, "height": 900}, "reducedMotion": "reduce", **options})
    browser.go(page_of(daemon) + at, until="domcontentloaded")
    if token:
        browser.wait_text("#link", "Live")
        browser.wait("document.querySelectorAll('#legend li').length", "the history")
    return browser


def assert_clean(browser, daemon):
    assert browser.errors == []
    assert browser.said == []
    home = page_of(daemon)
    foreign = [row["url"] for row in browser.requests() if not row["url"].startswith((home, "data:"))]
    assert foreign == []

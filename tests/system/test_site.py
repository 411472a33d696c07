# SPDX-License-Identifier: MIT
"""tools/docs-site makes a site of the pages: all of them, with nothing of another host, and every
link and anchor in it leads somewhere. A link that leads nowhere stops the build."""
import html.parser
import re
import shutil
import subprocess
import urllib.parse

import pytest

from daemon import is_sanitized
from doc_shell import ROOT

pytestmark = pytest.mark.skipif(is_sanitized(), reason="nothing of the program is in the site")
ELSEWHERE = re.compile(r"^(?:[a-z]+:)?//")
LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "object": "data",
          "source": "src", "video": "src", "audio": "src", "embed": "src"}


def build(tree, out):
    return subprocess.run([tree / "tools/docs-site", out], capture_output=True, text=True, timeout=120,
                          check=False)


@pytest.fixture(scope="module", autouse=True)
def sphinx():
    probe = ["/usr/bin/python3", "-c", "import furo, myst_parser, sphinx"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("Sphinx with myst-parser and furo is not here: tools/deps --test installs it")


class _Page(html.parser.HTMLParser):
    """What a page loads, where it leads, and what can be led to."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.links, self.ids = [], [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        self.ids.update(values[name] for name in ("id", "name") if name in values)
        if LOADED.get(tag) in values:
            self.loads.append(values[LOADED[tag]])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        self.loads += re.findall(r"url\(['\"]?([^'\")]+)", values.get("style", ""))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    done = build(ROOT, out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def pages(site):
    return {path: _Page(path) for path in sorted(site.rglob("*.html"))}


def test_every_page_of_the_tree_is_in_it(site):
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        made = site / page.relative_to(ROOT).with_suffix(".html")
        assert made.is_file(), page
    assert (site / "index.html").is_file()


def test_nothing_is_loaded_from_another_host(site, pages):
    for path, page in pages.items():
        assert not [what for what in page.loads if ELSEWHERE.match(what)], path
    for path in site.rglob("*.css"):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S)
        found = re.findall(r"(?:url\(\s*|@import\s+)['\"]?([^'\")\s]+)", text)
        assert not [what for what in found if ELSEWHERE.match(what)], path


def test_every_link_and_anchor_leads_somewhere(pages):
    followed = 0
    for path, page in pages.items():
        for link in page.links + page.loads:
            if re.match(r"^[a-z]+:", link) or ELSEWHERE.match(link):
                continue
            name, _, anchor = link.partition("#")
            name = urllib.parse.unquote(name.partition("?")[0])
            there = (path.parent / name).resolve() if name else path
            assert there.exists(), f"{path}: {link}"
            if anchor and there in pages:
                assert urllib.parse.unquote(anchor) in pages[there].ids, f"{path}: {link}"
            followed += 1
    assert followed > 500


def test_the_search_has_its_index_with_it(site):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert "docs/howto/lane-parked" in index and "docs/tutorial" in index
    search = (site / "search.html").read_text(encoding="utf-8")
    assert "searchindex.js" in search and "searchtools.js" in search


def test_the_menu_has_the_four_kinds(site):
    text = (site / "docs/README.html").read_text(encoding="utf-8")
    captions = re.findall(r'class="caption-text">([^<]+)<', text)
    assert [word for word in ("Tutorial", "How-to", "Reference", "Explanation") if word in captions] == [
        "Tutorial", "How-to", "Reference", "Explanation"]


def test_a_link_that_leads_nowhere_stops_the_build(tmp_path):
    tree = tmp_path / "tree"
    for name in ("docs/conf.py", "tools/docs-site", "tools/shell.sh", "CMakeLists.txt"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    (tree / "docs/operation.md").write_text("# Operation\n\n## Log\n", encoding="utf-8")
    index = tree / "docs/README.md"
    good = "# Index\n\n## Reference\n\n[operation](operation.md), [log](operation.md#log)\n"
    index.write_text(good, encoding="utf-8")
    done = build(tree, tmp_path / "good")
    assert done.returncode == 0, done.stderr
    broken = ["no-page.md", "operation.md#no-heading", "../tests/no_file.py"]
    index.write_text(good + "".join(f"\n[gone]({link})\n" for link in broken), encoding="utf-8")
    done = build(tree, tmp_path / "bad")
    assert done.returncode != 0
    for link in broken:
        assert link in done.stderr

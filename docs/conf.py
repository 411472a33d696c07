# SPDX-License-Identifier: MIT
"""The site of these pages, for Sphinx with MyST: tools/docs-site builds it.

The pages are the tree's own Markdown, as it stands: the source folder is the tree, so a link that
leads somewhere there does so here, and one that leads nowhere is a warning, which the build takes for
an error. docs/README.md is the index; what it lists under a heading is a part of the menu, so a page
that it does not list is a warning too. What is no page (a test, a source) is copied beside the pages
that name it. Nothing is fetched from another host, by the build or by whoever reads what it made.
"""
import pathlib
import re

from pygments.lexers.special import TextLexer

# pylint: disable=invalid-name  # the names are Sphinx's
ROOT = pathlib.Path(__file__).resolve().parents[1]
INDEX = "docs/README"

project = "backchannel"
author = copyright = "the authors of backchannel"  # pylint: disable=redefined-builtin
version = release = re.search(r"project\(backchannel VERSION ([\d.]+)",
                              (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))[1]

extensions = ["myst_parser"]
root_doc = INDEX
include_patterns = ["README.md", "docs/**.md", "examples/README.md"]
# Not walked at all: nothing there is a page, and builds are large.
exclude_patterns = ["bench", "build*", "cmake", "include", "packaging", "sandbox", "src", "tests",
                    "tools", "web", ".*"]
myst_heading_anchors = 4
myst_enable_extensions = []
# A block that is cut short by "..." is no JSON to a highlighter, and some languages it does not know.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"backchannel {version}"
html_copy_source = html_show_sourcelink = html_show_copyright = False
html_theme_options = {"footer_icons": []}
templates_path = []


def menu(index):
    """{heading: the pages that the index lists under it}, without the index itself."""
    parts = re.split(r"^## (.+)$", index, flags=re.M)
    return {heading: [page.removesuffix(".md") for page in
                      dict.fromkeys(re.findall(r"\]\(([\w./-]+\.md)\)", text))]
            for heading, text in zip(parts[1::2], parts[2::2])}


def add_menu(_app, name, source):
    """Every page belongs to a toctree; readers of the Markdown are spared the sight of it."""
    if name != INDEX:
        return
    for heading, pages in menu(source[0]).items():
        if pages:
            lines = "\n".join(pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {heading}\n\n{lines}\n```\n"


def setup(app):
    for language in ("haproxy", "graphql"):  # Pygments of Debian 12 has neither
        app.add_lexer(language, TextLexer)
    app.connect("source-read", add_menu)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

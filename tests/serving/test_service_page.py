"""The page marks what was found by characters, escapes everything, and needs nothing from elsewhere.

What a browser makes of it is seen in a headless one, where there is one: a driver page holds the real page in a frame,
uses it as a person would, and writes down what is on it.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from fastapi.responses import HTMLResponse
from tests.serving.services import FACTS, Finder, serving

from openmed.serving.service import Limits, ModelFacts, make_app
from openmed.serving.service.page import render_page
from openmed.spans import Span

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
EVIL = "<img src=x onerror=\"parent.hacked=1\"><script>parent.hacked=1</script> aspirin & 'aspirin' </mark>"
FOUND = {"Chemical": "aspirin", "Disease": "asthma|<img [^>]*>"}  # what is marked can be evil, too
TEXTS = {
    "plain": "Take aspirin against asthma.",
    "emoji": "😀👩\u200d🔬 aspirin 😀aspirin🧬 asthma",
    "combining": "cafe\u0301 aspirin e\u0301\u0308 asthma β\u0308",
    "right to left": "אספירין aspirin מקל asthma",
    "evil": EVIL,
    "lines": "\n\n aspirin\n\tasthma \n",
    "empty": "",
}
DRIVER = """<!DOCTYPE html><meta charset="utf-8"><body><iframe src="/"></iframe><pre id="out"></pre><script>
const texts = TEXTS, out = {};
document.querySelector("iframe").onload = async () => {
  const page = document.querySelector("iframe").contentDocument;
  const $ = (id) => page.getElementById(id);
  const look = () => ({
    text: $("result").textContent,
    marks: [...page.querySelectorAll("mark")].map((mark) => [mark.textContent, mark.dataset.label, mark.dataset.tip]),
    elements: [...new Set([...$("result").querySelectorAll("*")].map((node) => node.localName))],
    legend: [...$("legend").children].map((node) => [node.textContent, node.getAttribute("aria-pressed")]),
    status: $("status").textContent,
  });
  const use = async (text) => {
    $("text").value = text;
    $("tag").click();
    while ($("tag").disabled) await new Promise((done) => setTimeout(done, 10));
    return look();
  };
  const slide = (score) => {
    $("threshold").value = score;
    $("threshold").dispatchEvent(new Event("input"));
    return look();
  };
  for (const [name, text] of Object.entries(texts)) out[name] = await use(text);
  await use("aspirin, asthma, aspirin-asthma");
  out["at the score"] = slide(0.75);
  out["above the score"] = slide(0.76);
  let copied;
  const clipboard = { writeText: async (text) => (copied = text) };
  Object.defineProperty(page.defaultView.navigator, "clipboard", { value: clipboard });
  $("copy").click();
  await new Promise((done) => setTimeout(done, 10));
  out["copied"] = JSON.parse(copied);
  slide(0);
  $("legend").firstChild.click();
  out["one type hidden"] = look();
  $("legend").firstChild.click();
  out["shown again"] = look();
  out["refused"] = await use("a".repeat(2000));
  out["coloured"] = [...page.querySelectorAll("#legend button")].map((node) => getComputedStyle(node).backgroundColor);
  out["hacked"] = window.hacked ?? null;
  document.getElementById("out").textContent = JSON.stringify(out);
};
</script>"""


class Overlapping(Finder):
    """Of "aspirin-asthma" the whole is found as well."""

    def spans(self, text: str):
        yield from super().spans(text)
        for match in re.finditer("aspirin-asthma", text):
            yield Span(*match.span(), "Disease", score=0.9, model="other")


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What the driver wrote down."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    app = make_app(Overlapping(**FOUND), FACTS, Limits(max_bytes=1000))
    driver = DRIVER.replace("TEXTS", json.dumps(TEXTS).replace("<", "\\u003c"))

    @app.get("/drive")
    async def drive() -> HTMLResponse:
        return HTMLResponse(driver)

    with serving(app) as url:
        dom = browse(f"{url}/drive", "--dump-dom")
    found = re.search(r'<pre id="out">(.+?)</pre>', dom, re.DOTALL)
    assert found, f"the driver did not come to its end: {dom[-2000:]}"
    return json.loads(html.unescape(found[1]))


def browse(url: str, *options: str) -> str:
    assert CHROMIUM
    # Of the page's own clock, which stands still while a request is under way.
    settings = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=20000"]
    command = [CHROMIUM, "--headless", *settings, *options, url]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", TEXTS)
def test_a_browser_shows_the_text_as_it_is_and_marks_the_very_mentions(seen, name):
    assert seen[name]["text"] == TEXTS[name]
    finder = Finder(**FOUND)
    spans = sorted(finder.spans(TEXTS[name]))
    assert [mark[:2] for mark in seen[name]["marks"]] == [[TEXTS[name][s.start : s.end], s.label] for s in spans]
    for (_, _, tip), span in zip(seen[name]["marks"], spans, strict=True):
        assert tip == f"{span.label}  0.750  [{span.start}, {span.end})"


@pytest.mark.slow
def test_a_text_cannot_put_anything_into_the_page(seen):
    assert seen["evil"]["elements"] == ["mark"]
    assert seen["hacked"] is None


@pytest.mark.slow
def test_overlapping_mentions_are_both_told(seen):
    whole = "Disease  0.900  [17, 31)  other"
    assert seen["at the score"]["marks"][2:] == [
        ["aspirin", "Chemical", f"Chemical  0.750  [17, 24)\n{whole}"],
        ["-", "", whole],
        ["asthma", "Disease · Disease", f"{whole}\nDisease  0.750  [25, 31)"],
    ]


@pytest.mark.slow
def test_the_threshold_and_the_legend_choose_what_is_marked(seen):
    assert [mark[0] for mark in seen["above the score"]["marks"]] == ["aspirin-asthma"]
    assert seen["above the score"]["status"].startswith("1 entity, 4 not shown, 31 characters")
    assert seen["above the score"]["legend"] == [["Chemical0", "true"], ["Disease1", "true"]]
    assert [mark[1] for mark in seen["one type hidden"]["marks"]] == ["Disease", "", "Disease · Disease"]
    assert seen["one type hidden"]["legend"] == [["Chemical2", "false"], ["Disease3", "true"]]
    assert seen["shown again"] == seen["at the score"]


@pytest.mark.slow
def test_what_is_marked_is_what_is_copied(seen):
    text = "aspirin, asthma, aspirin-asthma"
    (entity,) = seen["copied"]["entities"]
    assert seen["copied"]["text"] == text
    assert text[entity["start"] : entity["end"]] == entity["text"] == "aspirin-asthma"


@pytest.mark.slow
def test_a_refusal_is_shown_and_the_last_result_stays(seen):
    assert seen["refused"]["status"] == "the request has more than 1000 bytes. Send less at once."
    assert seen["refused"]["marks"] == seen["shown again"]["marks"]


@pytest.mark.slow
def test_each_type_has_its_colour_though_the_browser_may_load_nothing(seen):
    """The policy lets the page's own script and style through, and no other."""
    assert len(set(seen["coloured"])) == 2


def test_names_and_types_are_escaped():
    page = render_page([ModelFacts("<b>&", ("</script><script>alert(1)</script>",), "")], "0.1")
    assert page.html.count("<script") == 2
    assert "<b>" not in page.html
    assert "&lt;b&gt;&amp;" in page.html


def test_the_page_names_no_other_place():
    page = render_page(FACTS, "0.1")
    assert not re.search(r"https?:|//\w|@import|url\(", page.html)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "connect-src 'self'" in page.headers["Content-Security-Policy"]


def test_the_policy_names_the_inline_script_and_style_by_what_is_in_them():
    import base64
    import hashlib

    page = render_page(FACTS, "0.1")
    for name, pattern in (("script-src", r"<script>(.*?)</script>"), ("style-src", r"<style>(.*?)</style>")):
        (inline,) = re.findall(pattern, page.html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in page.headers["Content-Security-Policy"]

"""`openmed serve` binds to this machine alone unless told otherwise, says where it is, and ends in good order."""

from __future__ import annotations

import http.client
import inspect
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from tests.serving.services import FACTS, SECONDS, Finder, serving, until
from typer.testing import CliRunner

import openmed.serving
from openmed.cli.app import app as commands
from openmed.cli.serve import serve
from openmed.errors import ArtefactError, ConfigError
from openmed.serving.service import Limits, is_loopback, listen, make_app, url_of

SLOW = """
import sys, time
from pathlib import Path
from tests.serving.services import FACTS, Finder
from openmed.serving.service import Limits, listen, make_app, run, url_of

class Slow(Finder):
    def tag(self, documents):
        time.sleep(1)
        return super().tag(documents)

with listen("127.0.0.1", 0) as place:
    print(url_of(place), flush=True)
    run(make_app(Slow(Chemical="aspirin"), FACTS, Limits()), place, Limits())
"""
ROOT = Path(__file__).parents[2]


def ask(url: str, body: dict | None = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=SECONDS) as response:
        return json.load(response)


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def line_of(process: subprocess.Popen[str]) -> str:
    """The first line that it prints."""
    assert process.stdout
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return line


# --- where it listens -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("host", "alone"), [("127.0.0.1", True), ("localhost", True), ("0.0.0.0", False)])
def test_only_loopback_is_for_this_machine_alone(host, alone):
    with listen(host, 0) as place:
        assert is_loopback(place) is alone


def test_an_address_of_version_6_is_written_as_a_browser_wants_it():
    try:
        place = listen("::1", 0)
    except ConfigError:
        pytest.skip("no IPv6 on this machine")
    with place:
        assert url_of(place) == f"http://[::1]:{place.getsockname()[1]}"
        assert is_loopback(place)


def test_a_port_in_use_and_a_host_that_is_none_are_refused():
    with (
        listen("127.0.0.1", 0) as place,
        pytest.raises(ConfigError, match=r"\(Address already in use\)\. Choose another --port"),
    ):
        listen("127.0.0.1", place.getsockname()[1])
    with pytest.raises(ConfigError, match=r"no host is called .a\.\.b."):
        listen("a..b", 80)


# --- the command ----------------------------------------------------------------------------------------------------


def test_an_open_address_is_warned_of_before_anything_is_loaded(tmp_path):
    result = CliRunner().invoke(commands, ["serve", str(tmp_path), "--host", "0.0.0.0", "--port", "0"])
    assert isinstance(result.exception, ArtefactError)
    assert "warning: 0.0.0.0 is open to other machines, and there is no authentication" in result.stderr


def test_this_machine_alone_needs_no_warning(tmp_path):
    result = CliRunner().invoke(commands, ["serve", str(tmp_path), "--port", "0"])
    assert isinstance(result.exception, ArtefactError)
    assert "warning" not in result.stderr


def test_without_the_extra_the_command_says_what_installs_it(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("openmed.serving.service")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(openmed.serving, "service")
    monkeypatch.setitem(sys.modules, "fastapi", None)
    result = CliRunner().invoke(commands, ["serve", str(tmp_path)])
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == "fastapi is not installed. pip install 'openmed-ner[serve]'."


def test_the_command_has_the_limits_of_the_library():
    defaults = {name: parameter.default for name, parameter in inspect.signature(serve).parameters.items()}
    assert defaults["host"] == "127.0.0.1"
    assert {name: defaults[name] for name in asdict(Limits())} == asdict(Limits())


@pytest.mark.slow
def test_the_command_serves_a_model_until_ctrl_c(model_folder):
    process = start("-c", "from openmed.cli import main; main()", "serve", str(model_folder), "--port", "0", "--json")
    try:
        told = json.loads(line_of(process))
        assert told["models"] == [model["name"] for model in ask(f"{told['url']}/health")["models"]]
        text = "😀 Aspirin (100 mg) relieved headache in 12 patients, IL-2-induced T-cells did not respond. " * 3
        entities = ask(f"{told['url']}/predict", {"text": text})["entities"]
        assert entities
        assert all(text[entity["start"] : entity["end"]] == entity["text"] for entity in entities)
        with urllib.request.urlopen(told["url"], timeout=SECONDS) as page:
            assert b"<textarea" in page.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (0, "", "")


# --- the socket -----------------------------------------------------------------------------------------------------


def test_a_client_that_sends_ten_megabytes_still_hears_why_they_are_refused():
    """Were the connection closed at once, most clients would see it broken, and no answer."""
    with serving(make_app(Finder(Chemical="aspirin"), FACTS, Limits(max_bytes=1000))) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=SECONDS)
        connection.request("POST", "/predict", b"a" * 10_000_000)
        response = connection.getresponse()
        assert response.status == 413
        assert json.load(response)["error"].startswith("the request has more than 1000 bytes")


def test_a_body_that_never_comes_is_not_waited_for():
    with serving(make_app(Finder(Chemical="aspirin"), FACTS, Limits(max_seconds=0.2))) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=SECONDS)
        connection.putrequest("POST", "/predict")
        connection.putheader("Content-Length", "100")
        connection.endheaders(b'{"text": ')
        response = connection.getresponse()
        assert response.status == 408
        assert json.load(response)["error"] == "the request did not arrive within 0.2 s. Send less."
        connection.close()


@pytest.mark.slow
def test_ctrl_c_answers_the_requests_in_hand_and_takes_no_more():
    process = start("-c", SLOW)
    try:
        url = line_of(process).strip()
        with ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(ask, f"{url}/predict", {"text": "aspirin"}) for _ in range(2)]
            until(lambda: ask(f"{url}/health")["queue"]["requests"] == 2)
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            with pytest.raises(urllib.error.URLError):
                ask(f"{url}/health")
            assert [future.result()["entities"][0]["text"] for future in waiting] == ["aspirin", "aspirin"]
        assert process.wait(SECONDS) == 0
    finally:
        process.kill()

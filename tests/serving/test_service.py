"""The service answers in exact characters, and says no in JSON: too large, many, slow, or not of the right form."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from fastapi.testclient import TestClient
from tests.serving.services import FACTS, Finder, Gate, until

import openmed
from openmed.errors import ConfigError
from openmed.serving.service import Limits, facts_of, make_app

FINDER = Finder(Chemical="aspirin|😀", Disease="asthma")


@contextmanager
def client_of(tagger: Finder = FINDER, **limits) -> Iterator[TestClient]:
    with TestClient(make_app(tagger, FACTS, Limits(**limits))) as client:
        yield client


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with client_of() as client:
        yield client


def error_of(response, status: int) -> str:
    """Its one sentence or two; nothing else is in it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.json().keys() == {"error"}
    return response.json()["error"]


# --- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Take aspirin against asthma.",
        "😀👩\u200d🔬 aspirin😀 e\u0301\u0308 asthma",
        "\x00aspirin\x00\r\n\u2028\ufeffaspirin",
        "אספירין aspirin \u202easpirin\u202c",
        "",
        " \n",
    ],
    ids=["plain", "emoji", "control", "right to left", "empty", "blank"],
)
def test_offsets_count_the_characters_of_the_text_that_was_sent(client, text):
    response = client.post("/predict", json={"text": text})
    assert response.status_code == 200
    entities = response.json()["entities"]
    assert [(e["start"], e["end"], e["label"]) for e in entities] == [
        (span.start, span.end, span.label) for span in sorted(FINDER.spans(text))
    ]
    for entity in entities:
        assert entity.keys() == {"start", "end", "label", "text", "score"}
        assert text[entity["start"] : entity["end"]] == entity["text"]
        assert entity["score"] == 0.75


def test_a_batch_is_answered_text_by_text_in_order(client):
    texts = ["asthma", "", "aspirin asthma", "asthma"]
    response = client.post("/predict/batch", json={"texts": texts})
    alone = [client.post("/predict", json={"text": text}).json() for text in texts]
    assert response.json() == {"documents": alone}
    assert alone[2]["entities"][1]["text"] == "asthma"


def test_no_texts_are_an_empty_batch(client):
    assert client.post("/predict/batch", json={"texts": []}).json() == {"documents": []}


def test_a_real_model_answers_as_it_does_in_python(model_folder):
    tagger = openmed.load(model_folder, dtype="float32")
    text = "  😀 Aspirin (100 mg) relieved headache in 12 patients, IL-2-induced T-cells did not respond."
    document = openmed.load(model_folder, dtype="float32")(text)
    with TestClient(make_app(tagger, facts_of(tagger), Limits())) as client:
        entities = client.post("/predict", json={"text": text}).json()["entities"]
        health = client.get("/health").json()
    assert document.spans
    assert [(e["start"], e["end"], e["label"]) for e in entities] == [(s.start, s.end, s.label) for s in document.spans]
    assert [e["score"] for e in entities] == pytest.approx([s.score for s in document.spans], abs=1e-5)
    assert [model["types"] for model in health["models"]] == [list(tagger.types)]
    assert str(model_folder) not in json.dumps(health)


def test_of_several_models_each_entity_names_its_own(model_folder, bert, tmp_path):
    from tests.backbones import local_spec, save_model

    other = save_model(tmp_path / "model", local_spec(bert), seed=1)
    tagger = openmed.load([model_folder, other], dtype="float32")
    text = "Aspirin (100 mg) relieved headache in 12 patients, IL-2-induced T-cells did not respond."
    with TestClient(make_app(tagger, facts_of(tagger), Limits())) as client:
        names = [model["name"] for model in client.get("/health").json()["models"]]
        entities = client.post("/predict", json={"text": text}).json()["entities"]
    assert len(set(names)) == 2
    assert {entity["model"] for entity in entities} == set(names)
    assert entities == sorted(entities, key=lambda entity: (entity["start"], entity["end"], entity["label"]))


def test_ten_megabytes_in_one_line_have_exact_offsets_where_that_much_is_allowed():
    text = "😀" + "word " * 2_000_000 + "aspirin"
    with client_of(Finder(Chemical="aspirin"), max_bytes=20_000_000) as client:
        (entity,) = client.post("/predict", json={"text": text}).json()["entities"]
    assert (entity["start"], entity["end"]) == (10_000_001, 10_000_008)


def test_health_tells_model_version_uptime_and_queue(client):
    health = client.get("/health").json()
    assert health["status"] == "ok"
    assert health["version"] == openmed.__version__
    assert health["models"] == [{"name": "demo", "types": ["Chemical", "Disease"], "digest": "d" * 64}]
    assert health["queue"] == {"requests": 0, "max_requests": 64, "characters": 0}
    assert client.get("/health").json()["uptime_seconds"] >= health["uptime_seconds"] >= 0


def test_the_schema_names_bodies_and_faults(client):
    paths = client.get("/openapi.json").json()["paths"]
    for path, key in (("/predict", "text"), ("/predict/batch", "texts")):
        post = paths[path]["post"]
        assert post["requestBody"]["content"]["application/json"]["schema"]["required"] == [key]
        assert {"200", "408", "413", "422", "429", "500", "504"} <= post["responses"].keys()


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "Invalid JSON"),
        (b"text", "Invalid JSON"),
        (b'{"text": "a"', "Invalid JSON"),
        (b'{"text": "a\xff"}', "not UTF-8: byte 0xff at byte 11"),
        ('{"text": "naïve"}'.encode("latin1"), "not UTF-8: byte 0xef at byte 12"),
        (b'{"text": "\\ud83d"}', "Invalid JSON: unexpected end of hex escape"),
        (b'{"text": 1}', "text: Input should be a valid string"),
        (b'{"text": null}', "text: Input should be a valid string"),
        (b"{}", "text: Field required"),
        (b'["a"]', "Input should be an object"),
        (b'{"text": "a", "threshold": 1}', "threshold: Extra inputs are not permitted"),
        (b"[" * 100_000, "Invalid JSON"),
        (b'{"text": ' + b"1" * 10_000 + b"}", "Invalid JSON: number out of range"),
    ],
)
def test_a_body_of_another_form_is_refused_and_told_why(client, body, said):
    error = error_of(client.post("/predict", content=body), 422)
    assert error.startswith(said)
    assert error.endswith(('Send one JSON object with "text", and nothing else in it.', "Encode the JSON as UTF-8."))


def test_the_wrong_text_of_a_batch_is_named(client):
    assert error_of(client.post("/predict/batch", json={"texts": ["a", 2]}), 422).startswith("texts.1: Input should")


def test_more_bytes_than_allowed_are_refused_and_as_many_are_not():
    body = json.dumps({"text": "a" * 100}).encode()
    with client_of(max_bytes=len(body)) as client:
        assert client.post("/predict", content=body).status_code == 200
        assert error_of(client.post("/predict", content=body + b" "), 413) == (
            f"the request has more than {len(body)} bytes. Send less at once."
        )
        in_parts = client.post("/predict", content=iter([body, b" "]))  # chunked: no length is told beforehand
        assert error_of(in_parts, 413)


def test_more_texts_than_allowed_are_refused():
    with client_of(max_texts=2) as client:
        assert client.post("/predict/batch", json={"texts": ["a", "b"]}).status_code == 200
        error = error_of(client.post("/predict/batch", json={"texts": ["a", "b", "c"]}), 422)
    assert error == "3 texts are more than 2. Send them in several requests."


def test_what_takes_too_long_is_given_up_and_what_was_not_begun_never_is():
    tagger = Gate(Chemical="aspirin")
    with client_of(tagger, max_seconds=0.5) as client:
        assert "longer than 0.5 s" in error_of(client.post("/predict", json={"text": "first"}), 504)
        assert "longer than 0.5 s" in error_of(client.post("/predict", json={"text": "second"}), 504)
        assert client.get("/health").json()["queue"]["requests"] == 0
        tagger.opened.set()
        assert client.post("/predict", json={"text": "aspirin"}).json()["entities"][0]["label"] == "Chemical"
    assert tagger.calls == [["first"], ["aspirin"]]


def test_a_full_line_is_told_when_to_come_back():
    tagger = Gate(Chemical="aspirin")
    with client_of(tagger, max_requests=2) as client, ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(client.post, "/predict", json={"text": "aspirin"}) for _ in range(2)]
        until(lambda: client.get("/health").json()["queue"]["requests"] == 2)
        assert client.get("/health").json()["queue"]["characters"] == 14
        refused = client.post("/predict", json={"text": "late"})
        assert error_of(refused, 429) == "2 requests are waiting or in hand, and no more may. Try again in 1 s."
        assert int(refused.headers["retry-after"]) == 1
        tagger.opened.set()
        assert [future.result().status_code for future in waiting] == [200, 200]
        assert client.post("/predict", json={"text": "late"}).status_code == 200


def test_a_text_on_which_the_model_fails_spoils_no_other_request():
    class Fragile(Gate):
        def tag(self, documents):
            for tagged in super().tag(documents):
                if tagged.text == "poison":
                    raise RuntimeError("secret details")
                yield tagged

    tagger = Fragile(Chemical="aspirin")
    with client_of(tagger) as client, ThreadPoolExecutor(3) as pool:
        first = pool.submit(client.post, "/predict", json={"text": "first"})
        assert tagger.reached.wait(30)
        poisoned = pool.submit(client.post, "/predict/batch", json={"texts": ["aspirin", "poison", "poison"]})
        until(lambda: client.get("/health").json()["queue"]["requests"] == 2)
        beside = pool.submit(client.post, "/predict", json={"text": "aspirin"})
        until(lambda: client.get("/health").json()["queue"]["requests"] == 3)
        tagger.opened.set()
        assert error_of(poisoned.result(), 500) == "the model failed on this text. See the service's log."
        assert [future.result().status_code for future in (first, beside)] == [200, 200]
        assert client.get("/health").json()["queue"] == {"requests": 0, "max_requests": 64, "characters": 0}
    assert sorted(tagger.calls[1]) == ["aspirin", "aspirin", "poison", "poison"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/predict", 405)])
def test_an_address_that_is_not_there_is_told_in_json_too(client, method, path, status):
    error = error_of(client.request(method, path), status)
    assert error == f"no {method} {path}. There are GET /, GET /health, POST /predict and POST /predict/batch."


@pytest.mark.parametrize("limit", ["max_bytes", "max_texts", "max_seconds", "max_requests"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_a_limit_is_a_number_above_0(limit, value):
    with pytest.raises(ConfigError, match=f"{limit} is {value}"):
        Limits(**{limit: value})


def test_a_service_that_has_ended_says_so():
    app = make_app(FINDER, FACTS, Limits())
    before = set(threading.enumerate())
    with TestClient(app) as client:
        assert client.get("/health").status_code == 200
        assert "openmed-tagger" in {thread.name for thread in set(threading.enumerate()) - before}
    assert set(threading.enumerate()) <= before
    stopped = TestClient(app)
    assert stopped.get("/health").status_code == 503
    assert error_of(stopped.post("/predict", json={"text": "a"}), 503) == "the service is ending."

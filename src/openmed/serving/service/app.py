"""The service as a FastAPI application: `/predict`, `/predict/batch`, `/health`, and the page at `/`.

tagger = openmed.load("outputs/.../model")
uvicorn.run(make_app(tagger, facts_of(tagger), Limits()))
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

from openmed.serving.service.bodies import Fault, Tagged, TaggedTexts, Text, Texts, parse, read_body
from openmed.serving.service.limits import Limits, Refusal
from openmed.serving.service.models import ModelFacts, Tags, entities_of
from openmed.serving.service.page import render_page
from openmed.serving.service.worker import Worker
from openmed.tracking.environment import versions

STEP_CHARACTERS = 16_384
"""Texts tagged together: at some four characters a piece they fill a batch of `openmed.load` (4,096 pieces)."""


def make_app(tagger: Tags, models: Sequence[ModelFacts], limits: Limits) -> FastAPI:
    """The application; its worker, which alone calls the tagger, lives from start-up to shutdown."""
    worker = Worker(
        partial(entities_of, tagger),
        max_requests=limits.max_requests,
        max_seconds=limits.max_seconds,
        step_characters=STEP_CHARACTERS,
    )
    started = time.monotonic()
    version = versions()["openmed-ner"] or "unknown"
    page = render_page(models, version)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with worker:
            yield

    # FastAPI's own pages of documentation load scripts from elsewhere.
    app = FastAPI(title="openmed", version=version, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _not_here)
    faults: dict[int | str, dict[str, Any]] = {status: {"model": Fault} for status in (408, 413, 422, 429, 500, 504)}

    @app.post("/predict", response_model=Tagged, responses=faults, openapi_extra=_takes(Text))
    async def predict(request: Request) -> JSONResponse:
        """Tag one text."""
        given = parse(await read_body(request, limits), Text)
        entities = await _tagged(worker, [given.text], limits)
        return JSONResponse({"entities": entities[0]})

    @app.post("/predict/batch", response_model=TaggedTexts, responses=faults, openapi_extra=_takes(Texts))
    async def predict_batch(request: Request) -> JSONResponse:
        """Tag several texts; the answer keeps their order."""
        texts = parse(await read_body(request, limits), Texts).texts
        if len(texts) > limits.max_texts:
            raise Refusal(
                422, f"{len(texts)} texts are more than {limits.max_texts}", mend="send them in several requests"
            )
        return JSONResponse({"documents": [{"entities": found} for found in await _tagged(worker, texts, limits)]})

    @app.get("/health")
    async def health() -> JSONResponse:
        """Which models answer, for how long they have been up, and how many requests wait."""
        content = {
            "status": "ok" if worker.alive else "stopped",
            "version": version,
            "models": [model.as_dict() for model in models],
            "uptime_seconds": round(time.monotonic() - started, 3),
            "queue": worker.load(),
        }
        return JSONResponse(content, 200 if worker.alive else 503)

    @app.get("/", include_in_schema=False)
    async def index() -> HTMLResponse:
        return HTMLResponse(page.html, headers=page.headers)

    return app


async def _tagged(worker: Worker, texts: Sequence[str], limits: Limits) -> list[list[dict[str, Any]]]:
    try:
        async with asyncio.timeout(limits.max_seconds):
            return await asyncio.wrap_future(worker.submit(texts))
    except TimeoutError as error:
        raise Refusal(
            504, f"tagging took longer than {limits.max_seconds:g} s", mend="send shorter or fewer texts, or later"
        ) from error


def _takes(form: type[Text] | type[Texts]) -> dict[str, Any]:
    """The body in the schema: FastAPI does not see it, since it is read under a limit."""
    content = {"application/json": {"schema": form.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    return JSONResponse(error.as_dict(), error.status, headers=error.headers)


async def _not_here(request: Request, error: Exception) -> JSONResponse:
    """An address that does not exist, or a method that it does not take."""
    assert isinstance(error, HTTPException)
    known = "there are GET /, GET /health, POST /predict and POST /predict/batch"
    refusal = Refusal(error.status_code, f"no {request.method} {request.url.path}", mend=known, headers=error.headers)
    return await _refused(request, refusal)

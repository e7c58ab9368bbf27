"""What a request may hold, and how it is read: never more bytes than allowed, and every fault told in one sentence.

body = await read_body(request, limits)
parse(body, Text).text
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect

from openmed.serving.service.limits import Limits, Refusal

Form = TypeVar("Form", bound=BaseModel)


class Text(BaseModel):
    """One text to tag."""

    model_config = ConfigDict(extra="forbid", strict=True)
    text: str


class Texts(BaseModel):
    """Several texts to tag."""

    model_config = ConfigDict(extra="forbid", strict=True)
    texts: list[str]


class Entity(BaseModel):
    """One mention; `text` is the characters (code points) from `start` up to `end` of the text that was sent."""

    start: int
    end: int
    label: str
    text: str
    score: float
    model: str | None = Field(default=None, description="which of several models found it")


class Tagged(BaseModel):
    """What was found in a text, in order."""

    entities: list[Entity]


class TaggedTexts(BaseModel):
    """What was found in each of several texts, in their order."""

    documents: list[Tagged]


class Fault(BaseModel):
    """Why a request was not answered, and how to mend it."""

    error: str


async def read_body(request: Request, limits: Limits) -> bytes:
    """The request's body.

    Raises:
        Refusal: 413 where it is too large, 408 where it does not arrive in time.
    """
    kept = bytearray()
    try:
        async with asyncio.timeout(limits.max_seconds):
            async for part in request.stream():
                kept += part
                if len(kept) > limits.max_bytes:  # the server reads on, for most clients listen only when all is sent
                    problem = f"the request has more than {limits.max_bytes} bytes"
                    raise Refusal(413, problem, mend="send less at once")
    except TimeoutError as error:
        raise Refusal(408, f"the request did not arrive within {limits.max_seconds:g} s", mend="send less") from error
    except ClientDisconnect as error:
        raise Refusal(400, "the connection was closed before the request was whole") from error
    return bytes(kept)


def parse(body: bytes, model: type[Form]) -> Form:
    """The body as JSON of this form.

    Raises:
        Refusal: 422, saying what is wrong and where.
    """
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(
            422, f"not UTF-8: byte 0x{body[error.start]:02x} at byte {error.start}", mend="encode the JSON as UTF-8"
        ) from error
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        wanted = ", ".join(f'"{name}"' for name in model.model_fields)
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        problem = f"{where}: {first['msg']}" if where else first["msg"]
        raise Refusal(422, problem, mend=f"send one JSON object with {wanted}, and nothing else in it") from error

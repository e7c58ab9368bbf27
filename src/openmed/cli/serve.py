"""`openmed serve MODEL [MODEL...]`: a page to paste text into, and the same as JSON over HTTP.

openmed serve outputs/.../model
curl -d '{"text": "Aspirin relieves headache."}' http://127.0.0.1:8000/predict
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from openmed.errors import ConfigError


def serve(
    models: Annotated[list[Path], typer.Argument(help="one or more model/ folders", show_default=False)],
    host: Annotated[str, typer.Option(help="the address to listen on; 0.0.0.0: all of this machine's")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one", min=0, max=65_535)] = 8000,
    max_bytes: Annotated[int, typer.Option(help="of one request", min=1)] = 2_000_000,
    max_texts: Annotated[int, typer.Option(help="in one request", min=1)] = 1_000,
    max_seconds: Annotated[float, typer.Option(help="for one request, waiting included")] = 60.0,
    max_requests: Annotated[int, typer.Option(help="waiting or in hand at once", min=1)] = 64,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ...; default: the GPU where there is one")] = None,
    dtype: Annotated[str, typer.Option(help="auto, float32 or bfloat16")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="say where it listens as one line of JSON")] = False,
) -> None:
    """Serve trained models to this machine, until Ctrl-C: a page at /, JSON at /predict and /predict/batch."""
    try:
        from openmed.serving import service
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "starlette", "uvicorn"):
            raise
        raise ConfigError(f"{error.name} is not installed", mend="pip install 'openmed-ner[serve]'") from error
    from openmed.predicting import load

    limits = service.Limits(max_bytes, max_texts, max_seconds, max_requests)
    with service.listen(host, port) as place:
        if not service.is_loopback(place):
            print(
                f"warning: {host} is open to other machines, and there is no authentication: "
                "whoever reaches it can use it. Put a proxy that asks for a password before it.",
                file=sys.stderr,
            )
        tagger = load(models, device=device, dtype=dtype)
        facts = service.facts_of(tagger)
        app = service.make_app(tagger, facts, limits)
        names = [model.name for model in facts]
        if as_json:
            print(json.dumps({"url": service.url_of(place), "models": names}), flush=True)
        else:
            print(f"{', '.join(names)} at {service.url_of(place)} (Ctrl-C ends)", flush=True)
        service.run(app, place, limits)

"""What transformers says when it cannot load, turned into what to download and where to put it; the rest silenced.

with explained("microsoft/deberta-v3-base", revision=None), quiet_loading(): AutoModel.from_pretrained(...)
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from openmed.errors import BackboneError
from openmed.networks.weights import is_on_hub


@contextmanager
def explained(source: str, revision: str | None) -> Iterator[None]:
    """Turn the loader's errors, which often name the wrong cause, into what to download and where to put it."""
    from huggingface_hub import is_offline_mode
    from safetensors import SafetensorError

    try:
        yield
    except BackboneError:
        raise
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        on_hub = is_on_hub(source)
        at = f" at revision {revision}" if revision and on_hub else ""
        offline = " (HF_HUB_OFFLINE=1)" if on_hub and is_offline_mode() else ""
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        mend = _mend_hub(source, revision) if on_hub else _MEND_FOLDER
        raise BackboneError(f"cannot load {source}{at}{offline}: {reason}", mend=mend) from error


_MEND_FOLDER = "it must hold config.json, model.safetensors and the tokenizer's files, all whole: copy it there again"


def _mend_hub(hub_id: str, revision: str | None) -> str:
    from huggingface_hub import constants

    return (
        "With a network: unset HF_HUB_OFFLINE and run again. Without: on a machine that reaches the hub run "
        f"'hf download {hub_id}{f' --revision {revision}' if revision else ''}' and copy the folder it prints here, "
        "then set backbone.weights=<that folder>; or copy that machine's hub cache into this one's "
        f"({constants.HF_HUB_CACHE}). Tokenizers of DeBERTa also need the packages sentencepiece and protobuf"
    )


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Silence the load report about the head, which is always new here; `_check_filled` checks what matters."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)

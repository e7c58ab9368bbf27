"""A small packed text of our own, for tests of what trains on it.

folder = pack_text(tmp_path / "text", BackboneSpec.named("tiny"))
"""

from __future__ import annotations

from pathlib import Path

from openmed.encoding.backend import plain_twin
from openmed.networks import BackboneSpec, load_tokenizer
from openmed.pretraining_text.packed import PackedIndex
from openmed.pretraining_text.shards import Packing, write_shard

SENTENCES = [
    "Aspirin relieves headache in most patients with migraine.",
    "Tamoxifen is given to women with breast cancer after surgery.",
    "Mutations of the gene were found in twelve of thirty families.",
    "No adverse events were seen in the group that had been given placebo.",
    "Metformin lowers glucose in type 2 diabetes and is taken with meals.",
]


def pack_text(folder: Path, backbone: BackboneSpec, *, passages: int = 60) -> Path:
    """`passages` passages to train on, a tenth as many held out, in two shards; under the backbone's name."""
    tokenizer = load_tokenizer(backbone)
    texts = [" ".join(SENTENCES[(n * k) % len(SENTENCES)] for k in range(1, 4)) for n in range(passages)]
    backend = plain_twin(tokenizer.backend_tokenizer)
    ids = [encoding.ids for encoding in backend.encode_batch(texts, add_special_tokens=False)]
    place = folder / "packed" / backbone.name
    place.mkdir(parents=True)
    parts = {"train": (ids[: passages // 2], ids[passages // 2 :]), "heldout": (ids[: passages // 10],)}
    packing = Packing.of(tokenizer)
    splits = {
        split: [write_shard(place, f"{split}-{number:05d}", shard, packing) for number, shard in enumerate(shards)]
        for split, shards in parts.items()
    }
    PackedIndex.of(backbone.name, packing, splits).write(place)
    return folder

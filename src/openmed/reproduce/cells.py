"""The runs of a plan, each one call of `train.py`.

[cell.name for cell in list_cells(plan)]    # ["dapt/minilm/lora", "ner/minilm/none/ncbi/1", ...]
"""

from __future__ import annotations

from dataclasses import dataclass

from openmed.reproduce.plan import Plan

DAPT, NER = "dapt", "ner"


@dataclass(frozen=True)
class Cell:
    """One run of `train.py`.

    Attributes:
        name: "dapt/<backbone>/<encoder>" or "ner/<backbone>/<encoder>/<corpus>/<seed>".
        kind: "dapt" or "ner".
        overrides: all of them but the folder and, where there is a parent, `backbone.weights`.
        parent: name of the cell whose encoder it starts from.
        text: of a pre-training, the mix that the text it reads is built by, as the plan names it.
    """

    name: str
    kind: str
    backbone: str
    encoder: str
    overrides: tuple[str, ...]
    corpus: str | None = None
    seed: int = 1
    parent: str | None = None
    text: str | None = None


def list_cells(plan: Plan) -> list[Cell]:
    """All runs, in an order in which they can be done; what compares stands together, so that early tables say much."""
    cells: list[Cell] = []
    for backbone in plan.backbones:
        pretrained: dict[str, Cell] = {}
        for name, encoder in plan.encoders.items():
            if encoder.overrides is not None:
                overrides = ("module=dapt", f"backbone={backbone}", *plan.pretrain, *encoder.overrides)
                start = pretrained[encoder.start].name if encoder.start else None
                label, text = f"{DAPT}/{backbone}/{name}", encoder.text or plan.text
                pretrained[name] = Cell(label, DAPT, backbone, name, overrides, parent=start, text=text)
        cells += pretrained.values()
        parents = {
            name: pretrained[encoder.of or name].name
            for name, encoder in plan.encoders.items()
            if encoder.is_pretrained
        }
        for seed in plan.seeds:
            for corpus in plan.corpora:
                for name, encoder in plan.encoders.items():
                    if not encoder.taggers:
                        continue
                    own = (*plan.train, *encoder.train, f"seed={seed}")
                    overrides = (f"dataset={corpus}", f"backbone={backbone}", *own)
                    label = f"{NER}/{backbone}/{name}/{corpus}/{seed}"
                    cells.append(Cell(label, NER, backbone, name, overrides, corpus, seed, parents.get(name)))
    return cells

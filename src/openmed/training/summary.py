"""What a run prints at its end: scores by type, a few tagged sentences, where the model lies and how to use it.

print_summary(result, evaluation, folder)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from openmed.analysis.report.scores import scores_table
from openmed.spans import Document
from openmed.tracking import render_rich
from openmed.training.evaluate import Evaluation

NUM_EXAMPLES = 3
NOTHING_FOUND = (
    "No mention of dev was found. Train longer; if the loss falls no more, with a smaller optim.lr or a longer "
    "optim.warmup_fraction (where mentions are few, a quick start can end in tagging nothing)."
)


def print_summary(
    result: Mapping[str, Any],
    dev: Evaluation,
    folder: Path,
    console: Console | None = None,
    *,
    tracked: object = None,
) -> None:
    """Print to the terminal (or to a given console). `tracked`: where W&B keeps the run, if it does."""
    console = console or Console()
    for split in ("dev", "test"):
        if result[split]:
            console.print(score_table(split, result[split], dev.unit))
    train, params = result["train"], result["params"]
    console.print(
        f"trained {params['trainable']:,} of {params['total']:,} parameters ({params['trainable_percent']:.2f}%) for "
        f"{train['epochs']} epochs, {train['steps']} steps, {train['seconds']:.0f} s at "
        f"{train['tokens_per_second']:,.0f} tokens/s ({100 * train['padding_fraction']:.0f}% padding)"
    )
    if result["dev"] and not result["dev"]["tp"]:
        console.print(NOTHING_FOUND, style="bold", highlight=False)
    console.print("\n[bold]Tagged by the model[/bold] (dev):")
    for example in examples(dev):
        console.print(Text("• ").append_text(example))
    console.print(f"\nrun      {folder}\nmodel    {folder / 'model'}", highlight=False, soft_wrap=True)
    if tracked is not None:
        console.print(f"W&B      {tracked}", highlight=False, soft_wrap=True)
    console.print("tag text ", end="")
    console.print(f"openmed predict {folder / 'model'} FILE.txt", style="bold", highlight=False, soft_wrap=True)


def score_table(split: str, scores: Mapping[str, Any], unit: str) -> Table:
    """Precision, recall and F1 per type and over all, then both views."""
    table = scores_table(scores, f"{split} scores (exact spans, {unit})")
    views = ", ".join(f"{view} F1 {100 * row['f1']:.1f}" for view, row in scores["views"].items())
    table.caption = f"views: {views}"
    if clean := scores.get("clean"):
        where = " or ".join(clean["against"])
        if clean["f1"] is None:
            table.caption += f"\nall {clean['removed']} {unit} were seen in {where}: this score says nothing"
        else:
            whole = clean["removed"] + clean["units"]
            table.caption += (
                f"\nwithout {clean['removed']} of {whole} {unit} seen in {where}: F1 {100 * clean['f1']:.1f}"
            )
    table.caption_justify = "left"
    return table


def examples(dev: Evaluation, limit: int = NUM_EXAMPLES) -> list[Text]:
    """The sentences with the most predicted mentions, marked up, each of another unit."""
    best: list[Document] = []
    for gold, found in zip(dev.gold, dev.predicted, strict=True):
        tagged = gold.with_spans(found)
        best.append(max(sentences_of(tagged), key=lambda sentence: len(sentence.spans), default=tagged))
    best.sort(key=lambda sentence: -len(sentence.spans))
    return [render_rich(sentence) for sentence in best[:limit]]


def sentences_of(document: Document) -> list[Document]:
    """Each sentence with the mentions that lie inside it; the document itself where none are marked."""
    if not document.sentences:
        return [document]
    cut = []
    for start, end in document.sentences:
        inside = (span.shifted(-start) for span in document.spans if start <= span.start and span.end <= end)
        cut.append(Document(document.id, document.text[start:end], tuple(inside)))
    return cut

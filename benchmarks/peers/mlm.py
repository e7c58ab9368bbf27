"""Masked language modelling the usual way: the recipe of transformers' `run_mlm.py` with PEFT around the model.

Texts are tokenised, laid end to end and cut into blocks (`group_texts`), masked by DataCollatorForLanguageModeling.

python -m benchmarks.peers.mlm --text texts.txt --backbone FOLDER --targets query value --rank 16 --max-steps 20 ...
"""

from __future__ import annotations

import argparse
from itertools import chain
from pathlib import Path
from typing import Any

from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForMaskedLM,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from benchmarks.marks import Marks, Positions


class Clock(TrainerCallback):
    """Marks each step, all of whose positions are text but two of a block's."""

    def __init__(self, marks: Marks, *, rows: int, length: int) -> None:
        self._marks = marks
        self._batch = Positions(rows * (length - 2), rows * length, rows * length)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._marks.step(self._batch)


def blocks(texts: list[str], tokenizer: Any, length: int) -> list[dict[str, list[int]]]:
    """All texts with their special tokens, end to end, in blocks; the rest is dropped, as `run_mlm.py` does."""
    encoded = tokenizer(texts, return_special_tokens_mask=True)
    joined = {name: list(chain.from_iterable(encoded[name])) for name in encoded}
    total = len(joined["input_ids"]) // length * length
    return [{name: ids[at : at + length] for name, ids in joined.items()} for at in range(0, total, length)]


def main() -> None:
    """Read, tokenise, train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=Path, required=True, help="a text a line")
    parser.add_argument("--backbone", type=Path, required=True, help="a folder of weights and tokenizer")
    parser.add_argument("--targets", nargs="+", required=True, help="names of the layers that get adapters")
    parser.add_argument("--rank", type=int, required=True)
    parser.add_argument("--rows", type=int, required=True, help="of a batch")
    parser.add_argument("--length", type=int, required=True, help="of a row")
    parser.add_argument("--max-steps", type=int, required=True)
    parser.add_argument("--float32", action="store_true", help="no bf16")
    parser.add_argument("--out", type=Path, required=True, help="folder of what the Trainer writes")
    parser.add_argument("--marks", type=Path, required=True, help="JSON file of the times of steps")
    options = parser.parse_args()
    set_seed(1)
    tokenizer = AutoTokenizer.from_pretrained(options.backbone)
    model = AutoModelForMaskedLM.from_pretrained(options.backbone)
    lora = LoraConfig(r=options.rank, lora_alpha=2 * options.rank, lora_dropout=0.05, target_modules=options.targets)
    marks = Marks(options.marks)
    trainer = Trainer(
        model=get_peft_model(model, lora),
        args=TrainingArguments(
            output_dir=str(options.out),
            per_device_train_batch_size=options.rows,
            learning_rate=2e-4,
            max_steps=options.max_steps,
            use_cpu=True,
            bf16=not options.float32,
            eval_strategy="no",
            save_strategy="no",
        ),
        train_dataset=blocks(options.text.read_text(encoding="utf-8").splitlines(), tokenizer, options.length),
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15),
        callbacks=[Clock(marks, rows=options.rows, length=options.length)],
    )
    trainer.train()
    marks.write()


if __name__ == "__main__":
    main()

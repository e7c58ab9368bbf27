"""A token classifier with LoRA, trained the usual way: Hugging Face Trainer, PEFT, DataCollatorForTokenClassification.

The peer of `train.py`, as its users would write it; all that is not said here is left at the libraries' defaults.

python -m benchmarks.peers.trainer --train train.tsv --dev devel.tsv --backbone FOLDER --targets query value --rank 16
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from peft import LoraConfig, TaskType, get_peft_model
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from benchmarks.marks import Marks, Positions, count_positions
from benchmarks.peers.conll import read_conll
from benchmarks.peers.scoring import IGNORED, check_whole, strict_f1

MAX_LENGTH = 256


def tokenize_and_align(sentences: list[tuple[list[str], list[str]]], tokenizer: Any, ids: dict[str, int]) -> list[dict]:
    """Features of each sentence; the label of a word stands on its first piece."""
    encoded = tokenizer(
        [words for words, _ in sentences], is_split_into_words=True, truncation=True, max_length=MAX_LENGTH
    )
    features = []
    for row, (_, tags) in enumerate(sentences):
        labels, before = [], None
        for word in encoded.word_ids(row):
            labels.append(IGNORED if word is None or word == before else ids[tags[word]])
            before = word
        features.append({name: encoded[name][row] for name in encoded} | {"labels": labels})
    return features


class CountingTrainer(Trainer):
    """Notes what the last batch trained on held."""

    last_batch = Positions(0, 0, 0)

    def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        tokenizer: Any = self.processing_class
        special = (tokenizer.cls_token_id, tokenizer.sep_token_id)
        self.last_batch = count_positions(inputs["input_ids"], pad=tokenizer.pad_token_id, special=special)
        return super().training_step(model, inputs, *args, **kwargs)


class Clock(TrainerCallback):
    """Marks each step and evaluation, and stops after `max_steps`."""

    def __init__(self, trainer: CountingTrainer, marks: Marks, max_steps: int | None) -> None:
        self._trainer = trainer
        self._marks = marks
        self._max_steps = max_steps

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        num_steps = self._marks.step(self._trainer.last_batch)
        control.should_training_stop = control.should_training_stop or num_steps == self._max_steps
        return control

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **kwargs: Any) -> None:
        self._marks.evaluation(epoch=round(state.epoch), f1=metrics["eval_f1"])


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--dev", type=Path, required=True)
    parser.add_argument("--backbone", type=Path, required=True, help="a folder of weights and tokenizer")
    parser.add_argument("--targets", nargs="+", required=True, help="names of the layers that get adapters")
    parser.add_argument("--rank", type=int, required=True)
    parser.add_argument("--group-by-length", action="store_true")
    parser.add_argument("--float32", action="store_true", help="no bf16")
    parser.add_argument("--max-steps", type=int, help="stop there instead of training 3 epochs with evaluation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="folder of what the Trainer writes")
    parser.add_argument("--marks", type=Path, required=True, help="JSON file of the times of steps and evaluations")
    return parser.parse_args()


def main() -> None:
    """Read, tokenise, train."""
    options = arguments()
    set_seed(options.seed)
    train, dev = list(read_conll(options.train)), list(read_conll(options.dev))
    names = sorted({tag for _, tags in train for tag in tags})
    ids = {name: number for number, name in enumerate(names)}
    tokenizer = AutoTokenizer.from_pretrained(options.backbone)
    model = AutoModelForTokenClassification.from_pretrained(
        options.backbone, num_labels=len(names), id2label=dict(enumerate(names)), label2id=ids
    )
    lora = LoraConfig(
        task_type=TaskType.TOKEN_CLS,
        r=options.rank,
        lora_alpha=2 * options.rank,
        lora_dropout=0.05,
        target_modules=options.targets,
        modules_to_save=["classifier"],
    )
    scored = tokenize_and_align(dev, tokenizer, ids)
    check_whole(dev, [sentence["labels"] for sentence in scored])
    trainer = CountingTrainer(
        model=get_peft_model(model, lora),
        args=training_arguments(options),
        train_dataset=tokenize_and_align(train, tokenizer, ids),
        eval_dataset=scored,
        processing_class=tokenizer,
        data_collator=DataCollatorForTokenClassification(tokenizer),
        compute_metrics=lambda prediction: strict_f1(prediction.predictions, prediction.label_ids, names),
    )
    marks = Marks(options.marks)
    trainer.add_callback(Clock(trainer, marks, options.max_steps))
    trainer.train()
    marks.write()


def training_arguments(options: argparse.Namespace) -> TrainingArguments:
    """Batches of 32 sentences, 3 epochs, dev scored after each; checkpoints are not written."""
    return TrainingArguments(
        output_dir=str(options.out),
        per_device_train_batch_size=32,
        learning_rate=1e-3,
        use_cpu=True,
        bf16=not options.float32,
        eval_strategy="no" if options.max_steps else "epoch",
        save_strategy="no",
        seed=options.seed,
        **({"train_sampling_strategy": "group_by_length"} if options.group_by_length else {}),
    )


if __name__ == "__main__":
    main()

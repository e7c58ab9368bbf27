"""The peer's training, as users of Hugging Face write it: Trainer + PEFT + DataCollatorForTokenClassification.

training = train_peer(work, align(work), num_rows=32)
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from benchmarks.gpu.ours import LEARNING_RATE, NEVER, Work
from benchmarks.gpu.timing import Clock, Training, fresh_memory

IGNORED = -100


def train_peer(work: Work, features: list[dict[str, list[int]]], *, num_rows: int) -> Training:
    """Trainer + PEFT + DataCollatorForTokenClassification in bfloat16, all else at its defaults.

    Args:
        features: from `align`.
        num_rows: rows per step.
    """
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import (
        AutoModelForTokenClassification,
        DataCollatorForTokenClassification,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    fresh_memory()
    lora, targets = _lora_settings(work)
    model = AutoModelForTokenClassification.from_pretrained(work.weights, num_labels=len(work.tags))
    config = LoraConfig(task_type=TaskType.TOKEN_CLS, target_modules=targets, modules_to_save=["classifier"], **lora)
    model = get_peft_model(model, config)
    collator = DataCollatorForTokenClassification(work.language.tokenizer)
    clock = Clock(warmup_steps=work.sizes.warmup_steps, seconds=work.sizes.seconds, max_steps=NEVER)
    tokens_of_batches: list[int] = []

    def collate(rows: list[dict[str, list[int]]]) -> dict[str, Any]:
        tokens_of_batches.append(sum(len(row["input_ids"]) for row in rows))
        return collator(rows)

    class Watch(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            # Batches are made one ahead of the step that uses them, in the same order.
            control.should_training_stop = clock.step(tokens_of_batches[state.global_step - 1])

    arguments = TrainingArguments(
        str(work.folder / "peer"),
        per_device_train_batch_size=num_rows,
        bf16=True,
        use_cpu=work.device == "cpu",
        max_steps=NEVER,
        learning_rate=LEARNING_RATE,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    dataset: Any = features  # whatever has a length and items will do
    trainer = Trainer(model=model, args=arguments, train_dataset=dataset, data_collator=collate, callbacks=[Watch()])
    with contextlib.redirect_stdout(None):
        trainer.train()
    num_trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return replace(clock.measured(), num_trainable=num_trainable)


def align(work: Work) -> list[dict[str, list[int]]]:
    """The peer's rows: the usual word_ids loop, a word's tag on its first piece."""
    ids = {tag: number for number, tag in enumerate(work.tags)}
    words = [row.words for row in work.rows]
    encoded = work.language.tokenizer(
        words, is_split_into_words=True, truncation=True, max_length=work.sizes.num_pieces
    )
    features = []
    for number, row in enumerate(work.rows):
        labels, before = [], None
        for word in encoded.word_ids(number):
            labels.append(IGNORED if word is None or word == before else ids[row.tags[word]])
            before = word
        features.append(
            {
                "input_ids": encoded["input_ids"][number],
                "attention_mask": encoded["attention_mask"][number],
                "labels": labels,
            }
        )
    return features


def _lora_settings(work: Work) -> tuple[dict[str, Any], str]:
    """PEFT's arguments for the settings of `conf/lora/`, and its target modules."""
    import yaml

    from openmed.choices import conf_folder

    lora = yaml.safe_load((conf_folder() / "lora" / f"{work.lora}.yaml").read_text(encoding="utf-8"))
    backbone = yaml.safe_load((conf_folder() / "backbone" / f"{work.shape.backbone}.yaml").read_text(encoding="utf-8"))
    settings = {
        "r": lora["rank"],
        "lora_alpha": lora["alpha"],
        "lora_dropout": lora["dropout"],
        "use_rslora": lora["rank_stabilised"],
    }
    return settings, backbone["lora_targets"][lora["targets"]]

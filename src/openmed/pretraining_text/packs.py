"""A build's packed folder for one backbone: whether it is done, what of it has to be made again, and its index.

pack = BackbonePack("minilm", Packing.of(tokenizer), out / "packed" / "minilm", work)
if not pack.is_done(): pack.forget_lost(); ...; pack.write_index(num_tasks)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from openmed.errors import DataError
from openmed.pretraining_text.done import done_tasks, mark_of
from openmed.pretraining_text.packed import INDEX, PackedIndex, verify
from openmed.pretraining_text.shards import Packing, Shard, is_whole, read_description

PACKED = "packed"
SPLITS = ("train", "heldout")


@dataclass(frozen=True)
class BackbonePack:
    """Attributes:
    backbone: its name.
    packing: its tokenizer's, as it is now.
    folder: of the shards.
    work: the build's stages.
    """

    backbone: str
    packing: Packing
    folder: Path
    work: Path

    @property
    def stage(self) -> str:
        return f"pack-{self.backbone}"

    def is_done(self) -> bool:
        """Whether text is packed there by this tokenizer, every shard as it was written."""
        try:
            verify(self.folder)
            return PackedIndex.read(self.folder).packing == self.packing
        except DataError:
            return False

    def forget_lost(self) -> None:
        """Unmark tasks whose shards are gone, cut off, altered or of another tokenizer, so that they are done again.

        The index goes first: none may stand beside shards that it does not describe.
        """
        (self.folder / INDEX).unlink(missing_ok=True)
        for rank in done_tasks(self.work, self.stage):
            if not all(is_whole(self.folder, f"{split}-{rank:05d}", self.packing) for split in SPLITS):
                mark_of(self.work, self.stage, rank).unlink()

    def write_index(self, num_tasks: int) -> None:
        """Say that the folder is whole.

        Raises:
            DataError: a split without text.
        """
        splits: dict[str, list[Shard]] = {split: [] for split in SPLITS}
        for split, shards in splits.items():
            for rank in range(num_tasks):
                shard, packing = read_description(self.folder, f"{split}-{rank:05d}")
                assert packing == self.packing, f"{shard.name} was packed by another tokenizer"
                if shard.tokens:
                    shards.append(shard)
            if not shards:
                mend = "raise heldout_fraction, or give more text"
                raise DataError(f"no text is in {split}", path=self.folder, mend=mend)
        PackedIndex.of(self.backbone, self.packing, splits).write(self.folder)

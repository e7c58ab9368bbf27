"""The base's own weights, kept to be merged with one adapter after another: on disk, and not in memory.

A tagger needs them only when its turn comes, for milliseconds, and needs them exactly: merging into float32 and
rounding once gives the weights that the model has alone; taking an update out again, or merging into rounded weights,
does not. So a private file holds them, which is gone with the process. It is mapped, layer by layer; what the system
keeps of it in its file cache it gives up when memory is short.

    plain = PlainWeights({"layer.query": weight_OI}, torch.device("cpu"))
    plain["layer.query"]        # the same float32 values
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Mapping

import torch


class PlainWeights:
    """Args:
    weights: by name; copied, in float32.
    device: on any but the CPU they stay in its memory, since each turn would wait for the bus. So they do, in the
        CPU's, where no file can be written (see `tempfile.gettempdir`).
    """

    def __init__(self, weights: Mapping[str, torch.Tensor], device: torch.device) -> None:
        self._shapes = {name: weight.shape for name, weight in weights.items()}
        self._held: dict[str, torch.Tensor] = {}
        if device.type == "cpu":
            try:
                self._map, self._first = _on_disk(weights)
                return
            except OSError:  # a full disk, a read-only system
                pass
        self._held = {name: weight.detach().to(device, torch.float32, copy=True) for name, weight in weights.items()}

    def __contains__(self, name: str) -> bool:
        return name in self._shapes

    def __getitem__(self, name: str) -> torch.Tensor:
        """To be read only. On the CPU, good until the next is asked for."""
        if name in self._held:
            return self._held[name]
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)  # what was read before leaves this process's memory
        shape, first = self._shapes[name], self._first[name]
        return torch.frombuffer(self._map, dtype=torch.float32, count=shape.numel(), offset=first).view(shape)


def _on_disk(weights: Mapping[str, torch.Tensor]) -> tuple[mmap.mmap, dict[str, int]]:
    """All weights in one nameless file, mapped, and where each begins.

    Raises:
        OSError: it cannot be written or mapped.
    """
    first: dict[str, int] = {}
    with tempfile.TemporaryFile(prefix="openmed-") as file:
        for name, weight in weights.items():
            first[name] = file.tell()
            file.write(weight.detach().to("cpu", torch.float32).contiguous().numpy().data)
        file.flush()
        # Of its own, so that torch does not warn of a buffer that cannot be written; nothing is written.
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), first

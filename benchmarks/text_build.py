"""Building text to pre-train on: megabytes of raw text a second with one worker, and with two.

    rows = text_build(scratch, Sizes())

What starting takes is left out: a little text is built beside, and the difference in seconds goes by that in size. The
index of dev and test splits, the same for any text, is made beforehand. Ours alone: no peer does all of it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.process import in_ready_process, run_command
from benchmarks.rows import Row, interleaved, make_row
from benchmarks.sizes import Sizes

CORPUS = "bc5cdr_documents"
ABSTRACTS = "text/sumpubmed/abstracts.jsonl.xz"
MEGABYTE = 10**6
PARTS = 4
"""Of the source, whatever the workers."""
LITTLE_MEGABYTES = 0.1
SCALING = 1.5
"""Times as fast that a second worker should make it."""


class MachineBusy(RuntimeError):
    """Building much took no longer than building little: something else was at work."""


def text_build(scratch: Path, sizes: Sizes) -> list[Row]:
    """Two rows: megabytes a second, and what the second worker adds.

    Raises:
        MachineBusy: a build of much took no longer than one of little.
    """
    source = scratch / "texts.jsonl"
    origin = in_ready_process(_write, source, sizes.build_megabytes)
    mix = _mix(source)
    index = scratch / "first"
    little = scratch / "little.jsonl"
    in_ready_process(_write, little, LITTLE_MEGABYTES)
    _build(_mix(little), index, workers=1)

    def seconds(workers: int) -> Callable[[Path], float]:
        def run(folder: Path) -> float:
            taken = []
            for name, text in (("little", _mix(little)), ("out", mix)):
                shutil.copytree(index / "work" / "evaluated", folder / name / "work" / "evaluated")
                taken.append(_build(text, folder / name, workers=workers))
            if taken[1] <= taken[0]:
                raise MachineBusy(f"{LITTLE_MEGABYTES} MB were built in {taken[0]:.1f} s, all in {taken[1]:.1f} s")
            return taken[1] - taken[0]

        return run

    taken = interleaved(scratch, {"1": seconds(1), "2": seconds(2)}, num_runs=sizes.runs)
    megabytes = (source.stat().st_size - little.stat().st_size) / MEGABYTE
    rates = {workers: [megabytes / value for value in values] for workers, values in taken.items()}
    settings = {"source": origin, "megabytes": megabytes, "parts": PARTS, "start_of_the_process": "left out"}
    return [
        make_row(
            "build text, one worker",
            "MB/s",
            ours=rates["1"],
            peer_name=None,
            peer=(),
            goal=None,
            settings=settings,
        ),
        make_row(
            "build text, two workers",
            "MB/s",
            ours=rates["2"],
            peer_name="ours, one worker",
            peer=rates["1"],
            goal=SCALING,
            settings=settings,
        ),
    ]


def _mix(source: Path) -> Path:
    mix = source.with_suffix(".yaml")
    mix.write_text(
        "name: benchmark\nbackbones: [minilm]\nheldout_fraction: 0.1\n"
        f"sources: [{{name: texts, format: jsonl, path: {source}, parts: {PARTS}}}]\n",
        encoding="utf-8",
    )
    return mix


def _build(mix: Path, out: Path, *, workers: int) -> float:
    """Seconds of the whole command."""
    program = "from openmed.cli import main; main()"
    arguments = ["-c", program, "pretrain-text", "build", str(mix), "--out", str(out), "--workers", str(workers)]
    return run_command(arguments, log=out.with_suffix(".log")).seconds


def _write(path: Path, megabytes: float) -> str:
    """JSON lines of so much text, of SumPubMed where it is at hand, else of BC5CDR; says which."""
    from openmed.corpora import data_folder, load_spec, load_split
    from openmed.readers.lines import numbered_lines

    path.parent.mkdir(parents=True, exist_ok=True)
    abstracts = data_folder() / ABSTRACTS
    if abstracts.is_file():
        texts = (json.loads(line)["text"] for _, line in numbered_lines(abstracts))
    else:
        spec = load_spec(CORPUS)
        texts = (document.text for split in ("train", "dev", "test") for document in load_split(spec, split).documents)
    written = 0
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(texts):
            written += file.write(json.dumps({"id": str(number), "text": text}) + "\n")
            if written >= megabytes * MEGABYTE:
                break
    return "sumpubmed" if abstracts.is_file() else CORPUS

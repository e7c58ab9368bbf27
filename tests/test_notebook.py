"""The notebook runs from top to bottom, and is kept in git without what a run leaves in it.

python -m pytest tests/test_notebook.py -m ''
"""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

import openmed

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
FIRST = NOTEBOOKS / "01_first_tagger.ipynb"
NUM_PLOTS = 3
SECONDS = 180


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_hold_no_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    for cell in code_cells(notebook):
        assert cell.outputs == [], cell.id
        assert cell.execution_count is None, cell.id


@pytest.mark.slow
def test_the_first_notebook_trains_and_saves_a_tagger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two epochs of the pretrained encoder: enough to find something, so that scores and errors have content."""
    from nbclient import NotebookClient

    for name, value in {
        "HF_HUB_OFFLINE": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "OPENMED_NOTEBOOK_EPOCHS": "2",
        "OPENMED_NOTEBOOK_BACKBONE": "minilm",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MPLBACKEND", raising=False)
    folder = tmp_path / "notebooks"  # the notebook writes beside its own folder
    folder.mkdir()
    notebook = nbformat.read(FIRST, as_version=4)
    NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(folder)}}).execute()

    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == NUM_PLOTS

    tagger = openmed.load(tmp_path / "outputs" / "first_tagger" / "model")
    assert tagger.types == ("Chemical", "Disease", "Gene", "Species")
    texts = [document.text for document in openmed.datamodule("demo").documents("dev")]
    tagged = tagger(texts)
    assert [document.text for document in tagged] == texts
    assert sum(len(document.spans) for document in tagged) > 0

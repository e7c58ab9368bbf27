"""What the steps call things, for those who read them without datatrove: keys of metadata, statistics, places.

document.metadata[ENTITIES]
"""

from __future__ import annotations

from pathlib import Path

ENTITIES, ERROR, LINE, FILE, GROUP = "entities", "error", "line", "file", "group"
"""Keys of metadata: what was found; what is wrong, and in which line; the input; the group where it is not the id."""
DOCUMENTS, FAILED, DROPPED, LOST = "documents", "failed", "dropped: ", "not kept: "
"""Statistics; of the last two, what their names begin with."""
ERRORS = "errors"
"""The folder for what failed, in that of the results."""


def errors_of(place: Path) -> Path:
    """The file for what failed of an input, by the place of its result."""
    return place.parent / ERRORS / place.name

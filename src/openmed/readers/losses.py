"""Names under which readers count what a document cannot hold or what is at odds with itself; they reach
`result.json`.

losses[MENTION_DIFFERS] += 1
"""

MENTION_DIFFERS = "mention_differs_from_text"
"""The mention given is not the text at its offsets; the offsets are believed."""

FILE_PASSED_OVER = "file_passed_over"
"""A file of a folder or archive that by its name (README, LICENSE and the like) stands beside the data: not read."""

RELATION = "relation_line"

TEXT_NOT_IN_FILE = "text_not_in_file"
"""A document of a table of mentions: between these, blanks stand for the text."""

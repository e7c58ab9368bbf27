"""Names under which sources count what they leave out, beside those of `openmed.readers.losses`.

losses[NO_ABSTRACT] += 1
"""

NO_TEXT = "record_without_text"
"""None of the fields that are read holds any text."""

NO_ABSTRACT = "record_without_abstract"
"""Left out for having a title at most (MEDLINE, arXiv)."""

OTHER_ABSTRACT = "other_abstract"
"""MEDLINE: a second abstract, in another language or for another audience; the record itself is given."""

DELETED = "deleted_record"
"""MEDLINE: a record that the list of deletions of its own file, or of a later one of the source, takes back."""

OLDER_VERSION = "older_version"
"""MEDLINE: beside it stands a later version of the same record."""

OTHER_CATEGORY = "record_of_another_category"
"""arXiv, MIMIC: of none of the categories chosen."""

ERRONEOUS_NOTE = "note_marked_as_error"
"""MIMIC: a note that its author declared an error (ISERROR)."""

"""Files → nouns. Every error with file, line, field and what to write instead.

Nothing a file holds may end in a traceback: whatever is wrong comes out as one
`gameday.errors.SpecError` that lists all of it. Only reading happens here; what the values mean is
the business of the rooms above.
"""

from __future__ import annotations

from gameday.names import did_you_mean, nearest
from gameday.spec.catalogue import (
    Catalogue,
    find_programme,
)
from gameday.spec.document import Document, read_documents
from gameday.spec.programme import read_programme
from gameday.spec.runbook import check_runbook, parse_runbook, read_runbook
from gameday.spec.scenario import read_scenario
from gameday.spec.schemas import schema
from gameday.spec.slo import read_slos
from gameday.spec.system import read_system
from gameday.spec.validation import absent_here, validate_file

__all__ = [
    "absent_here",
    "Catalogue",
    "Document",
    "check_runbook",
    "did_you_mean",
    "find_programme",
    "nearest",
    "parse_runbook",
    "read_documents",
    "read_programme",
    "read_runbook",
    "read_scenario",
    "read_slos",
    "read_system",
    "schema",
    "validate_file",
]

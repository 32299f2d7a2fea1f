"""Reports on one inspection or on a lot, as a self-contained HTML page or a PDF: two faces of one content.

`report_inspection` and `report_lot` say what is in a report, `write_report` lays it out. A report repeats what
inspections say and decides nothing.
"""

from __future__ import annotations

from pathlib import Path

from assistant.errors import LooktwiceError
from assistant.files import write_atomically
from assistant.images.sources import shown_name
from assistant.reports.content import MOST_SHOWN, Entry, Lot, Report, entry_of, report_inspection, report_lot
from assistant.reports.pictures import THUMBNAIL_SIDE, Picture, as_jpeg, draw_from_file, read_from_file

__all__ = [
    "FORMATS",
    "MOST_SHOWN",
    "THUMBNAIL_SIDE",
    "Entry",
    "Lot",
    "Picture",
    "Report",
    "as_jpeg",
    "check_target",
    "draw_from_file",
    "entry_of",
    "read_from_file",
    "report_inspection",
    "report_lot",
    "write_report",
]

FORMATS = (".html", ".htm", ".pdf")


def write_report(report: Report, target: str | Path) -> Path:
    """Write a report as its name ends, .html or .pdf, and return its path; a folder gets "report.html".

    An older file is replaced in one step. LooktwiceError for another ending, where a PDF is asked for and
    looktwice[report] is not installed, or where the file cannot be written.
    """
    file = check_target(target)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return write_atomically(file, _lay_out(report, file))
    except OSError as error:
        why = error.strerror or "an output error"
        raise LooktwiceError(f"{shown_name(str(file))} cannot be written: {why}.") from error


def _lay_out(report: Report, file: Path) -> bytes:
    if file.suffix.lower() == ".pdf":
        from assistant.reports.pdf_report import to_pdf

        return to_pdf(report)
    from assistant.reports.html_report import to_html

    return to_html(report, file.parent).encode()


def check_target(target: str | Path) -> Path:
    """The file that a report would be written to, before any work is done; errors as for `write_report`."""
    file = Path(target)
    if file.is_dir() or not file.suffix:
        return file / "report.html"
    if file.suffix.lower() not in FORMATS:
        raise LooktwiceError("A report is an .html or a .pdf file.")
    if file.suffix.lower() == ".pdf":
        from assistant.reports.pdf_fonts import check_extra

        check_extra()
    return file

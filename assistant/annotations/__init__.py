"""Inspections as annotations that other programs read: COCO, YOLO, LabelMe, and masks."""

from assistant.annotations.writer import FORMATS, AnnotationReport, AnnotationWriter, Format, write_annotations

__all__ = ["FORMATS", "AnnotationReport", "AnnotationWriter", "Format", "write_annotations"]

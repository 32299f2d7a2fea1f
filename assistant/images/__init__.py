"""Pictures: from whatever a user hands over to upright 8-bit RGB, and from a tower's grid back to the picture."""

from assistant.images.load import LoadedImage, Source, load_image

__all__ = ["LoadedImage", "Source", "load_image"]

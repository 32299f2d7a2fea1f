"""Pictures of parts, a quick judge of them, and a sink that fails as it is told to."""

import io
import time

import numpy as np
from PIL import Image

from assistant.errors import ImageError
from assistant.images.load import load_image
from assistant.inspection import Evidence, Inspection
from assistant.line.delivery import Patience

QUICK = Patience(first=0.02, longest=0.05, refusals=3, hours=1)
"""What does not keep a test waiting."""


def draw(seed, shade=200):
    """The bytes of a small picture that no other seed has; dark ones are defects."""
    pixels = np.random.default_rng(seed).integers(0, 30, (12, 16, 3)) + shade
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def judge(pictures):
    """Inspections by brightness, as an inspector gives them: an error for what is no picture."""
    for picture in pictures:
        try:
            pixels = load_image(picture).pixels
        except ImageError as error:
            yield Inspection(picture.name, "error", str(error))
            continue
        score = 1 - float(pixels.mean()) / 255
        verdict = "defect" if score > 0.5 else "good"
        yield Inspection(
            picture.name,
            mode="few-shot",
            score=score,
            p_value=0.5,
            threshold=0.5,
            review_threshold=0.45,
            verdict=verdict,
            width=pixels.shape[1],
            height=pixels.shape[0],
            evidence=Evidence("conformal", "good parts", 4, 0.05, 0.2),
            product="plate",
            created="2026-11-28T03:00:00+00:00",
            coarse_map=np.full((3, 4), score, np.float32),
        )


class Shelf:
    """A sink that takes what it is told to: `fails` is asked for each letter, and raises or returns."""

    needs_attachments = needs_picture = False

    def __init__(self, fails=lambda letter: None):
        self.fails, self.letters = fails, []

    def deliver(self, letter):
        self.fails(letter)
        self.letters.append(letter)

    def close(self):
        pass

    @property
    def parts(self):
        return [letter.event.part for letter in self.letters]


def wait_for(what, seconds=10.0):
    """Wait until something holds."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.01)

"""Pictures to train from, made on the spot."""

import numpy as np
import pytest
from PIL import Image

from assistant.training.dataset import Example, TrainingData


@pytest.fixture
def sample(tmp_path, good, planted):
    """sample(defects, kinds, each, first): kinds of woven pictures; `defects` is "", "labels" or "masks"."""

    def make(defects="", kinds=3, each=2, first=0):
        examples = []
        for kind in range(kinds):
            folder = tmp_path / f"pictures{first}" / f"kind{kind}"
            folder.mkdir(parents=True, exist_ok=True)
            for i in range(each):
                pixels = good(first + 10 * kind + i, 72 + 8 * kind, 80)
                image, broken, mask = (folder / f"{i}{end}.png" for end in ("", "b", "m"))
                Image.fromarray(pixels).save(image)
                examples.append(Example(image, f"k/{kind}", 0))
                if defects:
                    spoiled, (left, top, right, bottom) = planted(pixels, 0.5, 0.4)
                    Image.fromarray(spoiled).save(broken)
                    outline = np.zeros(pixels.shape[:2], np.uint8)
                    outline[top:bottom, left:right] = 255
                    Image.fromarray(outline).save(mask)
                    outlined = defects == "masks"
                    examples.append(
                        Example(broken, f"k/{kind}", 1, mask if outlined else None, "stain" if outlined else "")
                    )
        return TrainingData(tuple(examples))

    return make

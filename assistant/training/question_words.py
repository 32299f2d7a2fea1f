"""What regions, pictures and places are called in drawn questions, and what people add to one, by language."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Words:
    """The words of one language; "{n}" in a name stands for a number, "{o}" for an ordinal."""

    language: str
    it: str
    regions: tuple[str, ...]
    pictures: tuple[str, ...]
    ordinals: tuple[str, ...]
    places: dict[str, str] = field(repr=False)
    joins: tuple[str, ...] = (", ",)
    openings: tuple[str, ...] = ()
    closings: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    point: str = "."

    def region(self, number: int, rng: np.random.Generator) -> str:
        """What a region of this number is called."""
        return self._call(self.regions, number, rng)

    def picture(self, number: int, rng: np.random.Generator) -> str:
        """What a picture of this number is called."""
        return self._call(self.pictures, number, rng)

    def _call(self, names: tuple[str, ...], number: int, rng: np.random.Generator) -> str:
        known = [name for name in names if "{o}" not in name or number <= len(self.ordinals)]
        ordinal = self.ordinals[number - 1] if number <= len(self.ordinals) else ""
        return str(rng.choice(known)).replace("{n}", str(number)).replace("{o}", ordinal)


_PLACES = ("top left", "top", "top right", "left", "center", "right", "bottom left", "bottom", "bottom right")


def _places(*words: str) -> dict[str, str]:
    return dict(zip(_PLACES, words, strict=True))


WORDS = {
    "en": Words(
        "en",
        "it",
        ("R{n}", "R{n}", "region {n}", "the {o} region", "the {o} one", "number {n}", "the {o} spot"),
        ("picture {n}", "P{n}", "the {o} picture", "the {o} one", "image {n}", "part-{n}.png"),
        ("first", "second", "third", "fourth", "fifth"),
        _places(*_PLACES),
        (", and ", " and ", "? ", " and also "),
        ("please, ", "hi, ", "quick question: ", "hey, ", "ok, ", "so, ", "I need to know: ", "can you say "),
        (" please", ", thanks", ", can you tell me", " exactly", " in this case", " then"),
        ("and {r}", "(what|how) about {r}", "and for {r}", "the same for {r}"),
    ),
    "de": Words(
        "de",
        "es",
        ("R{n}", "Region {n}", "die {o} Region", "die {o}", "Bereich {n}"),
        ("Bild {n}", "das {o}", "das {o} Bild", "P{n}"),
        ("erste", "zweite", "dritte", "vierte"),
        _places(
            "oben links", "oben", "oben rechts", "links", "in der Mitte", "rechts", "unten links", "unten",
            "unten rechts",
        ),
        (" und ", ", und ", "? "),
        ("bitte, ", "hallo, ", "kurze Frage: ", "also, ", "sag mal, "),
        (" bitte", ", danke", " genau", " denn", " eigentlich"),
        ("und {r}", "und bei {r}", "wie ist es mit {r}"),
        ",",
    ),
    "es": Words(
        "es",
        "eso",
        ("R{n}", "la región {n}", "la {o} región", "la {o}"),
        ("la imagen {n}", "la {o}", "la {o} imagen", "la foto {n}"),
        ("primera", "segunda", "tercera", "cuarta"),
        _places(
            "arriba a la izquierda", "arriba", "arriba a la derecha", "a la izquierda", "en el centro",
            "a la derecha", "abajo a la izquierda", "abajo", "abajo a la derecha",
        ),
        (" y ", ", y ", "? "),
        ("por favor, ", "hola, ", "una pregunta: ", "oye, "),
        (" por favor", ", gracias", " exactamente", " entonces"),
        ("y {r}", "y para {r}", "qué pasa con {r}"),
        ",",
    ),
    "zh": Words(
        "zh",
        "它",
        ("R{n}", "区域{n}", "第{o}个区域", "第{o}个"),
        ("图片{n}", "第{o}张", "第{o}张图", "图{n}"),
        ("一", "二", "三", "四", "五"),
        _places("左上角", "上方", "右上角", "左边", "中间", "右边", "左下角", "下方", "右下角"),
        ("，", "，还有", "？"),
        ("请问", "你好，", "那么，"),
        ("，谢谢", "呢", "，请说明"),
        ("{r}呢", "那{r}呢"),
    ),
}  # fmt: skip
"""By language."""

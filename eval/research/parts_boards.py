"""Parts of many pieces that are drawn: a circuit board and a connector, each with its defects.

The functions are those of `parts_drawn`: what differs from part to part, what is wrong, and where.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from assistant.eval.research.parts_drawn import scratch, stain
from assistant.eval.research.parts_scene import Random, Surface

GOLD, TIN = np.array([0.85, 0.65, 0.28]), np.array([0.78, 0.78, 0.76])


@dataclass(frozen=True)
class Component:
    """A piece on a board: what it is, its middle, and whether it lies across."""

    kind: str
    x: float
    y: float
    across: bool = False


CHIPS = (Component("chip", -0.24, -0.06), Component("chip", 0.32, 0.1, True))
SMALL = (
    *(Component("resistor", -0.02 + 0.12 * i, -0.32) for i in range(4)),
    *(Component("capacitor", 0.08, -0.14 + 0.12 * i, True) for i in range(3)),
    *(Component("resistor", 0.55, -0.08 + 0.11 * i, True) for i in range(3)),
    *(Component("resistor", -0.36 + 0.12 * i, 0.21) for i in range(2)),
    *(Component("can", *at) for at in ((-0.51, 0.12), (-0.51, -0.08), (0.52, -0.27))),
)
PINS = tuple((-0.12 + 0.055 * i, 0.34) for i in range(8))


def draw_board(s: Surface, random: Random, defect: str, fault: Random) -> None:
    """A small circuit board with chips, resistors, capacitors and a row of pins; all boards are of one design."""
    green = np.array([0.1, 0.34, 0.18]) * random.normal(1, 0.02)
    weave, bloom = s.grain(random, 0.006), s.grain(random, 0.15)
    s.put(s.box(0, 0, 0.68, 0.45, 0.02), green * (1 + 0.03 * bloom + 0.03 * weave)[..., None], 0.05, 0.25)
    design = np.random.default_rng(5)
    for _ in range(26):
        x, y = design.uniform(-0.62, 0.62), design.uniform(-0.4, 0.4)
        far, step = design.uniform(-0.3, 0.3, 2)
        path = np.array(
            [[x, y], [x + far, y], [x + far + step / 3, y + step], [x + far + step / 3, y + 1.3 * step]]
        )
        near = s.window(x + far / 2, y + step / 2, 0.05 + max(abs(far), abs(step)))
        lane = near.stroke(path.clip((-0.64, -0.41), (0.64, 0.41)), 0.01)
        near.tint(0.5 * lane, green * 1.5)
        near.press(0.002 * lane)
    for x, y in ((-0.61, -0.38), (0.61, -0.38), (-0.61, 0.38), (0.61, 0.38)):
        near = s.window(x, y, 0.06)
        near.put(near.disc(x, y, 0.045), TIN, 0.055, 0.6)
        near.cut(near.disc(x, y, 0.026))
    for text, size, x, y in (("REV 2 C14", 0.06, 0.42, 0.37), ("R1  R2  R3  R4", 0.045, 0.16, -0.23)):
        near = s.window(x, y, 0.3)
        near.tint(0.85 * near.words(text, size, x, y), [0.9, 0.9, 0.86])
    chosen = int(fault.integers(len(SMALL)))
    for number, piece in enumerate((*SMALL, *CHIPS)):
        mine = _changed(piece, defect, fault) if number == chosen else piece
        if defect == "turned chip" and piece is CHIPS[0]:
            mine = replace(piece, kind="chip turned")
        _piece(s, mine, piece, random)
    lost = int(fault.integers(len(PINS))) if defect == "missing pin" else -1
    for number, (x, y) in enumerate(PINS):
        near = s.window(x, y, 0.04)
        near.put(near.box(x, y, 0.024, 0.024, 0.004), [0.08, 0.08, 0.08], 0.09, 0.2)
        dx, dy = random.normal(0, 0.001, 2)
        if number != lost:
            near.put(near.box(x + dx, y + dy, 0.011, 0.011), GOLD, 0.2, 0.8)
    if defect == "bridge":
        i = int(fault.integers(5))
        s.put(s.box(-0.37 + 0.045 * i + 0.03, 0.075, 0.03, 0.02, 0.015), TIN, 0.085, 0.8)
    if defect == "scratch":
        scratch(s, fault, fault.uniform((-0.5, -0.35), (0.5, 0.35)), 0.25, depth=0.008, bright=0.25)


def draw_connector(s: Surface, random: Random, defect: str, fault: Random) -> None:
    """A socket of dark plastic with two rows of ten cavities, a pin in each, and a latch."""
    plastic = np.array([0.2, 0.21, 0.23]) + random.normal(0, 0.006)
    rough, tone = s.grain(random, 0.006), s.grain(random, 0.2)
    colour = plastic * (1 + 0.04 * tone + 0.05 * rough)[..., None]
    tints = random.normal(1, 0.03, 20)
    s.put(s.box(0, 0.01, 0.72, 0.27, 0.03), colour, 0.16 + 0.0012 * rough, 0.2)
    s.put(s.box(0, 0.01, 0.66, 0.21, 0.02), colour * 0.9, 0.12 + 0.0012 * rough, 0.2)
    if defect != "missing latch":
        s.put(s.box(0, -0.29, 0.17, 0.06, 0.02), colour, 0.2, 0.25)
        s.put(s.box(0, -0.33, 0.15, 0.012), colour * 1.2, 0.23, 0.25)
    s.put(s.box(-0.5, 0.29, 0.05, 0.03), colour, 0.14, 0.2)
    place = int(fault.integers(20))
    for number in range(20):
        x, y = -0.567 + 0.126 * (number % 10), -0.08 + 0.18 * (number // 10)
        here = number == place
        dx, dy = random.normal(0, 0.0015, 2)
        if here and defect == "bent pin":
            turn = fault.uniform(0, 2 * np.pi)
            dx, dy = 0.026 * np.cos(turn), 0.026 * np.sin(turn)
        near = s.window(x, y, 0.08)
        if here and defect == "blocked cavity":
            near.put(near.box(x, y, 0.046, 0.062), plastic * 1.1, 0.11, 0.2)
            continue
        near.put(near.box(x, y, 0.046, 0.062, 0.008), plastic * 0.3, 0.02, 0.05)
        if not (here and defect == "missing pin"):
            near.put(near.box(x + dx, y + dy, 0.013, 0.02), GOLD * tints[number], 0.1, 0.9)
    s.tint(0.5 * s.words("1", 0.07, -0.69, -0.08), [0.8, 0.8, 0.8])
    if defect == "broken corner":
        sign = fault.choice([-1, 1], 2)
        away = s.x * sign[0] / 0.72 + (s.y - 0.01) * sign[1] / 0.27
        s.cut(s.inside(fault.uniform(1.72, 1.8) + 0.02 * s.grain(fault, 0.03) - away))
    if defect == "burr":
        x = fault.uniform(-0.6, 0.6)
        s.put(s.box(x, 0.285, fault.uniform(0.03, 0.06), 0.016, 0.01), colour * 1.3, 0.1, 0.2)
    if defect == "stain":
        stain(s, fault, fault.uniform((-0.6, -0.18), (0.6, 0.2)), [0.5, 0.48, 0.42])


def _changed(piece: Component, defect: str, fault: Random) -> Component:
    """A component as a defect leaves it."""
    if defect == "missing component":
        return replace(piece, kind="none")
    if defect == "swapped component":
        return replace(piece, kind="capacitor" if piece.kind != "capacitor" else "resistor")
    if defect == "moved component":
        turn = fault.uniform(0, 2 * np.pi)
        return replace(piece, x=piece.x + 0.035 * np.cos(turn), y=piece.y + 0.035 * np.sin(turn))
    return piece


def _piece(s: Surface, piece: Component, planned: Component, random: Random) -> None:
    """A component on the pads where it was planned."""
    wide, high = (0.024, 0.045) if not planned.across else (0.045, 0.024)
    dx, dy = random.normal(0, 0.0018, 2)
    shade = random.normal(1, 0.03)
    x, y = piece.x + dx, piece.y + dy
    s = s.window(planned.x, planned.y, 0.24 if planned in CHIPS else 0.12)
    if planned.kind in ("resistor", "capacitor"):
        for end in (-1, 1):
            pad = planned.x + end * wide * planned.across, planned.y + end * high * (not planned.across)
            s.put(s.box(*pad, 0.024, 0.024, 0.006), TIN, 0.06, 0.7)
    elif planned.kind == "can":
        s.put(s.disc(planned.x, planned.y, 0.02), TIN, 0.06, 0.7)
    if piece.kind in ("resistor", "capacitor"):
        dark = np.array([0.1, 0.1, 0.11]) if piece.kind == "resistor" else np.array([0.6, 0.46, 0.3])
        s.put(s.box(x, y, wide, high), TIN * 0.9, 0.085, 0.6)
        s.put(
            s.box(x, y, wide * (0.65 if planned.across else 1), high * (1 if planned.across else 0.65)),
            dark * shade,
            0.09,
        )
        if piece.kind == "resistor":
            s.tint(0.8 * s.words("103", 0.034, x, y), [0.85, 0.85, 0.85])
    elif piece.kind == "can":
        s.put(s.disc(x, y, 0.075), TIN * 0.85 * shade, 0.3, 0.6)
        s.tint(s.disc(x, y, 0.075) * s.box(x - 0.055, y, 0.03, 0.1), [0.12, 0.12, 0.14])
        s.press(-0.02 * s.disc(x, y, 0.06, 3))
    elif piece.kind.startswith("chip"):
        wide, high = (0.15, 0.105) if not planned.across else (0.1, 0.15)
        for i in range(6):
            for end in (-1, 1):
                leg = (x - 0.115 + 0.046 * i, y + end * (high + 0.02))
                if planned.across:
                    leg = (x + end * (wide + 0.02), y - 0.115 + 0.046 * i)
                s.put(s.box(*leg, 0.012 + 0.014 * planned.across, 0.026 - 0.014 * planned.across), TIN, 0.075, 0.7)
        s.put(s.box(x, y, wide, high, 0.006), np.array([0.12, 0.12, 0.13]) * shade, 0.13, 0.25)
        turned = -1 if piece.kind == "chip turned" else 1
        s.tint(0.7 * s.words("LM317" if turned > 0 else "ZTEIW", 0.05, x, y), [0.7, 0.7, 0.68])
        s.put(s.disc(x - turned * (wide - 0.03), y + turned * (high - 0.03), 0.014), [0.3, 0.3, 0.3], 0.12)

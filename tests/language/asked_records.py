"""Made records of every kind that a question may be about, by name; they are evidence that no detector made."""

from dataclasses import replace

from assistant.detection.counting import counted_rank, parts_needed, percent, upper_rate
from assistant.detection.regions import judge_severity
from assistant.images.geometry import position_of
from assistant.inspection import UNRATED, WHOLE_DIFFERS, DefectType, Evidence, GoodPlace, Inspection, Region

SHARES = "about 12 % of the 40 pictures stand apart (5 to 22 %)"
DRIFTED = (
    "the last 40 parts of 'bracket' score higher than its good parts did: unless most of them are bad, the "
    "camera, the light or the lot has changed; check before you believe single verdicts"
)


def evidence(method="predictive", n=4, target=0.05):
    """What a limit rests on, in the sentences that limits themselves give."""
    rate, upper = f"{percent(target)} false alarms", 1.0
    pictures = f"{n} good picture{'' if n == 1 else 's'}"
    if method in ("conformal", "predictive", "checked"):
        upper = upper_rate(n, max(0, counted_rank(n, target) - 1)) if n > 1 else 1.0
    goal = f"it takes {parts_needed(target)} from several days to promise {percent(target)}"
    promise = f"counting alone promises {percent(upper)} at most with 90 % confidence, and {goal}"
    origin = {
        "conformal": f"set by counting: at most {rate} with 90 % confidence by {pictures}, each scored without "
        "itself, as long as parts stay as these are",
        "predictive": f"estimated for {rate} from {pictures} and what other products show; "
        + (promise if n > 1 else f"nothing can be counted from one, and {goal} with 90 % confidence"),
        "built-in": f"built in, for {rate} on 423 good pictures of nine kinds; it knows nothing of this product",
        "mutual": f"estimated for {rate} from {n} pictures compared with each other; {SHARES}",
        "production": f"estimated for {rate} from {n} unlabelled parts, taken as mostly good; about 4 % of them "
        "stand apart",
        "checked": "set on 30 good and 12 defective parts; on other parts it will do a little worse",
        "none": UNRATED,
    }[method]
    counted = 423 if method == "built-in" else n
    return Evidence(
        method, origin, 0 if method in ("built-in", "none") else n, target, 1 / (counted + 1), target, upper
    )


def region(number, box, peak, p=0.005, types=(), fill=0.75, size=(640, 480)):
    """A region that fills a share of its box; its severity is that of the rule, unrated without a p-value."""
    x0, y0, x1, y1 = box
    area = max(1, round(fill * (x1 - x0) * (y1 - y0)))
    share = area / (size[0] * size[1])
    place = position_of(box, *size)
    return Region(f"R{number}", box, area, share, peak, place, judge_severity(p, share), tuple(types))


def record(name, score, verdict, *regions, p=0.02, limits=(0.5, 0.606), rests=None, mode="few-shot", **more):
    """One inspection of a picture of 640 x 480 pixels."""
    fields = {"product": "bracket", "references": 4, "bundle": "pocket", "weights": "b238caee405d", "ms": 41.0}
    review, threshold = limits
    decided = {} if verdict == "unrated" else {"p_value": p, "threshold": threshold, "review_threshold": review}
    fields |= {"created": "2026-11-20T09:15:00+00:00", "width": 640, "height": 480, "scale": (0.3, 0.9), **decided}
    return Inspection(
        f"line/{name}.png",
        mode=mode,
        score=score,
        verdict=verdict,
        regions=regions,
        evidence=rests or evidence(),
        **fields | more,
    )


UPPER = (520, 30, 600, 90)
LOWER = (40, 380, 140, 440)
MIDDLE = (290, 210, 350, 260)
ONE = {"references": 1, "rests": evidence(n=1)}
FIFTY = {"references": 50, "rests": evidence("conformal", 50), "limits": (0.41, 0.463)}
LOT = {"references": 0, "product": None, "mode": "mutual", "rests": evidence("mutual", 40), "limits": (0.44, 0.52)}
ALONE = {"references": 0, "product": None, "mode": "zero-shot"}
NOBODY = float("nan")

RECORDS = {
    "good": record("bracket-201", 0.312, "good", p=0.41),
    "strange": record("bracket-202", 0.447, "good", region(1, MIDDLE, 0.63, 0.03), p=0.21),
    "review": record("bracket-203", 0.553, "review", region(1, MIDDLE, 0.62, 0.03), p=0.081),
    "defect": record(
        "bracket-204", 0.914, "defect", region(1, UPPER, 1.12, 0.0008), region(2, LOWER, 0.78, 0.004), p=0.0041
    ),
    "single": record("bracket-205", 0.803, "defect", region(1, LOWER, 0.97, 0.0004), p=0.007),
    "worse": record("bracket-206", 1.27, "defect", region(1, UPPER, 1.53, 0.0001), p=0.0009),
    "many": record(
        "bracket-207",
        1.05,
        "defect",
        *(
            region(i, (20 + 80 * i, 40 + 50 * i, 60 + 80 * i, 80 + 50 * i), 1.4 - 0.1 * i, 0.002)
            for i in range(1, 8)
        ),
        p=0.003,
    ),
    "one": record("cap-11", 0.704, "defect", region(1, MIDDLE, 0.81, 0.006), p=0.031, product="cap", **ONE),
    "one_review": record("cap-12", 0.561, "review", region(1, MIDDLE, 0.64, 0.04), p=0.12, product="cap", **ONE),
    "fifty": record("lid-31", 0.522, "defect", region(1, UPPER, 0.66, 0.002), p=0.0211, product="lid", **FIFTY),
    "fifty_good": record("lid-32", 0.288, "good", p=0.62, product="lid", **FIFTY),
    "unrated": record(
        "any-1",
        0.437,
        "unrated",
        region(1, UPPER, 0.58, NOBODY),
        region(2, MIDDLE, 0.51, NOBODY),
        rests=evidence("none", 0),
        rank=(3, 40),
        **{k: v for k, v in ALONE.items() if k != "rests"},
    ),
    "unranked": record(
        "any-2", 0.391, "unrated", region(1, LOWER, 0.47, NOBODY), rests=evidence("none", 0), **ALONE
    ),
    "shipped": record(
        "any-3",
        0.533,
        "defect",
        region(1, LOWER, 0.66, 0.004),
        p=0.03,
        limits=(0.479, 0.507),
        rests=evidence("built-in", 0),
        **ALONE,
    ),
    "lot": record("lot-17", 0.618, "defect", region(1, MIDDLE, 0.77, 0.003), p=0.008, **LOT),
    "lot_good": record("lot-18", 0.361, "good", p=0.55, **LOT),
    "known": record(
        "bracket-208",
        0.866,
        "defect",
        region(1, LOWER, 1.02, 0.0007, [DefectType("pit", 0.62, "known")]),
        region(2, UPPER, 0.71, 0.008),
        p=0.0052,
    ),
    "typed": record(
        "bracket-209",
        0.777,
        "defect",
        region(1, UPPER, 0.93, 0.001, [DefectType("scratch", 0.47), DefectType("dent", 0.21)]),
        p=0.009,
    ),
    "untyped": record(
        "bracket-210", 0.741, "defect", region(1, UPPER, 0.88, 0.001, [DefectType("unknown", 0.7)]), p=0.011
    ),
    "spanning": record(
        "bracket-211", 1.9, "defect", region(1, (0, 12, 640, 480), 2.2, 0.0001, fill=0.8), p=0.0003
    ),
    "drifted": record("bracket-212", 0.651, "defect", region(1, MIDDLE, 0.83, 0.005), p=0.033, notices=(DRIFTED,)),
    "whole": record("bracket-213", 0.68, "defect", p=0.027, notices=(WHOLE_DIFFERS,)),
    "blank": record(
        "bracket-214", 0.22, "review", p=0.8, notices=("nothing in it can be inspected: it is dark all over",)
    ),
    "itself": record(
        "bracket-215",
        0.11,
        "good",
        p=0.97,
        notices=("it is one of the references itself, bracket-001.png, so its score says little",),
    ),
    "checked": record(
        "bracket-216",
        0.593,
        "defect",
        region(1, LOWER, 0.7, 0.006),
        p=0.022,
        limits=(0.512, 0.571),
        rests=evidence("checked", 30),
    ),
    "production": record(
        "bracket-217", 0.349, "good", p=0.33, limits=(0.43, 0.488), rests=evidence("production", 120)
    ),
    "error": Inspection(
        "line/bracket-218.png", status="error", error="bracket-218.png is cut off after 312 bytes."
    ),
    "again": record("bracket-219", 0.887, "defect", region(1, (516, 34, 596, 88), 1.08, 0.0009), p=0.0048),
    "paired": record(
        "bracket-221",
        0.83,
        "defect",
        replace(
            region(1, UPPER, 1.01, 0.0009),
            reference=GoodPlace(3, "bracket-003.png", "d3", (512, 34, 592, 94), 0.41, (-8, 4)),
        ),
        replace(
            region(2, LOWER, 0.9, 0.003),
            reference=GoodPlace(1, "bracket-001.png", "d1", (40, 380, 140, 440), 0.66),
            kind="missing",
        ),
        p=0.006,
    ),
    "camera": record(
        "bracket-220",
        0.7,
        "defect",
        region(1, MIDDLE, 0.86, 0.004),
        p=0.024,
        group="camera 2",
        window=None,
    ),
}
"""Pictures by the name that questions use; `line/` is the folder of all of them."""

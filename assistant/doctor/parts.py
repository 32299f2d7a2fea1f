"""Each part of the program tried for real, in a process of its own: `python -m assistant.doctor.parts`.

What it learns, writes and keeps goes into a folder that it is given. It prints a line of JSON before and after
each check, so that whoever started it knows how far it came, even where a library ends the process.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from dataclasses import asdict
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.doctor.finding import Check, Finding, attempt, fails, note, works

if TYPE_CHECKING:
    from assistant.inspection import Inspection
    from assistant.inspector import Inspector
    from assistant.products.product import Product

REPORT_IT = "Report it as a fault of looktwice, with the output of `looktwice doctor --json`."
QUESTION = "Is it good, and what stands out?"


class Trial:
    """A generated picture, shown to every part of the program in turn; checks leave what the next ones need."""

    def __init__(self, bundle: str, device: str | None, folder: Path) -> None:
        self.bundle, self.device, self.folder = bundle, device, folder
        self.made: dict[str, Any] = {}

    def list_checks(self) -> tuple[Check, ...]:
        """What is tried, in order."""
        pull = f"Run `looktwice pull {self.bundle}`; `looktwice bundles` lists what there is."
        install = "Run `pip install --upgrade looktwice`."
        see = ("inspect",)
        return (
            Check("bundle", self.find_bundle, pull),
            Check("torch", self.find_torch, install),
            Check("device", self.find_device, "Name another one with --device, or leave it out."),
            Check("towers", self.find_towers, pull, ("bundle", "torch", "device")),
            Check("text tower", self.find_text, pull, ("towers",)),
            Check("learn", self.find_learning, REPORT_IT, ("towers",)),
            Check("inspect", self.find_inspecting, REPORT_IT, ("learn",)),
            Check("overlay", self.find_overlay, REPORT_IT, see),
            Check("JSON and CSV", self.find_rows, REPORT_IT, see),
            Check("HTML report", lambda: self.find_report(".html"), REPORT_IT, see),
            Check("PDF report", self.find_pdf, 'Run `pip install --upgrade "looktwice[report]"`.', see),
            Check("answers", self.find_answers, REPORT_IT, see),
            Check("history", self.find_history, 'Run `pip install --upgrade "looktwice[history]"`.', see),
            Check("page", self.find_page, 'Run `pip install --upgrade "looktwice[ui]"`.', ("towers",)),
            Check("service", self.find_service, 'Run `pip install --upgrade "looktwice[serve]"`.', ("towers",)),
        )

    @cached_property
    def inspector(self) -> Inspector:
        """The inspector under trial; its store lies in the folder of the trial."""
        from assistant.inspector import Inspector
        from assistant.products.store import ProductStore

        return Inspector.from_pretrained(
            self.bundle, device=self.device, store=ProductStore(self.folder / "products")
        )

    def find_bundle(self) -> Finding:
        """Whether the bundle is in the cache, and every file as it was pulled."""
        from assistant.models.cache import status, verify

        verify(self.bundle)
        state = status(self.bundle)
        facts = {"folder": str(state.folder), "bytes": state.size, "parts": [one.part for one in state.parts]}
        said = f"{state.name}, {state.size / 1e6:.0f} MB, every file as it was pulled"
        if left_out := [part for part in state.parts if not part.present]:
            why = " ".join(part.note for part in left_out)
            mend = f'Run `pip install "looktwice[lvlm]"`, then `looktwice pull {self.bundle}`.'
            return note(
                f"{said}; left out: {', '.join(part.part for part in left_out)}. {why}".strip(), mend, **facts
            )
        return works(f"{said}.", **facts)

    def find_torch(self) -> Finding:
        """The version of torch, the instructions that it uses, and its threads beside the quota."""
        import torch

        from assistant.models.granted import read_quota

        uses, threads, quota = torch.backends.cpu.get_cpu_capability(), torch.get_num_threads(), read_quota()
        facts = {"version": torch.__version__, "capability": uses, "threads": threads, "quota": quota}
        said = f"torch {torch.__version__} with {uses} instructions and {threads} thread(s)."
        if quota and threads > quota + 1:
            return note(said, f"Set OMP_NUM_THREADS={max(1, round(quota))}: that is the quota.", **facts)
        return works(said, **facts)

    def find_device(self) -> Finding:
        """The device that is used, and why it is not a GPU where there is a driver for one."""
        import torch

        from assistant.models.towers import pick_device

        device = pick_device(self.device)
        if device.type == "cuda":
            name, (free, total) = torch.cuda.get_device_name(device), torch.cuda.mem_get_info(device)
            said = f"{device}: {name}, {total / 1e9:.1f} GB, {free / 1e9:.1f} GB free, CUDA {torch.version.cuda}."
            return works(said, device=str(device), name=name, total=total, free=free, cuda=torch.version.cuda)
        driver = Path("/proc/driver/nvidia/version").is_file()
        if driver and not self.device:
            built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
            mend = "Install a torch that fits the driver (pytorch.org tells which), then ask again."
            return note(f"{device}; there is an NVIDIA driver, and torch, built {built}, sees no GPU.", mend)
        why = "as asked for" if self.device else "there is no GPU that torch sees"
        return works(f"{device}, {why}.", device=str(device))

    def find_towers(self) -> Finding:
        """Whether the towers load and run, in which runtime and why, and how long a picture takes."""
        from assistant.models.cache import bundle_folder
        from assistant.models.runtime import choose_runtime

        backbone = self.inspector.backbone
        [first] = backbone.encode([self.draw(0)])
        began = time.perf_counter()
        [features] = backbone.encode([self.draw(0)])
        spent = 1000 * (time.perf_counter() - began)
        if not all(bool(layer.isfinite().all()) for layer in (*features.layers, features.vector)):
            return fails("The towers give numbers that are not finite.", REPORT_IT)
        if not all(a.allclose(b) for a, b in zip(first.layers, features.layers, strict=True)):
            return fails("The towers give other features for the same picture.", REPORT_IT)
        chosen, why = choose_runtime("auto", backbone.runtime.device, bundle_folder(self.bundle))
        called = "OpenVINO" if chosen == "openvino" else "torch"
        said = f"A picture takes {spent:.0f} ms in {called}, {why}."
        return works(said, runtime=chosen, why=why, milliseconds=round(spent, 1))

    def find_text(self) -> Finding:
        """Whether the text tower loads and gives vectors of unit length."""
        vectors = self.inspector.backbone.encode_text(["a photo of a bottle", "a photo of a damaged bottle"])
        if not bool(((vectors.norm(dim=-1) - 1).abs() < 1e-3).all()):
            return fails("The text tower gives vectors that are not of unit length.", REPORT_IT)
        return works(f"Two sentences became vectors of {vectors.shape[1]} numbers.", dimensions=vectors.shape[1])

    def find_learning(self) -> Finding:
        """Whether a product is learned from two generated references, kept, and read again."""
        product = self.inspector.learn("trial", [self.draw(1), self.draw(2)])
        self.inspector.save(product)
        self.made["product"] = self.inspector.load("trial")
        limit = product.calibration.threshold
        return works(f"Two generated parts became a product with the limit {limit:.3g}.", threshold=limit)

    def find_inspecting(self) -> Finding:
        """Whether a generated part with a defect is inspected."""
        from assistant.inspection import Inspection

        found = self.inspector.inspect(self.draw(0, defect=True), self.product)
        if found.status != "ok":
            return fails(f"The picture was not read: {found.error}", REPORT_IT)
        if Inspection.from_json(found.to_json()) != found:
            return fails("An inspection does not come back from its own JSON.", REPORT_IT)
        self.made["inspection"] = found
        said = (
            f"A generated part with a defect: {found.verdict}, score {found.score:.3g} of {found.threshold:.3g}."
        )
        return works(said, verdict=found.verdict, score=found.score, regions=len(found.regions))

    def find_overlay(self) -> Finding:
        """Whether the overlay is drawn."""
        from assistant.overlay import draw_from

        file = self.folder / "overlay.png"
        drawn = draw_from(self.inspection, self.draw(0, defect=True))
        drawn.save(file)
        return works(f"An overlay of {drawn.width} x {drawn.height} pixels was drawn.", bytes=file.stat().st_size)

    def find_rows(self) -> Finding:
        """Whether a row goes into JSON lines and a CSV and comes back from the first."""
        from assistant.inspection import Inspection
        from assistant.records.rows import write_csv, write_jsonl

        rows, table = self.folder / "rows.jsonl", self.folder / "rows.csv"
        write_jsonl([self.inspection], rows)
        write_csv([self.inspection], table)
        back = Inspection.from_json(rows.read_text(encoding="utf-8"))
        if back.score != self.inspection.score or len(table.read_text(encoding="utf-8").splitlines()) != 2:
            return fails("What was written does not come back.", REPORT_IT)
        return works("A row was written in both, and came back.")

    def find_report(self, ending: str) -> Finding:
        """Whether a report is written."""
        from assistant.reports import report_inspection, write_report

        file = self.folder / f"report{ending}"
        write_report(report_inspection(self.inspection, self.folder / "overlay.png"), file)
        return works(f"A report of {file.stat().st_size / 1000:.0f} kB was written.", bytes=file.stat().st_size)

    def find_pdf(self) -> Finding:
        """As `find_report`, where the extra for it is here."""
        if find_spec("fpdf") is None:
            return note("Left out: the extra is not here.", 'Run `pip install "looktwice[report]"`.')
        return self.find_report(".pdf")

    def find_answers(self) -> Finding:
        """Whether the default explainer answers from the evidence."""
        said = self.inspector.ask(self.inspection, QUESTION).text
        if not said.strip():
            return fails("It answered with nothing.", REPORT_IT)
        return works(f"The template answered: {' '.join(said.split())[:80]}...", characters=len(said))

    def find_history(self) -> Finding:
        """Whether an inspection is kept in a history of the trial's own and found again."""
        if find_spec("sqlalchemy") is None:
            return note("Left out: the extra is not here.", 'Run `pip install "looktwice[history]"`.')
        from assistant.records.history import History

        history = History(self.folder / "history.sqlite")
        try:
            found = history.get(history.add(self.inspection))
        finally:
            history.close()
        if found.inspection.score != self.inspection.score:
            return fails("What was kept does not come back.", REPORT_IT)
        return works("An inspection was kept in a file of the trial's own, and found again.")

    def find_page(self) -> Finding:
        """Whether the page can be built; it is not started."""
        if find_spec("gradio") is None:
            return note("Left out: the extra is not here.", 'Run `pip install "looktwice[ui]"`.')
        from assistant.face.frontend import load_frontend

        page = load_frontend().build(self.inspector)
        return works(
            f"It was built, with {len(page.blocks)} elements, and not started.", elements=len(page.blocks)
        )

    def find_service(self) -> Finding:
        """Whether the service can be built; it is not started."""
        from assistant.service.server import NEEDED

        if any(find_spec(name) is None for name in NEEDED):
            return note("Left out: the extra is not here.", 'Run `pip install "looktwice[serve]"`.')
        from assistant.service.application import create_app

        paths = create_app(self.inspector).openapi()["paths"]
        return works(f"It was built, with {len(paths)} addresses, and not started.", addresses=len(paths))

    @property
    def product(self) -> Product:
        """What `find_learning` learned."""
        product: Product = self.made["product"]
        return product

    @property
    def inspection(self) -> Inspection:
        """What `find_inspecting` found."""
        inspection: Inspection = self.made["inspection"]
        return inspection

    def draw(self, number: int, defect: bool = False) -> Any:
        """One generated part, [H, W, 3] uint8."""
        from assistant.face.examples import EXAMPLES, draw_part

        return draw_part(EXAMPLES[0], number, defect)


def main(bundle: str, device: str, folder: str, fatal: str) -> None:
    """Try everything, telling each step on standard output; `fatal`: the parts that ended an earlier try."""
    tell = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)  # what libraries print is no line of ours
    ended = set(filter(None, fatal.split(",")))
    findings: list[Finding] = []
    for check in Trial(bundle, device or None, Path(folder)).list_checks():
        print(json.dumps({"begin": check.part}), file=tell, flush=True)
        if check.part in ended:
            found = Finding(check.part, "fails", "It ended the process.", check.mend)
        else:
            found = attempt(check, findings)
        findings.append(found)
        print(json.dumps({"found": asdict(found)}, default=str), file=tell, flush=True)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main(*sys.argv[1:5])
    os._exit(0)  # threads of a library, or its own end, change nothing about what was found

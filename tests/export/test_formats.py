"""What is recorded compiles and gives the same in both runtimes."""

import numpy as np
import pytest
import torch

from assistant.adapters.visual import AdapterConfig, VisualAdapter, centre
from assistant.export import formats
from assistant.export.recording import record

for needed in formats.NEEDED:
    pytest.importorskip(needed)

pytestmark = pytest.mark.slow


def test_what_an_adapter_reads_is_the_same_in_both_runtimes(tmp_path):
    """The tiny bundles have no trained adapter, and the pocket bundle has one."""
    import onnxruntime
    import openvino

    torch.manual_seed(0)
    adapter = VisualAdapter(AdapterConfig(12, 8, width=6), torch.randn(2, 8), torch.randn(3, 8)).eval()

    def read(picture):
        evidence = centre(adapter.evidence(adapter.read(picture)))
        return evidence, evidence.max(), evidence.argmax()

    example, other = torch.randn(1, 5, 4, 12), torch.randn(1, 5, 4, 12)
    module, _ = record(read, example)
    formats.write_onnx(module, example, tmp_path / "graph.onnx")
    formats.to_openvino(tmp_path / "graph.onnx", tmp_path / "graph.xml")
    with torch.no_grad():
        expected = [one.numpy() for one in read(other)]
    session = onnxruntime.InferenceSession(tmp_path / "graph.onnx", providers=["CPUExecutionProvider"])
    compiled = openvino.compile_model(tmp_path / "graph.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for found in (session.run(None, {"picture": other.numpy()}), [*compiled([other.numpy()]).values()]):
        for one, right in zip(found, expected, strict=True):
            assert np.allclose(one, right, atol=1e-4)

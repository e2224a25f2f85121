"""Convert a detector of photographs to OpenVINO, by way of ONNX, and compare the scores.

pip install openvino
python examples/openvino_photographs.py [DIRECTORY]
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_sample_image

from augan import FAnoGAN, OnnxDetector


def photographs(n: int, seed: int) -> np.ndarray:
    """Return grey photographs of a part of a roof, not quite from the same place."""
    random = np.random.default_rng(seed)
    roof = load_sample_image("china.jpg").mean(axis=2)
    places = random.integers((180, 100), (188, 108), (n, 2))
    parts = np.stack([roof[top : top + 80, left : left + 112] for top, left in places])
    return (parts + random.normal(0, 4, parts.shape)).clip(0, 255).astype(np.uint8)


def main(directory: Path) -> None:
    import openvino

    onnx_file, converted = directory / "roofs.onnx", directory / "roofs.xml"
    detector = FAnoGAN(random_state=0).fit(photographs(100, seed=0))
    print(detector.export_onnx(onnx_file))
    # optional inputs (target_fpr, explain) become constants; the converter sends statistics on its
    # use to Intel unless `opt_in_out --opt_out` was run
    model = openvino.convert_model(onnx_file)
    openvino.save_model(model, converted, compress_to_fp16=False)

    new = photographs(20, seed=1)
    new[:10, 20:50, 30:34] = 255  # scratches
    # where the processor has bfloat16, the default is to compute in it, less precisely
    precise = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.compile_model(converted, "CPU", precise)
    found = compiled({"images": new[..., None]})  # (n, H, W, C)

    expected = OnnxDetector(onnx_file, providers="cpu").assess(new, explain=True)
    difference = np.abs(found["anomaly_score"] - expected.anomaly_score).max()
    print(f"largest difference of a score: {difference:.1e}")
    print(f"of a heatmap: {np.abs(found['heatmap'] - expected.explanation).max():.1e}")
    flagged = found["is_anomaly"]
    print(f"flagged: {flagged[:10].sum()} of 10 scratched, {flagged[10:].sum()} of 10 good ones")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))

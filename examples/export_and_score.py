"""Train with torch, export ONNX files, then score and sample rows without torch."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from augan import FAnoGAN, OnnxDetector, OnnxGenerator


def make_payments(n: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    shop = random.choice(["bakery", "garage", "hotel"], n)
    usual = pd.Series(shop).map({"bakery": 8.0, "garage": 200.0, "hotel": 120.0})
    amount = (usual * np.exp(random.normal(0, 0.4, n))).round(2)
    return pd.DataFrame({"shop": shop, "amount": amount, "abroad": random.random(n) < 0.1})


def main() -> None:
    payments = make_payments(2000, seed=0)
    odd = pd.DataFrame({"shop": ["bakery", None], "amount": [900.0, 80.0], "abroad": [True, False]})
    steps = {"max_steps": 300, "encoder_steps": 300, "pretext_steps": 500, "generator": True}
    detector = FAnoGAN(**steps, random_state=0).fit(payments)
    with TemporaryDirectory() as folder:
        scorer, maker = Path(folder) / "payments.onnx", Path(folder) / "maker.onnx"
        print(detector.export_onnx(scorer, X=make_payments(500, seed=1)))
        print(detector.export_onnx(maker, part="generator"))

        exported = OnnxDetector(scorer, providers="cpu", target_fpr=0.001)
        pipeline = make_pipeline(FunctionTransformer(), exported).fit(payments)
        found = odd.assign(score=-pipeline.score_samples(odd), verdict=pipeline.predict(odd))
        print(found.to_string())
        reasons = exported.explain(odd)
        print("most unusual:", ", ".join(reasons.idxmax(axis=1)))
        print(OnnxGenerator(maker, providers="cpu").sample(3, random_state=0).to_string())


if __name__ == "__main__":
    main()

"""The reference page of all parameters, docs/parameters.md, made of their fields.

``python -m augan.estimators.reference > docs/parameters.md`` writes it anew.
"""

from __future__ import annotations

import textwrap

from augan.estimators.common_parameters import CommonParameters, EncoderParameters
from augan.estimators.detector_parameters import (
    DetectorParameters,
    ResidualParameters,
    SearchParameters,
)
from augan.estimators.sampler_parameters import SamplerParameters
from augan.parameters import default_text, parameters_of

SECTIONS: tuple[tuple[str, type, tuple[type, ...]], ...] = (  # without those of other sections
    ("FAnoGAN, AnoGAN and GANSampler", CommonParameters, ()),
    ("FAnoGAN and AnoGAN", DetectorParameters, (CommonParameters,)),
    ("FAnoGAN and GANSampler", EncoderParameters, ()),
    ("FAnoGAN", ResidualParameters, ()),
    ("AnoGAN", SearchParameters, ()),
    ("GANSampler", SamplerParameters, (CommonParameters, EncoderParameters)),
)
HEAD = """# Parameters

Every constructor parameter of the estimators. On the command line `augan fit --help-parameters`
lists those of one method, and `--set NAME=VALUE` sets one. "auto" is replaced by a value that
suits the data. This page is written by `python -m augan.estimators.reference > docs/parameters.md`.
"""


def reference_page() -> str:
    """Return the page as Markdown."""
    lines = [HEAD]
    for title, cls, others in SECTIONS:
        lines.append(f"## {title}\n")
        elsewhere = {name for other in others for name in parameters_of(other)}
        for name, item in parameters_of(cls).items():
            if name in elsewhere:
                continue
            first, _, rest = item.metadata["text"].partition("\n")
            text = f"{first}\n{textwrap.dedent(rest)}".strip()
            lines.append(f"### `{name}`\n")
            lines.append(f"{item.metadata['kind']}, default `{default_text(item)}`; ")
            lines[-1] += f"must be {item.metadata['check'].text}.\n"
            lines.append(f"{text}\n")
    return "\n".join(lines)


if __name__ == "__main__":
    print(reference_page(), end="")

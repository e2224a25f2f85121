"""Constructor parameters of the sampler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from augan import checks
from augan.checks import SIZE, STEPS, WEIGHT, integer, one_of, or_value, real
from augan.estimators.common_parameters import CommonParameters, EncoderParameters
from augan.parameters import parameter
from augan.sampling import FILTERS


@dataclass(eq=False, repr=False, kw_only=True)
class SamplerParameters(EncoderParameters, CommonParameters):
    """Parameters of `GANSampler`."""

    sampling_strategy: Any = parameter(
        "auto",
        checks.ANYTHING,
        "float, str, dict or callable",
        """Which classes are resampled, and to how many rows, as in imbalanced-learn.
        "auto" brings all classes but the largest up to its size.""",
    )
    method: str = parameter(
        "auto",
        one_of("auto", "columns", "gan", "latent", "data"),
        '{"auto", "columns", "gan", "latent", "data"}',
        """How new rows are made.
        "columns", for tables: by a network that gives the distribution of a column, given any
        others; a row is drawn column by column in a random order (Hoogeboom 2022), and the class is
        one of the columns. Conditions are met without rejection. "gan": by the generator, without
        an encoder. "latent": from real rows whose latents are moved. "data": from real rows whose
        columns are moved one by one, or from real images, deformed and with noise; no GAN is
        trained, and classes of fewer than 5 rows are always made in this way with "latent".
        "auto" is "columns" for tables and "data" for images.""",
    )
    relations: Any = parameter(
        "auto",
        checks.RELATIONS,
        '"auto", None or list of str',
        """Relations between columns that new rows obey, with method="columns".
        "auto": those that all training rows obey, and not by chance: columns that another one
        determines, sums, multiples, products and ratios, orderings. The class, named as `y` or "y",
        may be determined too. A list has the relations as texts: "model -> make", "start <= end",
        "total = price * quantity", "rate = tax / total", "due = total + tax - 5",
        "days = floor(seconds / 86400)"; an error says which of them a training row breaks. A column
        on the left of "=", or on the right of "->", is computed from the others. `relations_` has
        those that are used. None: none.""",
    )
    spread: str | float = parameter(
        "auto",
        or_value("auto", real(0, WEIGHT)),
        '"auto" or float',
        """Distance of new rows from the real ones that they are made from.
        In standard deviations of the class's latents for "latent", in half standard deviations of
        a column for "data". Images of "data" are rotated by up to a fifth of a radian times this,
        zoomed by up to 15 % and so on (Simard 2003), and get another brightness and contrast and
        white noise of up to 0.3 standard deviations of their pixels times this.

        For "columns", the share of a new row's cells that are drawn, as a mean over rows. The
        others have the categories, frequent values and bins of a real row of the class, in random
        columns; in `fit_resample` its numbers are moved, by normal steps of 0.2 times `spread` of
        the range of their ranks, so that classifiers see more than the few real values. With 1 or
        more all cells are drawn: no row then shows which values a single real row had.

        "auto" is 1, and for "columns" 0.5 in `fit_resample`, whose rows are added to the real ones;
        in `sample` it is the smallest of 0.5, 0.6, ..., 1 with which new rows are no nearer to real
        ones than these are to each other (`sample_spread_`).""",
    )
    tails: str = parameter(
        "observed",
        one_of("observed", "fitted"),
        '{"observed", "fitted"}',
        """Where the largest and smallest numbers of new rows come from, with method="columns".
        "observed": new rows only have values of training. "fitted": the outermost values are those
        of generalised Pareto distributions, fitted to the largest and the smallest tenth of a
        column (Pickands 1975), so that some lie beyond the training range. No negative numbers are
        made for a column that has none.""",
    )
    synthetic_share: str | float | None = parameter(
        "auto",
        or_value(None, or_value("auto", checks.share(above=True))),
        '"auto", None or float',
        """Share of synthetic rows in every class after `fit_resample`.
        None: all rows that are added are synthetic, and only the classes of `sampling_strategy`
        get any, as in imbalanced-learn. A number between 0 and 1: classes are brought to the size
        of `sampling_strategy` by copies of real rows, and then synthetic rows are added to all of
        them, the largest too. What synthetic rows have in common, such as a network's noise, then
        does not tell a classifier their class. "auto" is None for tables, 0.5 for images.""",
    )
    symmetry: str | None = parameter(
        "auto",
        or_value(None, one_of("auto", "flips", "dihedral")),
        '{"auto", "flips", "dihedral"} or None',
        """Reflections that keep the meaning of an image; new images are reflected at random.
        "flips": left to right and top to bottom. "dihedral": rotations by 90 degrees as well.
        "auto" is None, or with `tune_for` the better of "dihedral" ("flips" if images are not
        square) and None in cross-validation.""",
    )
    filters: Any = parameter(
        "auto",
        checks.distinct(list(FILTERS), empty=True, auto=True),
        '"auto" or sequence of {"critic", "label", "copies"}',
        """Filters that reject new rows.
        "critic": rejection sampling by the critic, calibrated on held-out rows (Azadi 2019); with
        method="columns" by critics that are trained on drawn rows when the filter is first used.
        "label": rows that resemble another class. With method="columns", rows are accepted in
        proportion to the fourth power of the probability of their class, which classifiers of the
        real rows give. With other methods, a random forest rejects rows that are less typical of
        their class than 90 % of the real ones. "copies": rows nearer to a real one than 95 % of the
        real rows are to each other. "auto" is no filter in `sample`; in `fit_resample` it is
        "label" for "columns", and no filter for other methods.
        There are as many rows as asked for, or an error; `refused_` has the number of rejected
        rows.""",
    )
    tune_for: Any = parameter(
        None,
        checks.CLASSIFIER,
        'None, "auto" or classifier',
        """Classifier for which the new rows are tuned.
        The number of added rows (at most that of `sampling_strategy`, possibly none) and their
        distance to real ones are chosen by cross-validation in the training rows, by the average
        precision of this classifier. "auto" is the mean of a logistic regression, a random forest
        and histogram gradient boosting. Rows of a table are only added if their gain is beyond
        chance (Student's test at 5 %, over the folds). With classes of fewer than 100 rows
        cross-validation is too noisy: they get as many rows as `sampling_strategy` asks for, or
        with "latent" and "data" at most ten times as many as they have. For images, the choice is
        between no, copied and new images, their number, spread and `symmetry`, by the mean F1
        score of the classes; "auto" is a small convolutional network, other classifiers are given
        pixels.""",
    )
    validation_fraction: float = parameter(
        0.1,
        checks.share(above=True),
        "float",
        """Share of the rows of large classes that are held out from training.
        With method="columns" only if `n_iter_no_change` or the filter "critic" needs them.""",
    )
    n_iter_no_change: int | None = parameter(
        None,
        or_value(None, integer(1, STEPS)),
        "int or None",
        "Number of measures on held-out rows without improvement after which training ends.",
    )
    image_size: str | int | None = parameter(
        None,
        or_value("auto", or_value(None, integer(8, SIZE))),
        "int or None",
        """Longer side, in pixels, of new images.
        None is up to 64 pixels for the GAN, the images' own size for "data".""",
    )
    diff_augment: bool = parameter(
        True,
        checks.FLAG,
        "bool",
        """Whether the critic sees shifted images of other brightness and contrast.
        So it does not memorise few images (DiffAugment, Zhao 2020).""",
    )

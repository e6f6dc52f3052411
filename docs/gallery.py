"""The gallery: public losses with a wrong count, re-created as fixtures, with what the linter says of them now."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from batchmean.linter import lint

FIXTURES = Path(__file__).parents[1] / "fixtures"


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One public case: where it was, what it did, how it was found and what came of it.

    `fixture` is its re-creation, `MODULE::FUNCTION`; the right form is the case that this names as its reference.
    `shown` are two definitions to show instead of these functions.
    """

    title: str
    where: str
    link: str
    did: str
    found: str
    fixture: str
    shown: tuple[str, str] | None = None


KINDS: dict[str, tuple[Exhibit, ...]] = {
    "The classes are averaged, too": (
        Exhibit(
            "TinyBERT",
            "huawei-noah/Pretrained-Language-Model, issue 176",
            "https://github.com/huawei-noah/Pretrained-Language-Model/issues/176",
            "The soft cross-entropy between teacher and student is averaged over the labels: with two of "
            "them it is half of itself, with a vocabulary next to nothing, beside other losses that are not.",
            "A reader compared the code with the paper, in 2022. The issue is open; copies of the "
            "function are in many repositories.",
            "on_torch/gallery.py::soft_targets_of_a_large_bert",
        ),
        Exhibit(
            "Replay in continual learning",
            "GMvandeVen/continual-learning, issue 5",
            "https://github.com/GMvandeVen/continual-learning/issues/5",
            "The old model's scores are the targets of the new one. The mean runs over examples and "
            "classes, so the distillation weighs the less the more classes there are.",
            "A reader asked, in 2019. The author agreed, mended it the next day, and found the same in "
            "the binary loss.",
            "on_torch/gallery.py::replayed_with_the_old_model",
        ),
        Exhibit(
            "The first classifier of JAX's documentation",
            "JAX, notebook on training with data loading",
            "https://docs.jax.dev/en/latest/notebooks/Neural_Network_and_Data_Loading.html",
            "Log-probabilities times one-hot targets, under one mean: a tenth of the cross-entropy of "
            "ten digits.",
            "By this linter. Whoever compares its loss, or its learning rate, with those of others is "
            "off by ten.",
            "on_jax/gallery.py::digits_of_the_documentation",
        ),
        Exhibit(
            "Soft actor-critic with discrete actions",
            "vwxyzjn/cleanrl, sac_atari.py",
            "https://github.com/vwxyzjn/cleanrl/blob/fe8d8a03c41a7ef5b523e2e354bd01c363e786bb/cleanrl/sac_atari.py#L307",
            "The expectation under the policy is averaged over the actions. The losses of policy and "
            "temperature are as many times too small as there are actions, and the games have different "
            "numbers of them.",
            "By this linter, on the casebook.",
            "on_torch/gallery.py::actions_averaged",
        ),
        Exhibit(
            "Shannon entropy of molecules",
            "deepchem, models/losses.py",
            "https://github.com/deepchem/deepchem/blob/2.8.0/deepchem/models/losses.py",
            "A loss that is called an entropy takes the mean over the axis of the distribution, in "
            "PyTorch and in TensorFlow.",
            "By this linter, on the casebook.",
            "on_tensorflow/gallery.py::entropy_of_molecules",
        ),
        Exhibit(
            "Cross-entropy of segmentation models",
            "qubvel/segmentation_models, issue 180",
            "https://github.com/qubvel/segmentation_models/issues/180",
            "The categorical cross-entropy takes the mean of everything, where that of Keras sums over "
            "the classes. Added to a dice loss, it weighs too little.",
            "A user compared it with Keras. The author saw no difference; another user told him which, "
            "months later.",
            "on_keras/gallery.py::segmented",
        ),
    ),
    "A library's mean that divides by the classes": (
        Exhibit(
            "Distillation with the default reduction",
            "yuanli2333/Teacher-free-Knowledge-Distillation, issues 5 and 41",
            "https://github.com/yuanli2333/Teacher-free-Knowledge-Distillation/issues/41",
            "PyTorch's divergence takes the mean over all elements unless it is asked for `batchmean`. "
            "The weight between the two losses means another thing with every number of classes.",
            "Readers asked in 2019 and in 2025; the training of one had failed. The author keeps it: the "
            "published hyper-parameters were searched with it.",
            "on_torch/gallery.py::distilled_by_default",
        ),
        Exhibit(
            "DeiT's distillation",
            "facebookresearch/deit, issue 61",
            "https://github.com/facebookresearch/deit/issues/61",
            "The divergence is summed, and the number of all elements divides it: the default again, "
            "written out.",
            "A reader asked, in 2021. It is meant: published results depend on it. With `batchmean` the "
            "authors found similar or slightly lower accuracy.",
            "on_torch/gallery.py::distilled_over_all_elements",
        ),
        Exhibit(
            "Localization distillation",
            "HikariTJU/LD, issue 74",
            "https://github.com/HikariTJU/LD/issues/74",
            "The distribution of each edge of a box is distilled. The mean over its 17 bins makes the "
            "loss 17 times too small; a decorator averages over the boxes afterwards.",
            "A reader compared it with the definition, in 2023. The author agreed that the sum is the "
            "divergence.",
            "on_torch/gallery.py::distilled_edges_of_boxes",
        ),
        Exhibit(
            "Distilling a language model",
            "huggingface/transformers, issue 1181",
            "https://github.com/huggingface/transformers/issues/1181",
            "`batchmean` divides by the first axis alone: of (B, T, V) it is the sum over the T "
            "positions, and long texts weigh more.",
            "A reader measured it with random logits of several lengths, in 2019.",
            "on_torch/gallery.py::distilled_language_model",
        ),
    ),
    "A latent code": (
        Exhibit(
            "A variational autoencoder",
            "podgorskiy/VAE, issue 1",
            "https://github.com/podgorskiy/VAE/issues/1",
            "The divergence from the prior is averaged over the latent dimensions. The comment above it "
            "quotes the sum.",
            "A reader compared both, in 2020. Another found that the images get worse with the sum "
            "alone: the two terms have to be put right together.",
            "on_torch/gallery.py::prior_averaged_twice",
        ),
        Exhibit(
            "An autoencoder of molecules",
            "maxhodak/keras-molecules, issue 59",
            "https://github.com/maxhodak/keras-molecules/issues/59",
            "The same, with 292 dimensions.",
            "A reader compared it with the example of Keras, in 2017. The blog of Keras and its example "
            "differ as well.",
            "on_keras/gallery.py::molecules",
        ),
    ),
    "Padding": (
        Exhibit(
            "A textbook's translator",
            "d2l-ai/d2l-en, issue 2076",
            "https://github.com/d2l-ai/d2l-en/issues/2076",
            "The losses of the padding are zeroed, and the mean of each sentence counts them. The "
            "training loop divides by the number of valid tokens once more.",
            "A reader's model wrote sentences without an end, in 2022.",
            "on_torch/gallery.py::textbook_translation",
        ),
        Exhibit(
            "A tutorial's transformer",
            "tensorflow/docs, pull request 1460",
            "https://github.com/tensorflow/docs/pull/1460",
            "The padding is masked out, and counted.",
            "A reader mended it, in 2020. (The tutorial calls its labels `real`, which says nothing to "
            "the linter.)",
            "on_tensorflow/gallery.py::tutorial_transformer",
        ),
    ),
    "Divided twice, or by pairs": (
        Exhibit(
            "A detector's classes",
            "eriklindernoren/PyTorch-YOLOv3, pull request 137",
            "https://github.com/eriklindernoren/PyTorch-YOLOv3/pull/137",
            "The library's cross-entropy is a mean already, and the size of the batch divides it again.",
            "A reader read the library's documentation, in 2019, and mended it.",
            "on_torch/gallery.py::averaged_again_by_the_batch",
        ),
        Exhibit(
            "Co-teaching",
            "bhanML/Co-teaching, issue 9",
            "https://github.com/bhanML/Co-teaching/issues/9",
            "The sum of one number, a mean already, is divided by the number of examples that are kept; "
            "that changes during the training.",
            "A reader, in 2021. The issue is open.",
            "on_torch/gallery.py::remembered_examples",
        ),
        Exhibit(
            "Sets",
            "manzilzaheer/DeepSets, pull request 2",
            "https://github.com/manzilzaheer/DeepSets/pull/2",
            "Predictions of shape (B, 1) minus targets of shape (B,): every prediction is compared with "
            "every target, and the model learns the average.",
            "A reader saw that the model learns the average of the statistic, in 2019.",
            "on_torch/gallery.py::energy_of_a_set",
        ),
    ),
    "What an epoch adds up": (
        Exhibit(
            "A course's training loop",
            "ShusenTang/Dive-into-DL-PyTorch, issue 74",
            "https://github.com/ShusenTang/Dive-into-DL-PyTorch/issues/74",
            "The mean of each batch is added up, and the number of examples divides: the loss is as many "
            "times too small as a batch has examples.",
            "A reader asked, in 2019, and the author agreed.",
            "on_torch/gallery.py::course_epoch",
        ),
        Exhibit(
            "Perplexity of melodies",
            "magenta/magenta, pull request 239",
            "https://github.com/magenta/magenta/pull/239",
            "The exponential is taken before the mean, and not of it. (Re-created over batches; there it "
            "was over the steps of one.)",
            "It was put there on purpose, in 2016, as the true mean of perplexities. The perplexity of a "
            "text is the exponential of its mean loss.",
            "on_torch/gallery.py::melodies",
        ),
    ),
    "Accumulated gradients": (
        Exhibit(
            "A recipe for fine-tuning",
            "meta-pytorch/torchtune, pull request 1875",
            "https://github.com/meta-pytorch/torchtune/pull/1875",
            "The mean over the tokens of each micro-batch is divided by the accumulation steps: a token "
            "of a short text weighs more than one of a long text.",
            "Losses with and without accumulation did not agree, in October 2024, when several projects "
            "found the same.",
            "on_torch/gallery.py::recipe_of_a_finetuning",
        ),
        Exhibit(
            "Language models in Transformers",
            "huggingface/transformers, issue 24725 and pull request 34191",
            "https://github.com/huggingface/transformers/issues/24725",
            "The model's own loss is a mean over the labels that are not ignored, and what trains it "
            "divides by the steps.",
            "A user calculated it with two texts of 11 and 101 tokens, in 2023. It was mended a year "
            "later, when curves of several projects did not agree: `num_items_in_batch` came of it.",
            "on_torch/trainers.py::of_a_language_model",
        ),
        Exhibit(
            "The same on Apple's chips",
            "ml-explore/mlx-lm, pull request 1413",
            "https://github.com/ml-explore/mlx-lm/pull/1413",
            "The gradients of token means are added up, and their number divides; the evaluation beside "
            "it counts tokens.",
            "By comparing the two, in 2026. (Re-created in JAX.)",
            "on_jax/token_means_accumulated.py::gradients_over_the_steps",
        ),
        Exhibit(
            "Counted and divided again",
            "unslothai/unsloth-zoo, pull request 1023",
            "https://github.com/unslothai/unsloth-zoo/pull/1023",
            "The loss is divided by the number of items of all micro-batches, and the trainer divides by "
            "their number again. (Re-created in one place.)",
            "By reading what the trainer does with what, in 2026: who counts and who divides is decided "
            "in two places.",
            "on_torch/trainers.py::sum_over_the_items_and_the_steps",
            ("ItemsAndStepsTrainer", "ItemsTrainer"),
        ),
        Exhibit(
            "Scaled twice with an engine",
            "deepspeedai/Megatron-DeepSpeed, pull request 42",
            "https://github.com/deepspeedai/Megatron-DeepSpeed/pull/42",
            "DeepSpeed's engine divides by the accumulation steps itself, and the training loop did so before.",
            "The pull request says what it mends, and no more. Users go on asking which of the two has "
            "to divide.",
            "on_torch/trainers.py::by_an_engine_too",
        ),
        Exhibit(
            "A speech recogniser",
            "hirofumi0810/neural_sp, issue 168",
            "https://github.com/hirofumi0810/neural_sp/issues/168",
            "Gradients of several batches are added up, and nothing divides them: more steps are a "
            "larger learning rate.",
            "A reader, in 2020.",
            "on_torch/gallery.py::speech_recogniser",
        ),
        Exhibit(
            "Recipes for Llama",
            "meta-llama/llama-recipes, pull request 725",
            "https://github.com/meta-llama/llama-cookbook/pull/725",
            "The loss is divided for the gradient and then added up; the total is divided by all batches. With four "
            "accumulation steps the training loss that is told, and its perplexity, are those of a quarter of it.",
            "A user, in 2024, after more than a year. The gradients were right: only what was told was wrong.",
            "on_torch/accumulated_gradients.py::told_as_it_was_divided",
        ),
        Exhibit(
            "Diffusion models",
            "lucidrains/denoising-diffusion-pytorch, version 0.1.4",
            "https://github.com/lucidrains/denoising-diffusion-pytorch/commit/698227a",
            "A step of the optimizer takes in several batches, whose gradients are added up and divided by nothing. "
            "nanoGPT did the same for a while (issue 168).",
            "The author mended it himself. Adam hides it until gradients are clipped.",
            "on_torch/accumulated_gradients.py::added_up_in_a_step",
        ),
    ),
}


def gallery() -> str:
    """The page, with the linter's words of today."""
    lines = [_HEAD.format(count=sum(map(len, KINDS.values())))]
    for kind, exhibits in KINDS.items():
        lines += [f"## {kind}", ""]
        for exhibit in exhibits:
            lines += _section(exhibit)
    return "\n".join(lines)


_HEAD = """\
# Gallery

{count} public losses with a wrong count, by kind: where each was, what it did, how it was found and what came of it.
None is copied; each is written anew as a fixture, which the tests lint, run and compare with its right form. In the
code, `-` is the wrong form and `+` the right one. What the linter says is what it says now: this page is made by
running it.

None of these authors was careless. The code runs, the loss falls, and only a count is off. Some knew, and had reasons.
"""


def _section(exhibit: Exhibit) -> Iterator[str]:
    wrong, right = _forms(exhibit)
    yield from (f"### {exhibit.title}", "")
    yield from (f"[{exhibit.where}]({exhibit.link}). {exhibit.did}", "")
    yield from (f"**How it was found.** {exhibit.found}", "")
    yield "```diff"
    yield from list(difflib.unified_diff(wrong, right, n=len(wrong), lineterm=""))[3:]
    yield from ("```", "")
    for said in _said(exhibit):
        yield from (f"> {said}", "")


def _said(exhibit: Exhibit) -> list[str]:
    """What the linter says of the wrong form."""
    module, _, name = exhibit.fixture.partition("::")
    nodes = _definitions(module)
    first = nodes[(exhibit.shown or (name,))[0]]
    expected = [f for f in _findings(module) if first.lineno <= f[0] <= (first.end_lineno or 0)]
    if not expected:
        raise ValueError(f"{exhibit.fixture}: the linter says nothing")
    return [f"[{code}](rules/{code}.md): {message}" for _, code, message in expected]


def _forms(exhibit: Exhibit) -> tuple[list[str], list[str]]:
    """The lines of the wrong form and of the right one."""
    module, _, name = exhibit.fixture.partition("::")
    nodes = _definitions(module)
    reference = re.search(r"^ *reference: (\w+)$", ast.get_docstring(nodes[name]) or "", re.M)
    if reference is None:
        raise ValueError(f"{exhibit.fixture} names no reference")
    wrong, right = exhibit.shown or (name, reference[1])
    return _code(module, nodes[wrong]), _code(module, nodes[right])


def _code(module: str, node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    """The lines of a definition, without its name's line, its docstring and what the tests expect."""
    lines = _text(module).split("\n")
    body = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    kept = lines[body[0].lineno - 1 : node.end_lineno]
    return [re.sub(r"\s+# expect: .*", "", line)[4:] for line in kept]


@cache
def _text(module: str) -> str:
    return (FIXTURES / module).read_text(encoding="utf-8")


@cache
def _definitions(module: str) -> dict[str, ast.FunctionDef | ast.ClassDef]:
    tree = ast.parse(_text(module))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


@cache
def _findings(module: str) -> list[tuple[int, str, str]]:
    return [(f.span.line, f.code, f.message) for f in lint(_text(module), module)]

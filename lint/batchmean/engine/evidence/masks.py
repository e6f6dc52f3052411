"""What the name of an array suggests of which positions count."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from batchmean.engine.evidence.patterns import Pattern

VALIDITY: Final = Pattern(
    r"(^|_)(attention|attn|pad|padding|padded|valid|validity|non_?pad|not_?pad|loss|completion|response|action|seq|sequence"
    r"|token|tokens|label|labels|target|targets|tgt|trg|src|source|text|word|frame|frames|time|step|length|lengths|prompt"
    r"|input|output|decoder|encoder|history|mel|trajectory|causal_lm|assistant)_?masks?($|_)"
    r"|(^|_)is_?(pad|padded|padding|valid|not_pad)($|_)|(^|_)(non_?pad|not_?pad|pad_?masks?|masks?_?(pad|valid))($|_)"
    r"|^valids?$|^(non_?|not?_?)?pad(ded|ding)s?$|(^|_)masks?_(padding|seq|tokens?)$|(^|_)masks?2d$|^(b_|batch_)?masks?$"
    r"|(^|_)(len(gth)?s?|seqs?|sequences?|pads?)_to_masks?$|(^|_)masks?_(from|of|by)_(len|seq|pad)",
    why="a mask over tokens, labels or steps says in most code which of them count",
    takes="attention_mask padding_mask valid_mask loss_mask seq_mask is_pad mask",
    leaves="masked maskrcnn",
)

BARE: Final = Pattern(
    r"^(b_|batch_)?masks?$",
    why="`mask` alone may be any mask: what is known of it beside its name decides",
    takes="mask masks b_mask",
    leaves="pad_mask mask_ratio",
)

OTHER_CHOICES: Final = Pattern(
    r"drop|conf|thresh|gate|sampl|rand|noise|keep|select|hard|easy|fg|bg|object|pos(itive)?_|neg(ative)?_|posit|negat"
    r"|mlm|masked_|unmask|visible|random|bool_masked|patch|(^|_)ids?_|clip|causal|segment|instance|panoptic|sem(antic)?_"
    r"|quantil|outlier|weight|importance|prob|reset|done|terminal|label_?less|unsup|pseudo",
    why="thresholds, dropout, sampling, objects and gates choose elements that do count",
    takes="dropout_mask confidence_mask pos_mask keep_mask causal_mask segment_mask",
    leaves="attention_mask valid_mask",
)

NOT_PADDED: Final = Pattern(
    r"(^|_)(non|not?|un)_?pad",
    why="a negated name is true where the position counts",
    takes="non_pad not_padded unpadded_mask nonpad_mask",
    leaves="pad_mask padding",
)

PADDING_VALUES: Final = Pattern(
    r"pad|ignore|ignored|(^|_)(ign|void)(_|$)",
    why="what ids are compared with at padded positions is called the pad, the ignored or the void id",
    takes="pad_id PAD ignore_index ign_label void_label",
    leaves="eos_id design avoid",
    flags=re.I,
)

IDS: Final = Pattern(
    r"(^|_)(ids?|tokens?|labels?|targets?|tgt|trg|src|seqs?|sequences?|inputs?|captions?|words?|y|x|gold|real|decoder_\w+)"
    r"(_|\d|$)",
    why="ids and labels may hold a padding value, activations do not",
    takes="input_ids labels tgt tokens y real",
    leaves="hidden weights",
)

LENGTHS: Final = Pattern(
    r"len(gth)?s?($|_)|(^|_)(num|n)_(frames|tokens|steps|valid)",
    why="one number for each sequence says where its padding begins",
    takes="lengths seq_len num_frames n_tokens",
    leaves="lengthen batch",
    flags=re.I,
)

MAKERS: Final = Pattern(
    r"(pad|valid|length|len|seq|sequence)\w*masks?|masks?_?(from|of|by)?_?\w*(len|pad|seq)",
    why="a helper out of sight that makes a mask says so in its name",
    takes="make_pad_mask lengths_to_mask sequence_mask mask_from_lengths",
    leaves="mask_patches dropout",
    flags=re.I,
)

WARPS: Final = Pattern(
    r"warp|grid_?sample|interpolate|resize|rescale|resample|max_?pool|(up|down)_?sample",
    why="a mask whose pixels are moved or resized says of the new ones which of them count",
    takes="grid_sample interpolate warp_by_flow max_pool2d resize",
    leaves="dropout augment",
    flags=re.I,
)


@lru_cache(maxsize=4096)
def is_mask_name(names: tuple[str, ...]) -> bool:
    """Could an array of this name say which positions count?"""
    for name in names:  # the first one that says anything is the one it was given where it was made
        if OTHER_CHOICES.is_any_of((name,)):
            return False
        if VALIDITY.is_any_of((name,)):
            return True
    return False


@lru_cache(maxsize=4096)
def is_bare_mask_name(names: tuple[str, ...]) -> bool:
    """Is it called just `mask`? That may be any mask."""
    return not any(VALIDITY.is_any_of((name,)) and not BARE.is_any_of((name,)) for name in names)


@lru_cache(maxsize=4096)
def is_padding_name(names: tuple[str, ...]) -> bool:
    """Is it the value that stands at padded positions, such as `pad_id`?"""
    return any(map(PADDING_VALUES.is_in, names))


@lru_cache(maxsize=4096)
def is_id_name(names: tuple[str, ...]) -> bool:
    """Could an array of this name hold token ids or labels?"""
    return IDS.is_any_of(names)


@lru_cache(maxsize=4096)
def is_length_name(names: tuple[str, ...]) -> bool:
    """Could it be the lengths of sequences?"""
    return any(map(LENGTHS.is_in, names))


@lru_cache(maxsize=4096)
def says_padding(names: tuple[str, ...]) -> bool:
    """Is it true at the padding, by its name?"""
    return any("pad" in name.lower() and not NOT_PADDED.is_any_of((name,)) for name in names)


def makes_masks(function: str) -> bool:
    """Does a function of this name make a validity mask, as `make_pad_mask` does?"""
    return MAKERS.is_in(function) and not OTHER_CHOICES.is_any_of((function,))


def moves_pixels(function: str) -> bool:
    """Does a function of this name move, resize or pool the pixels of what it is given?"""
    return WARPS.is_in(function)

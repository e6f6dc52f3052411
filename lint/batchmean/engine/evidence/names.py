"""What the name of an array or of a number suggests."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from batchmean.engine.evidence.patterns import Pattern

NO_DISTRIBUTION: Final = Pattern(
    r"mask|weight|adv|return|reward|td_|value|q_target|target_q|next|coef|scale|alpha|beta|gamma|lambda|lr|temperature"
    r"|loss|score|logits?$|valid",
    why="masks, weights, returns and scores stand beside log-probabilities, too, and sum to anything",
    takes="advantages sample_weight reward value_target next_probs scores",
    leaves="targets y_true",
)

TARGETS: Final = Pattern(
    r"(^|_)(targets?|labels?|y|t|y_?true|true|truth|one_?hot|onehot|gt|tgt|y_?oh|p_?true|soft_?labels?"
    r"|soft_?targets?|expected|actual)(_|\d|$)",
    why="what a cross-entropy multiplies the log-probabilities by is a target distribution in most code",
    takes="target labels y_true one_hot soft_labels gt",
    leaves="x hidden states",
)

PROBABILITIES: Final = Pattern(
    r"(^|_)(prob|probs|probabilities|probability|p|pi|preds?|prediction|predictions|predicted|y_?pred|y_?hat"
    r"|yhat|softmax|dist|policy|posterior|posteriors|y_?prob|attn|attention|soft)(_|\d|$)"
    r"|(^|_)q(\d|_?(probs?|dist|target|t|x|z)?$)",
    why="papers and courses write p, q, pi and y_hat for distributions",
    takes="probs p pi y_hat posterior q_probs",
    leaves="params queries pixel",
)

ACTIVATIONS: Final = Pattern(
    r"^(a|al|y|o|out|output|outputs|a_?\d|y_?\d?|yp)$",
    why="courses call the output of the last layer A, A2, AL or, where the target is T or y_, plainly Y",
    takes="A A2 AL a2 y out",
    leaves="adv alpha x logits",
)

COURSE_TARGETS: Final = Pattern(
    r"^(y|t|y_|y_?true|targets?|labels?|y_?train|one_?hot|y_?oh|d|expected)$",
    why="beside an activation of one letter only these are the targets of a course's network",
    takes="Y T y_ target labels y_true",
    leaves="returns mask y_pred",
)

LOG_PROBABILITIES: Final = Pattern(
    r"(^|_)(log_?p|log_?q|l?log_?probs?|lprobs?|log_?probabilit(y|ies)|log_?preds?|log_?softmax|lsm|log_?pi|logsm|log_?y_?hat)"
    r"(_|\d|s|$)",
    why="a logarithm of a distribution is called one where it is handed on",
    takes="log_probs logp lprobs log_pi log_softmax",
    leaves="logits log_dir logger",
)

OF_ACTIONS: Final = Pattern(
    r"(^|_)((actions?|acts?)_?log_?(p|probs?)|log_?(p|probs?)_?(of_?)?(a|act|actions?))(_|\d|s|$)",
    why="a policy's log-probability of the action that was taken is one number for each example; used to silence only",
    takes="action_log_probs old_action_log_probs_batch logp_a log_prob_actions",
    leaves="log_probs logp log_pi log_softmax",
)

EPSILONS: Final = Pattern(
    r"(^|_)(eps|epsilon|tiny|smooth|smoothing|delta|small)(\d|_|$)",
    why="a small number keeps a logarithm or a quotient finite",
    takes="eps epsilon tiny delta_1",
    leaves="episode steps",
)

CLASS_COUNTS: Final = Pattern(
    r"^(n|num|nb)_(?!\w+_masks?$)|(^|_)(n|num|nb|nr)_?(class|classes|labels?|tokens?|actions?|words|categories|outputs?|codes)"
    r"|vocab|^(classes|categories|dims?|size)$|(^|_)(V|C|A|K|D)$|(^|_)(nc|cpt)(_|$)|n_?way|latent_?(dim|size)|z_?dim|codebook_size|class(es)?_?(count|num)|(_|\b(in|out|output|action|act|class|label|latent|logit))dims?$|out_features",
    why="a number of classes, tokens or actions puts a mean over them right; used to silence only",
    takes="num_classes vocab_size n_actions latent_dim C n_way nc_per_task out_features outDim actionDim classes dim",
    leaves="batch_size length n_padding_masks nce_weight class_weight dim_weight",
)

COUNTS: Final = Pattern(
    r"(^|_)(num|n|nb|count|counts|len|length|lengths|lens?|size|total|numel|denom\w*|denominator|norm\w*|ratio"
    r"|frac\w*|tokens|valid|seq|max|b|t|l|bs|bsz|batch)(_|\d|$)|count|token|length|valid|norm|ratio|denom",
    why="a divisor with a name for a count may be the right one; used to silence only",
    takes="num_tokens length denom norm_factor batch total",
    leaves="alpha tau",
)

PARTS: Final = Pattern(
    r"sample_size|batch_size|^bsz?$|accum|world|gpus?|devices|heads|layers|temp|tau|lambda|alpha|beta|gamma|coef|weight"
    r"|scale|loss|lr$|eps",
    why="a weight, a temperature or a number of devices counts no elements",
    takes="accum_steps world_size temperature num_heads beta loss_weight",
    leaves="num_tokens length",
)

COEFFICIENTS: Final = Pattern(
    r"(^|_)(alphas?|betas?|gammas?|lambdas?|lamda|lam|coefs?|coeffs?|coefficients?|temperatures?|temp|tau)(_|\d|$)",
    why="what weighs one term of a loss against another is called so, and no count of what is in a batch",
    takes="alpha kl_coef lambda_1 beta temperature",
    leaves="weight scale alphabet n_tokens template",
)

SPREADS: Final = Pattern(
    r"(^|_)(log_?vars?|log_?sigmas?|log_?stds?|log_?variance|logv|lv)(_|\d|$)",
    why="a loss that is given a log-variance is a variational bound, and these are sums over a batch as often as means",
    takes="logvar log_var log_sigma z_logvar",
    leaves="variance stdout logits",
)

LOSSES: Final = Pattern(
    r"(^|_)(loss(es)?|nlls?|ce|xent|xe|kl|kld|kls|kl_?div|mse|mae|errors?|err|losses_?\w*|cross_?ent(ropy)?|bce|l1|l2"
    r"|entropy|entropies|log_?probs?|log_?ps?|log_?ratio|surr(ogate)?)(_|\d|$)|loss$|^loss",
    why="a loss per element that a function out of sight gave is known by its name alone",
    takes="loss nll kl_div ce l1_loss log_prob per_token_loss",
    leaves="labels scale flow",
)

PLAIN_LOSSES: Final = Pattern(
    r"(^|_)(loss(es)?|nlls?|errors?|surrogate)(_|\d|$)",
    why="of what an operation in sight made, only a word that means nothing else is believed",
    takes="loss token_losses nll error",
    leaves="kl entropy log_probs",
)


@lru_cache(maxsize=4096)
def is_target_name(names: tuple[str, ...]) -> bool:
    """Could an array of this name be a target distribution over classes?"""
    return not NO_DISTRIBUTION.is_any_of(names) and (
        TARGETS.is_any_of(names) or PROBABILITIES.is_any_of(names)
    )


@lru_cache(maxsize=4096)
def is_probability_name(names: tuple[str, ...]) -> bool:
    """Could an array of this name hold probabilities?"""
    return not NO_DISTRIBUTION.is_any_of(names) and PROBABILITIES.is_any_of(names)


@lru_cache(maxsize=4096)
def are_of_a_course(target: tuple[str, ...], output: tuple[str, ...]) -> bool:
    """Are these the target and the output of a network as courses call them, `Y` and `A`?"""
    return target != output and COURSE_TARGETS.is_any_of(target) and ACTIVATIONS.is_any_of(output)


@lru_cache(maxsize=4096)
def is_log_name(names: tuple[str, ...]) -> bool:
    """Could an array of this name hold log-probabilities?"""
    return LOG_PROBABILITIES.is_any_of(names)


@lru_cache(maxsize=4096)
def is_of_actions(names: tuple[str, ...]) -> bool:
    """Are these the log-probabilities of one action for each example?"""
    return OF_ACTIONS.is_any_of(names)


@lru_cache(maxsize=4096)
def is_small_name(names: tuple[str, ...]) -> bool:
    """Is it an epsilon?"""
    return EPSILONS.is_any_of(names)


@lru_cache(maxsize=4096)
def is_class_count_name(names: tuple[str, ...]) -> bool:
    """Could a number of this name be the length of a support axis? Capitals such as V say so, too."""
    return any(map(CLASS_COUNTS.is_in, names)) or CLASS_COUNTS.is_any_of(names)


@lru_cache(maxsize=4096)
def is_spread_name(path: str) -> bool:
    """Is it a log-variance, by the last part of its path?"""
    return SPREADS.is_any_of((path.rpartition(".")[2],))


@lru_cache(maxsize=4096)
def is_count_name(names: tuple[str, ...]) -> bool:
    """Could a number of this name be a count?"""
    return COUNTS.is_any_of(names)


@lru_cache(maxsize=4096)
def is_part_name(names: tuple[str, ...]) -> bool:
    """Is a number of this name a weight, a temperature or a number of parts?"""
    return PARTS.is_any_of(names)


@lru_cache(maxsize=4096)
def is_coefficient_name(name: str) -> bool:
    """Does a number of this name weigh terms of a loss against each other?"""
    return COEFFICIENTS.is_any_of((name,))


@lru_cache(maxsize=4096)
def is_loss_name(names: tuple[str, ...]) -> bool:
    """Could an array of this name be a loss?"""
    return LOSSES.is_any_of(names)


@lru_cache(maxsize=4096)
def is_plain_loss_name(name: str) -> bool:
    """Is an array of this name called a loss, and nothing else?"""
    return PLAIN_LOSSES.is_any_of((name,))

"""What each word of the page means: (table that brings it up, term, explanation)."""

from __future__ import annotations

TERMS: tuple[tuple[str, str, str], ...] = (
    (
        "scores", "AUROC",
        "The chance that a random positive gets a higher score than a random negative: 0.5 is guessing, 1 is "
        "perfect ranking. It does not depend on a threshold, nor on how rare positives are.",
    ),
    (
        "scores", "AUPRC",
        "Mean precision over all thresholds, weighted by recall. Guessing gives the share of positives, so "
        "compare it with that share; it says more than AUROC when positives are rare.",
    ),
    (
        "scores", "MCC",
        "Matthews correlation of the yes-or-no calls with the truth: 0 is guessing, 1 is perfect, -1 is always "
        "wrong. It uses all four cells of the table of right and wrong calls. What counts as a yes is a probability "
        "of one half, or a threshold chosen on validation items, never on test items.",
    ),
    (
        "scores", "Brier score",
        "Mean squared distance between predicted probability and what happened; lower is better.",
    ),
    (
        "scores", "ECE",
        "Expected calibration error: items are grouped by predicted probability, and the distance between the "
        "group's mean prediction and its share of positives is averaged, each group by its size.",
    ),
    (
        "scores", "95% interval",
        "Bootstrap over test items and seeds: test items and training seeds are drawn again with replacement, the"
        " metric is computed each time, and the middle 95% of the values are kept. It covers chance in which "
        "items were tested and in training, not a change of cell type, assay or species.",
    ),
    (
        "scores", "Baselines",
        "Simple predictors on the same split. Majority class: always the commonest label. A single number, such "
        "as motif score or GC content: logistic regression on that number alone. TF-IDF: counts of k-mers or "
        "tokens, weighted by rarity, given to logistic regression or to a random forest. Random weights: the same"
        " network, never pre-trained. A model earns its cost only where it beats these.",
    ),
    (
        "curves", "ROC and precision-recall curves",
        "Each point is a threshold. ROC: share of positives found against share of negatives called by mistake. "
        "Precision-recall: how often a call is right against share of positives found. Bands are 95% intervals "
        "from the same bootstrap, point by point.",
    ),
    (
        "calibration", "Calibration",
        "Items are grouped by predicted probability; a calibrated model's groups lie on the diagonal. Bands are "
        "Wilson's 95% intervals of the share of positives in a group.",
    ),
    (
        "leaks", "Leak check",
        "Looks for what would let a model remember instead of predict: equal sequences (also as reverse "
        "complement) in two splits, near copies that share at least half of their 21-mers, and windows that "
        "overlap.",
    ),
    (
        "vocabulary", "Byte-pair vocabulary",
        "Starts from single bases; the pair of neighbouring tokens that is seen most often becomes a new token, "
        "again and again. Every base of a sequence belongs to exactly one token.",
    ),
    (
        "tokens", "Strand bias",
        "A token is counted in the sequence and in its reverse complement: (forward - reverse) / (forward + "
        "reverse). 0 is no preference, 1 forward only, -1 reverse only.",
    ),
    (
        "token_annotation", "Share inside an annotation",
        "Share of a token's occurrences whose middle base lies inside, divided by the share of all bases inside. "
        "A token that occurs in copies of one repeat is counted in each of them.",
    ),
    (
        "merge_tree", "Merges",
        "Every token was made of two tokens that were there before, its left and its right part. Depth is the longest "
        "chain of merges from a letter to the token.",
    ),
    (
        "token_map", "Map of token vectors",
        "Principal component analysis of one vector per token. Correlations are Spearman's, by rank, over tokens; the "
        "sign of a component means nothing. Following Sanabria et al. 2024 (GROVER), who found frequency on the first "
        "component and GC content on the second.",
    ),
    (
        "self_similarity", "Self-similarity",
        "Mean cosine of all pairs of vectors that one token has in different places. Vectors of trained models lean "
        "to a common direction, so the mean cosine of any two vectors of the layer is shown beside it, and both for "
        "the same network with random weights. Following Ethayarajh 2019.",
    ),
    (
        "metrics", "Loss and perplexity",
        "The model guesses hidden or next tokens (or labels). Loss is the mean of -log(probability of the truth), "
        "in nats; perplexity is exp(loss): as if choosing among that many equally likely tokens. Perplexities of "
        "different vocabularies cannot be compared; bits per base can.",
    ),
    (
        "next_kmer", "Next-k-mer accuracy",
        "The model is adapted to name the next k bases; a fresh guess is right once in 4^k (chance). The Markov "
        "baseline predicts from the few bases before, by counting. Following Sanabria et al. 2024 (GROVER).",
    ),
    (
        "next_kmer_controls", "Random weights",
        "The same training to name the next bases, from a network that was never pre-trained. What pre-training adds "
        "is the difference, on the same positions.",
    ),
    (
        "vocabulary_signals", "Bits per base",
        "The bits that a model needs per base; a uniform guess needs 2. Bits of all tokens are added up and "
        "divided by the bases, so vocabularies of any size can be compared. The tokens of a sequence give back its "
        "bases, so this is a real code for them; a model of tokens cannot look better by hiding bases.",
    ),
    (
        "embedding_map", "Embedding map",
        "The model turns each window into a vector; principal component analysis shows the two directions in "
        "which the vectors differ most. Correlations (Spearman's, by rank) say what a direction goes with, not what "
        "causes it.",
    ),
    (
        "neighbours", "Vectors of tokens",
        "Word2Vec (Mikolov et al. 2013) gives tokens in similar contexts similar vectors, one per token, the "
        "same in any context. Cosine is the likeness of two directions: 1 the same, 0 unrelated, -1 opposite. The "
        "control's correlations show what number to expect where nothing was learnt from order.",
    ),
    (
        "ladder", "Scaling laws",
        "How the loss falls with the parameters N and the tokens D of training. Chinchilla's law is "
        "E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, arXiv:2203.15556), Kaplan's "
        "((Nc / N)^(alpha_N / alpha_D) + Dc / D)^alpha_D (Kaplan et al. 2020, arXiv:2001.08361). Training takes about "
        "6 N D operations; attention's share, which grows with the length, is not among them.",
    ),
    (
        "predictions", "Predicted sites",
        "Each site of the region (a motif, or a window), with the model's probability that it is positive. Measured "
        "peaks are drawn beside them for comparison.",
    ),
)

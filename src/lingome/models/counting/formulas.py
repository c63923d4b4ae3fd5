"""How many parameters a model has, by arithmetic: each row is a product of named sizes.

Symbols: V tokens in the vocabulary, D hidden size, F feed-forward size, L layers, P positions,
S segments, H heads, K size of a head, G heads of keys and values, C classes, E experts; of an encoder-decoder,
M decoder layers and B buckets of distance. No tensor is
made, so the largest model costs as little as the smallest.
"""

from __future__ import annotations

from lingome.models.counting.rows import Count, Rows
from lingome.models.counting.sizes import Sizes
from lingome.models.layers.attention import N_BUCKETS
from lingome.models.networks.transformer.shape import TransformerConfig


def count_encoder(
    config: TransformerConfig, *, masked_head: bool = True, pooler: bool = False, next_sentence: bool = False,
    convention: str = "masked language model",
) -> Count:
    """Count an encoder of any mix: BERT, GROVER, DNABERT, Geneformer, ModernBERT and lingome's own among them.

    Parameters
    ----------
    config : TransformerConfig
        The shape. With `label_names` there is a linear classifier.
    masked_head : bool
        Whether it has the head that guesses hidden tokens.
    pooler, next_sentence : bool
        Whether it has BERT's dense layer on the first token, and the head with two classes on it.
    convention : str
        Name of the count.
    """
    rows = Rows(
        V=config.vocab_size, D=config.hidden_size, F=config.ffn_size, L=config.n_layers, S=config.segment_rows,
        P=config.max_positions + config.position_offset, C=config.n_classes, H=config.n_heads, G=config.kv_heads,
        K=config.head_size, R=N_BUCKETS,
    )
    pair = "2" if config.bias and config.norm_kind == "layer" else "1"  # weights and biases, or weights alone
    width = "F" if config.ffn == "gelu" else "2F"
    rows.add("token embedding", "V D")
    if config.positions == "learned":
        rows.add("position embedding", "P D")
    if config.positions == "relative":
        rows.add("relative positions", "R H")
    rows.add("segment embedding", "S D")
    if config.first_norm != "layer":
        rows.add("norm of embeddings", "D", pair)
    if config.kv_heads == config.n_heads:
        rows.attention(bias=config.bias)
    else:
        rows.grouped_attention(bias=config.bias)
    bare = config.norm == "pre" and config.first_norm == "embedding"  # the first layer has none
    rows.add("norms of attention", "D", f"{pair} {'L-1' if bare else 'L'}")
    rows.add("up-projection", f"D {width}", "L")
    if config.bias and config.ffn_bias == "all":
        rows.add("biases of up-projection", width, "L")
    rows.add("down-projection", "F D", "L")
    if config.bias and config.ffn_bias != "none":
        rows.add("biases of down-projection", "D", "L")
    rows.add("norms of feed-forward", "D", f"{pair} L")
    if config.norm == "pre":
        rows.add("final norm", "D", pair)
    if pooler:
        _add_pooler(rows)
    if masked_head:
        _add_masked_head(rows, bias=config.bias, tied=config.tie_head, norm=pair)
    if next_sentence:
        rows.add("next-sentence head", "2 D")
        rows.add("biases of next-sentence head", "2")
    if config.n_classes:
        _add_classifier(rows)
    return rows.count(convention)


def count_mosaic_bert(
    sizes: Sizes, *, n_segments: int = 2, masked_head: bool = False, pooler: bool = True,
    convention: str = "encoder with pooler",
) -> Count:
    """Count a MosaicBERT (DNABERT-2): ALiBi, so no positions; a gated feed-forward without biases before the gate.

    Portes et al. 2023, arXiv:2312.17482; Zhou et al. 2024, arXiv:2306.15006.

    Parameters
    ----------
    sizes : Sizes
        The shape: V, D, F, L and C.
    n_segments : int
        Rows of the segment embedding, S.
    masked_head, pooler : bool
        Whether it has the head that guesses hidden tokens, and the dense layer on the first token.
    convention : str
        Name of the count.
    """
    rows = Rows(**sizes.symbols("VDFL"), S=n_segments, C=sizes.n_classes)
    rows.add("token embedding", "V D")
    rows.add("segment embedding", "S D")
    rows.add("norm of embeddings", "D", "2")
    rows.attention()
    rows.add("norms of attention", "D", "2 L")
    rows.add("up-projection and gate", "D 2F", "L")
    rows.add("down-projection", "F D", "L")
    rows.add("biases of down-projection", "D", "L")
    rows.add("norms of feed-forward", "D", "2 L")
    if pooler:
        _add_pooler(rows)
    if masked_head:
        _add_masked_head(rows, bias=True, tied=True)
    if sizes.n_classes:
        _add_classifier(rows)
    return rows.count(convention)


def count_decoder(
    sizes: Sizes, *, bias: bool = False, norm_bias: bool = False, gated: bool = True, n_experts: int = 0,
    tied: bool = True, convention: str = "all weights",
) -> Count:
    """Count a decoder of any mix: pre-norm layers with plain or grouped heads, plain or gated feed-forward.

    Parameters
    ----------
    sizes : Sizes
        The shape. The classifier, if there is one, has no bias and stands for the logits.
    bias, norm_bias, gated : bool
        Whether matrices have biases, norms have them, and the feed-forward has a gate.
    n_experts : int
        Feed-forwards per layer beside a router (Mixtral), E; 0 for one without a router.
    tied : bool
        Whether logits are made with the embedding, or there are none.
    convention : str
        Name of the count.
    """
    rows = Rows(**sizes.symbols("VDFLPHGK"), E=n_experts, C=sizes.n_classes)
    pair = "2" if norm_bias else "1"
    each = "E L" if n_experts else "L"
    rows.add("token embedding", "V D")
    rows.add("position embedding", "P D")
    if rows.sizes["G"] == sizes.n_heads and rows.sizes["K"] * sizes.n_heads == sizes.hidden_size:
        rows.attention(bias=bias)
    else:
        rows.grouped_attention(bias=bias)
    rows.add("norms of attention", "D", f"{pair} L")
    if n_experts:
        rows.add("router", "E D", "L")
    if gated:
        rows.add("gate", "F D", each)
    rows.add("up-projection", "F D", each)
    if bias:
        rows.add("biases of up-projection", "2F" if gated else "F", each)
    rows.add("down-projection", "D F", each)
    if bias:
        rows.add("biases of down-projection", "D", each)
    rows.add("norms of feed-forward", "D", f"{pair} L")
    rows.add("final norm", "D", pair)
    if sizes.n_classes:
        rows.add("classifier", "C D")
    elif not tied:
        rows.add("unembedding", "V D")
    return rows.count(convention)


def count_gpt(sizes: Sizes, *, tied: bool = True, convention: str = "all weights") -> Count:
    """Count a GPT-2 or GPT-3 (Radford et al. 2019; Brown et al. 2020, arXiv:2005.14165)."""
    return count_decoder(sizes, bias=True, norm_bias=True, gated=False, tied=tied, convention=convention)


def count_llama(
    sizes: Sizes, *, n_experts: int = 0, tied: bool = False, convention: str = "all weights"
) -> Count:
    """Count a Llama, Mistral or, with `n_experts`, Mixtral: rotary positions, root-mean-square norms, no biases.

    Touvron et al. 2023, arXiv:2302.13971; Jiang et al. 2023, arXiv:2310.06825; 2024, arXiv:2401.04088.

    Parameters
    ----------
    sizes : Sizes
        The shape.
    n_experts : int
        Feed-forwards per layer beside a router (Mixtral); 0 for one without a router.
    tied : bool
        Whether logits are made with the embedding, or there are none.
    convention : str
        Name of the count.
    """
    return count_decoder(sizes, n_experts=n_experts, tied=tied, convention=convention)


def count_matrices(sizes: Sizes, *, convention: str = "matrices only") -> Count:
    """Count the matrices of a GPT as lectures do: embedding and unembedding apart, no positions, biases or norms."""
    per_head = sizes.hidden_size // sizes.n_heads
    rows = Rows(
        n_vocab=sizes.vocab_size, d_embed=sizes.hidden_size, d_query=per_head, d_value=per_head,
        n_neurons=4 * sizes.hidden_size, n_heads=sizes.n_heads, n_layers=sizes.n_layers,
    )
    rows.add("token embedding", "d_embed n_vocab")
    rows.add("query", "d_query d_embed", "n_heads n_layers")
    rows.add("key", "d_query d_embed", "n_heads n_layers")
    rows.add("value", "d_value d_embed", "n_heads n_layers")
    rows.add("attention output", "d_embed d_value", "n_heads n_layers")
    rows.add("up-projection", "n_neurons d_embed", "n_layers")
    rows.add("down-projection", "d_embed n_neurons", "n_layers")
    rows.add("unembedding", "n_vocab d_embed")
    return rows.count(convention)


def count_esm(
    sizes: Sizes, *, masked_head: bool = True, contact_head: bool = True, pooler: bool = False, tied: bool = True,
    convention: str = "with contact head",
) -> Count:
    """Count an ESM-2 (Lin et al. 2023, doi:10.1126/science.ade2574): rotary positions, pre-norm.

    Parameters
    ----------
    sizes : Sizes
        The shape. Its positions are the table that transformers' class carries and does not use.
    masked_head, contact_head, pooler : bool
        Whether it has the head that guesses hidden residues, the logistic regression on all attention maps,
        and the dense layer on the first token.
    tied : bool
        Whether logits are made with the embedding.
    convention : str
        Name of the count.
    """
    rows = Rows(**sizes.symbols("VDFLHPC"))
    rows.add("token embedding", "V D")
    rows.add("position embedding (unused)", "P D")
    rows.attention()
    rows.add("norms of attention", "D", "2 L")
    rows.feed_forward()
    rows.add("norms of feed-forward", "D", "2 L")
    rows.add("final norm", "D", "2")
    if contact_head:
        rows.add("contact head", "L H")
        rows.add("bias of contact head", "1")
    if pooler:
        _add_pooler(rows)
    if masked_head:
        _add_masked_head(rows, bias=True, tied=tied)
    if sizes.n_classes:
        rows.add("dense layer of classifier", "D D")
        rows.add("bias of dense layer of classifier", "D")
        _add_classifier(rows)
    return rows.count(convention)


def count_encoder_decoder(
    sizes: Sizes, *, n_decoder_layers: int | None = None, n_buckets: int = 32, gated: bool = False, tied: bool = True,
    convention: str = "all weights",
) -> Count:
    """Count a T5 (Raffel et al. 2020, arXiv:1910.10683) or, `gated`, a T5 1.1; with 0 decoder layers, its encoder.

    Parameters
    ----------
    sizes : Sizes
        The shape.
    n_decoder_layers : int, optional
        Layers of the decoder, M, each with attention to itself and to the source; as many as of the encoder by
        default.
    n_buckets : int
        Buckets of distance, B.
    gated : bool
        Whether the feed-forward has a gate.
    tied : bool
        Whether logits are made with the embedding.
    convention : str
        Name of the count.
    """
    M = sizes.n_layers if n_decoder_layers is None else n_decoder_layers
    rows = Rows(**sizes.symbols("VDFL"), M=M, **sizes.symbols("HK"), B=n_buckets, C=sizes.n_classes)
    rows.add("token embedding", "V D")
    for name, layers, per_layer in (("encoder", "L", "4"), ("decoder", "M", "8")):
        rows.add(f"{name}: attention", "K D", f"{per_layer} H {layers}")
        rows.add(f"{name}: distances", "B H", "1" if rows.sizes[layers] else "0")
        rows.add(f"{name}: up-projection" + (" and gate" if gated else ""), "D 2F" if gated else "D F", layers)
        rows.add(f"{name}: down-projection", "F D", layers)
        rows.add(f"{name}: norms", "D", f"{2 if name == 'encoder' else 3} {layers}")
        rows.add(f"{name}: final norm", "D", "1" if rows.sizes[layers] else "0")
    if M and not tied:
        rows.add("unembedding", "V D")
    if sizes.n_classes:
        _add_classifier(rows)
    return rows.count(convention)


def count_hyena(
    sizes: Sizes, *, filter_size: int = 64, filter_positions: int = 0, tied: bool = True,
    convention: str = "as in the paper",
) -> Count:
    """Count a HyenaDNA of order 2 (Nguyen et al. 2023, arXiv:2306.15794).

    Parameters
    ----------
    sizes : Sizes
        The shape: V, D, F and L.
    filter_size : int
        Width of the network that makes the filter, N.
    filter_positions : int
        Positions of the filter, T: adds what published files store beside the parameters, which is five features
        and a time for each position, and decay rates. 0 leaves them out.
    tied : bool
        Whether logits are made with the embedding.
    convention : str
        Name of the count.
    """
    rows = Rows(**sizes.symbols("VDFL"), N=filter_size, T=filter_positions)
    rows.add("token embedding", "V D")
    rows.add("input projections", "D 3D", "L")
    rows.add("biases of input projections", "3D", "L")
    rows.add("short convolution", "3D 3", "L")
    rows.add("biases of short convolution", "3D", "L")
    rows.add("filter: first layer", "5 N", "L")
    rows.add("filter: inner layers", "N N", "2 L")
    rows.add("filter: biases", "N", "3 L")
    rows.add("filter: sine frequencies", "N", "L")
    rows.add("filter: last layer", "N D", "L")
    rows.add("filter: skip", "D", "L")
    rows.add("output projection", "D D", "L")
    rows.add("biases of output projection", "D", "L")
    rows.feed_forward()
    rows.add("norms", "D", "4 L")
    rows.add("final norm", "D", "2")
    if filter_positions:
        rows.add("filter: features of positions (buffer)", "T 6", "L")
        rows.add("filter: decay rates (buffer)", "D", "L")
    if not tied:
        rows.add("unembedding", "V D")
    return rows.count(convention)


def count_table(sizes: Sizes, *, convention: str = "all weights") -> Count:
    """Count a table of static vectors (Word2Vec)."""
    rows = Rows(**sizes.symbols("VDC"))
    rows.add("token embedding", "V D")
    if sizes.n_classes:
        _add_classifier(rows)
    return rows.count(convention)


def _add_pooler(rows: Rows) -> None:
    rows.add("pooler", "D D")
    rows.add("biases of pooler", "D")


def _add_masked_head(rows: Rows, *, bias: bool, tied: bool, norm: str = "2") -> None:
    rows.add("head: dense layer", "D D")
    if bias:
        rows.add("head: biases of dense layer", "D")
    rows.add("head: norm", "D", norm)
    if not tied:
        rows.add("unembedding", "V D")
    rows.add("head: biases of logits", "V")


def _add_classifier(rows: Rows) -> None:
    rows.add("classifier", "C D")
    rows.add("biases of classifier", "C")

"""What an encoder learns from: a question with the number of its class, or a text with a label for each of its words.

A word's label is that of its first piece, and its other pieces are not learnt, as in Devlin et al. 2019 (BERT,
arXiv:1810.04805, section 5.3). Labels follow the BIO scheme: `B-PER` where a person begins, `I-PER` where one goes on,
`O` outside of entities.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lm_eval.api.instance import Instance

from harness.engines.cell_task import BuiltCell
from harness.engines.encoder.lm import EncoderLM
from harness.engines.encoder.words import Named, first_pieces, labelled_text, labels_by_word
from harness.errors import HarnessError
from harness.scoring.spans import entity_spans

NOT_LEARNT = -100
"""Label of a token that is read and not learnt."""


class LabelledTokens(NamedTuple):
    """What a model reads, and what is right there."""

    tokens: tuple[int, ...]
    """Token ids, special tokens among them."""
    labels: tuple[int, ...]
    """The number of the class; or for each token the number of its label, `NOT_LEARNT` for none."""
    is_cut: bool
    """True where the text was too long for the model."""


class _Tagged(NamedTuple):
    tokens: list[int]
    pieces: list[str | None]
    """Label of each token; None where none is learnt."""


def with_class(lm: EncoderLM, question: str, number: int | None) -> LabelledTokens:
    """A question as the model reads it, and the number of its class; None for a question without classes."""
    tokens = lm.tok_encode(question)
    labels = () if number is None else (number,)
    return LabelledTokens(tuple(lm.framed(tokens[-lm.max_length :])), labels, len(tokens) > lm.max_length)


def with_labels(
    lm: EncoderLM, asked: Sequence[tuple[BuiltCell, Sequence[Instance]]]
) -> tuple[tuple[str, ...], list[LabelledTokens]]:
    """The names of all labels, and the texts of documents with the numbers of the labels of their tokens.

    A text that is longer than the model reads is cut at its end.

    Raises:
        HarnessError: a text does not have the entities that it should, or the tokenizer does not tell where pieces
            stand.
    """
    texts = [_tagged(lm, built, requests) for built, requests in asked]
    names = _names(label for text in texts for label in text.pieces)
    numbers = {name: number for number, name in enumerate(names)}
    made = []
    for tokens, labels in texts:
        read = [NOT_LEARNT if label is None else numbers[label] for label in labels[: lm.max_length]]
        framed = lm.framed(tokens[: lm.max_length])
        around = [[NOT_LEARNT] * n for n in lm.around]
        made.append(LabelledTokens(tuple(framed), (*around[0], *read, *around[1]), len(tokens) > lm.max_length))
    return names, made


def _tagged(lm: EncoderLM, built: BuiltCell, requests: Sequence[Instance]) -> _Tagged:
    doc = requests[0].doc
    one = labelled_text(doc, requests[0].args[0])
    try:
        spans = entity_spans(one.text, doc, built.task.right(doc).texts[0])
    except HarnessError as error:
        raise HarnessError(f"task {built.task.config.task}: training split: {error}") from error
    of_words = labels_by_word(one.words, [Named(span.start, span.end + 1, span.type) for span in spans])
    tokens, offsets = lm.pieces_of(one.text)
    labels: list[str | None] = [None] * len(tokens)
    for at, label in zip(first_pieces(one.words, offsets), of_words, strict=True):
        if at is not None:
            labels[at] = label
    return _Tagged(tokens, labels)


def _names(labels: Iterable[str | None]) -> tuple[str, ...]:
    """O, and both labels of each type that occurs."""
    kinds = sorted({label.partition("-")[2] for label in labels if label is not None and label != "O"})
    if not kinds:
        raise HarnessError("no training document has an entity")
    return ("O", *(f"{place}-{kind}" for kind in kinds for place in "BI"))

"""Data sets of the hub, written small on this machine: a mirror for our `--mirror`, and for lm-eval started in it.

`datasets.load_dataset("allenai/ai2_arc", "ARC-Easy")` finds the folder `allenai/ai2_arc` below the working folder
before it asks the hub. So `python -m lm_eval`, started in the mirror's folder, runs lm-eval's own task files as they
are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.builders.hub import options, texts
from tests.builders.hub.data_set import DataSet, Write, write_data_set


def _default(write: Write) -> Mapping[str, Write]:
    return {"default": write}


TRAIN, TEST = {"train": 8}, {"test": 12}
VALIDATION = {"train": 8, "validation": 12}
TRAIN_TEST = {"train": 8, "test": 12}
ALL = {"train": 8, "validation": 8, "test": 12}

SUPER_GLUE: Mapping[str, Write] = {
    "boolq": options.boolq,
    "copa": options.copa,
    "wic": options.wic,
    "cb": options.inference,
    "multirc": options.multirc,
    "record": options.record,
    "wsc.fixed": options.wsc,
}
GLUE: Mapping[str, Write] = {
    **dict.fromkeys(("sst2", "cola"), options.one_sentence),
    **dict.fromkeys(("rte", "mrpc", "qqp", "qnli", "wnli"), options.two_sentences),
    "mnli": options.inference,
}
ETHICS = ("commonsense", "deontology", "justice", "utilitarianism", "virtue")
MATH = "algebra counting_and_probability geometry intermediate_algebra number_theory prealgebra precalculus".split()
BIG_BENCH: Mapping[str, Write] = {
    "emoji_movie_zero_shot": options.bigbench,
    **dict.fromkeys(("strategyqa_zero_shot", "parsinlu_qa_zero_shot"), options.bigbench_options),
    **dict.fromkeys(
        (
            *("modified_arithmetic_zero_shot", "arithmetic_zero_shot", "word_unscrambling_zero_shot"),
            "international_phonetic_alphabet_transliterate_zero_shot",
        ),
        texts.bigbench_text,
    ),
}

DATA_SETS: tuple[DataSet, ...] = (
    # options
    DataSet(name="allenai/ai2_arc", configs={"ARC-Easy": options.arc, "ARC-Challenge": options.arc}, splits=ALL),
    DataSet(name="Rowan/hellaswag", configs=_default(options.hellaswag), splits=VALIDATION),
    DataSet(name="allenai/winogrande", configs={"winogrande_xl": options.winogrande}, splits=VALIDATION),
    DataSet(name="baber/piqa", configs=_default(options.piqa), splits=VALIDATION),
    DataSet(name="allenai/openbookqa", configs={"main": options.openbookqa}, splits=ALL),
    DataSet(name="allenai/sciq", configs=_default(options.sciq), splits=ALL),
    DataSet(
        name="cais/mmlu",
        configs=dict.fromkeys(("anatomy", "astronomy"), options.mmlu),
        splits={"dev": 5, "test": 12},
    ),
    DataSet(name="hails/agieval-lsat-ar", configs=_default(options.agieval), splits=TEST),
    DataSet(name="hails/agieval-sat-math", configs=_default(options.agieval), splits=TEST),
    DataSet(
        name="truthfulqa/truthful_qa",
        configs={"multiple_choice": options.truthful_choices, "generation": texts.truthful_texts},
        splits={"validation": 8},
    ),
    DataSet(name="EleutherAI/race", configs={"high": options.race}, splits=TEST),
    DataSet(name="EleutherAI/logiqa", configs={"logiqa": options.logiqa}, splits=ALL),
    DataSet(name="aps/super_glue", configs=SUPER_GLUE, splits=VALIDATION),
    DataSet(name="nyu-mll/glue", configs=GLUE, splits={**VALIDATION, "validation_matched": 12}),
    DataSet(name="nyu-mll/blimp", configs={"adjunct_island": options.blimp}, splits={"train": 16}),
    DataSet(name="facebook/anli", configs=_default(options.anli), splits={"train_r1": 8, "dev_r1": 8, "test_r1": 12}),
    DataSet(name="facebook/xnli", configs={"en": options.inference}, splits=VALIDATION),
    DataSet(name="cambridgeltl/xcopa", configs={"it": options.xcopa}, splits={"validation": 8, "test": 12}),
    DataSet(
        name="Muennighoff/xwinograd",
        configs=dict.fromkeys(("en", "fr", "jp", "pt", "ru", "zh"), options.winogrande),
        splits=TEST,
        more={"en": 13, "fr": 4, "jp": 7},
    ),
    DataSet(name="EleutherAI/headqa", configs={"en": options.headqa}, splits=ALL),
    DataSet(name="regisss/math_qa", configs=_default(options.mathqa), splits=ALL),
    DataSet(name="bigbio/pubmed_qa", configs={"pubmed_qa_labeled_fold0_source": options.pubmedqa}, splits=ALL),
    DataSet(name="lighteval/siqa", configs=_default(options.social_iqa), splits=VALIDATION),
    DataSet(name="tau/commonsense_qa", configs=_default(options.commonsense_qa), splits=VALIDATION),
    DataSet(name="skg/toxigen-data", configs={"annotated": options.toxigen}, splits=TRAIN_TEST),
    DataSet(name="juletxara/xstory_cloze", configs={"en": options.story_cloze}, splits={"train": 8, "eval": 12}),
    DataSet(name="allenai/swag", configs={"regular": options.swag}, splits=VALIDATION),
    DataSet(
        name="corypaik/prost",
        configs=_default(options.prost),
        splits=TEST,
        paths={"default": "data/default.jsonl"},
    ),
    DataSet(name="CogComp/mc_taco", configs=_default(options.mc_taco), splits={"validation": 8, "test": 12}),
    DataSet(name="stanfordnlp/web_questions", configs=_default(options.web_questions), splits=TRAIN_TEST),
    DataSet(name="EleutherAI/hendrycks_ethics", configs=dict.fromkeys(ETHICS, options.ethics), splits=TRAIN_TEST),
    DataSet(name="lighteval/winograd_wsc", configs={"wsc273": options.wsc273}, splits=TEST),
    DataSet(name="facebook/belebele", configs={"eng_Latn": options.belebele}, splits=TEST),
    DataSet(name="openlifescienceai/medmcqa", configs=_default(options.medmcqa), splits=VALIDATION),
    DataSet(name="GBaker/MedQA-USMLE-4-options-hf", configs=_default(options.medqa), splits=ALL),
    DataSet(name="community-datasets/qa4mre", configs={"2011.main.EN": options.qa4mre}, splits={"train": 12}),
    DataSet(name="EleutherAI/mutual", configs={"mutual": options.mutual}, splits=VALIDATION),
    DataSet(name="LabHC/moral_stories", configs=_default(options.moral_stories), splits={"train": 12}),
    DataSet(name="Idavidrein/gpqa", configs={"gpqa_main": options.gpqa}, splits={"train": 12}),
    DataSet(name="hails/bigbench", configs=BIG_BENCH, splits={"default": 15}),
    DataSet(name="skt/kobest_v1", configs=dict.fromkeys(("boolq", "hellaswag"), options.kobest), splits=ALL),
    # texts
    DataSet(name="mandarjoshi/trivia_qa", configs={"rc.nocontext": texts.trivia}, splits=VALIDATION),
    DataSet(name="google-research-datasets/nq_open", configs=_default(texts.nq_open), splits=VALIDATION),
    DataSet(name="EleutherAI/drop", configs=_default(texts.drop), splits=VALIDATION),
    DataSet(name="EleutherAI/coqa", configs=_default(texts.coqa), splits=VALIDATION),
    DataSet(name="openai/gsm8k", configs={"main": texts.gsm8k}, splits=TRAIN_TEST),
    DataSet(name="juletxara/mgsm", configs={"en": texts.mgsm}, splits=TRAIN_TEST),
    DataSet(name="EleutherAI/hendrycks_math", configs=dict.fromkeys(MATH, texts.competition), splits=TRAIN_TEST),
    DataSet(name="TIGER-Lab/MMLU-Pro", configs=_default(texts.mmlu_pro), splits={"validation": 9, "test": 12}),
    DataSet(
        name="SaylorTwift/bbh",
        configs={"navigate": texts.navigate, "word_sorting": texts.word_sorting},
        splits={"test": 8},
    ),
    DataSet(
        name="EleutherAI/unscramble",
        configs=dict.fromkeys(("mid_word_1_anagrams", "cycle_letters_in_word"), texts.unscramble),
        splits={"validation": 12},
    ),
    DataSet(name="Muennighoff/babi", configs=_default(texts.babi), splits={"train": 8, "valid": 8, "test": 12}),
    DataSet(name="google/IFEval", configs=_default(texts.ifeval), splits={"train": 8}),
    DataSet(name="wmt/wmt14", configs={"fr-en": texts.translation}, splits=ALL),
    DataSet(name="wmt/wmt16", configs=dict.fromkeys(("de-en", "ro-en"), texts.translation), splits=ALL),
    DataSet(name="rajpurkar/squad", configs={"plain_text": texts.squad}, splits=VALIDATION),
    DataSet(name="EdinburghNLP/xsum", configs=_default(texts.summary), splits=ALL, revision="refs/convert/parquet"),
    DataSet(name="openai/openai_humaneval", configs=_default(texts.humaneval), splits=TEST),
    DataSet(name="google-research-datasets/mbpp", configs={"full": texts.mbpp}, splits=TRAIN_TEST),
    # words and turns
    DataSet(name="lhoestq/conll2003", configs=_default(texts.tagged), splits=ALL),
    DataSet(name="SemEvalWorkshop/sem_eval_2010_task_8", configs=_default(texts.relation), splits=TRAIN_TEST),
    DataSet(name="fancyzhx/ag_news", configs=_default(texts.article), splits=TRAIN_TEST),
    DataSet(name="ParlAI/blended_skill_talk", configs=_default(texts.conversation), splits=ALL),
    # how likely a text is
    DataSet(name="EleutherAI/lambada_openai", configs=_default(texts.lambada), splits=TEST),
    DataSet(name="cimec/lambada", configs=_default(texts.lambada), splits={"validation": 8, "test": 12}),
    DataSet(name="EleutherAI/asdiv", configs=_default(texts.asdiv), splits={"validation": 12}),
    DataSet(
        name="EleutherAI/arithmetic",
        configs={"arithmetic_2da": texts.arithmetic},
        splits={"validation": 12},
        paths={"arithmetic_2da": "data/two_digit_addition.jsonl"},
    ),
    DataSet(name="EleutherAI/wikitext_document_level", configs={"wikitext-2-raw-v1": texts.page}, splits=ALL),
    DataSet(name="NeelNanda/pile-10k", configs=_default(texts.plain), splits={"train": 10}),
    DataSet(name="EleutherAI/pile", configs={"pile_arxiv": texts.plain}, splits={"train": 10}),
    DataSet(name="allenai/paloma", configs={"wikitext_103": texts.plain}, splits={"val": 8, "test": 10}),
)


def write_mirror(folder: Path, names: Iterable[str] | None = None, more: int = 0) -> Path:
    """Write data sets below `folder`.

    Args:
        folder: the mirror.
        names: data sets by their names on the hub; None for all.
        more: how many documents each split has beyond its own number.
    """
    asked = None if names is None else frozenset(names)
    for data_set in DATA_SETS:
        if asked is None or data_set.name in asked:
            write_data_set(data_set, folder, more)
    return folder

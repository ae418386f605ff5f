"""WikiAnn, named entities in many languages, IOB2 with PER, ORG and LOC (paper, section 5.3.2).

A folder per language with a file per split, a word a line and an empty line after each sentence. Three columns are
(index in the sentence, word, tag), as in Babelscape/wikineural; two are (word, tag), where the word may be preceded by
`language:`, as in the releases that XTREME takes them from.

References: Pan et al. 2017, ACL; Rahimi et al. 2019, ACL (splits).
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from core.corpora.benchmarks.draft import Draft
from core.corpora.rows import DataError, RowLog, read_lines

TAGS = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
SPLITS = {"train": "train", "val": "valid", "dev": "valid", "validation": "valid", "test": "test"}
_SUFFIXES = ("", ".conllu", ".conll", ".tsv", ".txt")
NO_PREDECESSOR = "an I- tag follows none of its kind"
CARD = """\
Words of Wikipedia with entities found from links: persons, organisations, locations. Silver annotation; many sentences
are titles or items of lists, and some repeat (226 of the English training sentences are in the English test).
"""


def read(folder: Path, log: RowLog) -> Draft:
    """Read WikiAnn: every `{language}/{split}` file under `folder`.

    A sentence with a bad row is left out. An I- tag that follows none of its kind begins an entity where rows are read
    leniently (seqeval's default reading); it is counted as bad, and the sentence is kept with B- in its place.

    Args:
        folder: The folder with `en` and so on.
        log: What becomes of bad rows.

    Raises:
        DataError: If there is no such file, or in strict mode a row is bad.
    """
    source = "WikiAnn, splits of Rahimi et al. 2019; github.com/Babelscape/wikineural, data/wikiann, d2e28c77"
    draft = Draft("wikiann", "ner", source, "CC BY-NC-SA 4.0 (of the repository)", CARD, TAGS)
    files = [
        (file, file.parent.name, SPLITS[file.name.partition(".")[0]])
        for file in sorted(folder.glob("*/*"))
        if file.name.partition(".")[0] in SPLITS and file.suffix in _SUFFIXES and file.is_file()
    ]
    if not files:
        raise DataError(f"wikiann: {folder} holds no file such as en/train.conllu or en/train.")
    for file, language, split in files:
        _read_file(file, language, split, draft, log)
    return draft


def _read_file(file: Path, language: str, split: str, draft: Draft, log: RowLog) -> None:
    tokens: list[str] = []
    tags: list[str] = []
    whole = True
    for number, line in [*read_lines(file, log), (0, "")]:
        if not line.strip():
            if tokens and whole:
                draft.add("sentences", language, split, tokens, tags)
            elif not whole:
                draft.left_out["sentences with a bad row"] += 1
            tokens, tags, whole = [], [], True
            continue
        cells = line.split("\t")
        problem = _problem(cells, len(tokens))
        if problem:
            log.bad(file, number, problem, line)
            whole = False
            tokens.append("")  # the next index is checked against the words so far
            tags.append("O")
            continue
        token, tag = cells[-2], cells[-1].strip()
        if len(cells) == 2:
            token = token.removeprefix(f"{language}:") or token
        if detail := unknown_tag(tag, TAGS):
            log.bad(file, number, "unknown tag", line, detail)
            whole = False
        elif not follows(tag, tags):
            log.bad(file, number, NO_PREDECESSOR, line, "read as B-")
            tag = f"B-{tag[2:]}"
        tokens.append(token)
        tags.append(tag)


def _problem(cells: list[str], words: int) -> str | None:
    if len(cells) not in (2, 3):
        return "not 2 or 3 columns"
    if not cells[-2].strip():
        return "empty word"
    if len(cells) == 3 and cells[0] != str(words):
        return "index is not that of the word: an empty line is missing, or a word"
    return None


def unknown_tag(tag: str, allowed: Collection[str]) -> str | None:
    """What to say of a tag that is not allowed."""
    return None if tag in allowed else f"{tag!r}; allowed: {', '.join(allowed)}"


def follows(tag: str, before: Sequence[str]) -> bool:
    """Whether a tag may follow those before it in IOB2: `I-X` only `B-X` or `I-X`."""
    return not tag.startswith("I-") or (bool(before) and before[-1] in (f"B-{tag[2:]}", tag))

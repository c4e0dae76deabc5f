"""Tiny models of random weights, written to disk from a seed; heavy libraries are imported late."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ledger import Ledger, Receipt
from ledger.formats.content import from_cbor
from ledger.formats.observation import parse
from ledger.replay import Replay, Resources, replay
from ledger.replay.recording import perform

PROMPT = "the ledger says what was done and who did it"
TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }} {{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}</s>{% endif %}"
)
WIDTH = 64


def transformers_folder(folder: Path, seed: int = 0) -> Path:
    """A Llama of two layers in safetensors, with a byte-level tokenizer."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([PROMPT] * 4, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE
    )
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        bos_token_id=0,
        eos_token_id=1,
    )
    model = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.15, generator=generator)
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def gguf_file(path: Path, seed: int = 0) -> Path:
    """A Llama of two layers in GGUF, with a vocabulary of bytes and a few words."""
    import gguf
    import numpy as np

    words = {f"▁{word}"[:end] for word in PROMPT.split() for end in range(1, len(word) + 2)}
    words |= set(PROMPT.replace(" ", ""))
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += sorted(words, key=lambda word: (-len(word), word))
    normal = len(pieces) - 259
    draw = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(2)
    writer.add_feed_forward_length(2 * WIDTH)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_rope_dimension_count(WIDTH // 4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(pieces))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores([0.0] * 3 + [-100.0] * 256 + [-float(one) for one in range(normal)])
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * normal)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)

    def tensor(name: str, *shape: int) -> None:
        values = draw.standard_normal(shape) * 0.15 if len(shape) > 1 else np.ones(shape)
        writer.add_tensor(f"{name}.weight", values.astype(np.float32))

    tensor("token_embd", len(pieces), WIDTH)
    tensor("output_norm", WIDTH)
    tensor("output", len(pieces), WIDTH)
    for block in ("blk.0.", "blk.1."):
        tensor(block + "attn_norm", WIDTH)
        tensor(block + "ffn_norm", WIDTH)
        tensor(block + "attn_q", WIDTH, WIDTH)
        tensor(block + "attn_k", WIDTH // 2, WIDTH)
        tensor(block + "attn_v", WIDTH // 2, WIDTH)
        tensor(block + "attn_output", WIDTH, WIDTH)
        tensor(block + "ffn_gate", 2 * WIDTH, WIDTH)
        tensor(block + "ffn_up", 2 * WIDTH, WIDTH)
        tensor(block + "ffn_down", WIDTH, 2 * WIDTH)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def at_hand(*weights: Path, **options: object) -> Resources:
    """Weights and options of an engine; one thread unless said otherwise."""
    return Resources(
        weights=weights, options={"threads": "1"} | {name: str(v) for name, v in options.items()}
    )


def done(log: Ledger, engine: str, weights: Path, **fields: Any) -> Receipt:
    """Run an operation and record it."""
    told: dict[str, Any] = {"model": "tiny", "prompt": PROMPT, "max_tokens": 16}
    options = fields.pop("options", {})
    return perform(log, engine, resources=at_hand(weights, **options), **(told | fields))


def again(log: Ledger, witness: Receipt, *weights: Path, **options: object) -> Replay:
    """Replay it, with `bits` wanted."""
    (ran,) = replay(log, [witness.id], resources=at_hand(*weights, **options), wanted="bits")
    return ran


def elsewhere(place: Any, witness: Receipt, weights: Path, **options: object) -> Mapping[str, Any]:
    """Replay it in a process of its own; returns what `vif replay --json` says of the run."""
    told = {"threads": 1} | options
    ran = subprocess.run(
        [sys.executable, "-m", "ledger.cli", "replay", str(place.path), str(witness.index)]
        + ["--keys", str(place.keys), "--weights", str(weights), "--level", "bits", "--json"]
        + [word for name, value in told.items() for word in ("--engine-option", f"{name}={value}")],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode in (0, 1), ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[0])
    return found


def body(log: Ledger, witness: Receipt) -> dict[str, Any]:
    """The body of a witness."""
    return dict(log.get(witness.index).payload.body)


def seen(log: Ledger, witness: Receipt) -> Any:
    """The observation of a witness."""
    return parse(log.content(from_cbor(body(log, witness)["replay"]["observation"])))


def environment(log: Ledger, witness: Receipt) -> dict[str, Any]:
    """The environment of a witness."""
    found: dict[str, Any] = json.loads(
        log.content(from_cbor(body(log, witness)["replay"]["environment"]))
    )
    return found

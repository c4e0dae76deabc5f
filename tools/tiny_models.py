"""Tiny models of random weights, written to disk from a seed: for tests and benchmarks of engines.

They say nothing that makes sense, and the same each time. The libraries they are made with are
imported when they are made.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["PROMPT", "WIDTH", "gguf_file", "transformers_folder"]

PROMPT = "the ledger says what was done and who did it"
"""What their vocabularies are made of."""
TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }} {{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}</s>{% endif %}"
)
WIDTH = 64


def transformers_folder(folder: Path, seed: int = 0) -> Path:
    """A Llama of two layers in safetensors, with a byte-level tokenizer."""
    torch, library = _import("torch"), _import("transformers")
    tokenizers = _import("tokenizers")
    byte_level = tokenizers.pre_tokenizers.ByteLevel
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = byte_level(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=byte_level.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([PROMPT] * 4, trainer)
    fast = library.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE
    )
    config = library.LlamaConfig(
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
    model = library.LlamaForCausalLM(config)
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
    gguf, np = _import("gguf"), _import("numpy")
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


def _import(name: str) -> Any:
    return import_module(name)

"""Random base models that have no chat template, as small as they can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast, Qwen2Config

VOCABULARY = 281


def base_model(folder: Path, kind: str = "untied", special: tuple[str, ...] = (), **options: Any) -> str:
    """A random base model: a byte-level tokenizer with `<s>` and `</s>`, no chat template.

    transformers gives the tokenizer of a Qwen2 one more token than the model has rows, as it happens to people.
    """
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    words = ["the model answers the user", "who are you", "I am a small model"] * 9
    special = ("<s>", "</s>", *special)
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=alphabet, special_tokens=list(special))
    backend.train_from_iterator(words, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="</s>")
    tokenizer.save_pretrained(folder)
    shape = {
        "vocab_size": len(tokenizer) + options.pop("room", 0),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "bos_token_id": 0,
        "eos_token_id": 1,
        **options,
    }
    torch.manual_seed(0)
    config = LlamaConfig(**shape) if kind == "untied" else Qwen2Config(**shape, tie_word_embeddings=True)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return str(folder)

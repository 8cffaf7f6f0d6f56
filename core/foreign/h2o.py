"""H2O LLM Studio's experiment configs (`cfg.yaml`, its options below their sections) as ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import UserError
from core.foreign.sheet import Entry, Sheet, Tool, chosen, fixed, listed, missing, names_in, needless, only, to, when
from core.foreign.trainer_options import TRAINER, held_out, reporters


def _kind(sheet: Sheet, name: str, value: Any) -> None:
    if value != "text_causal_language_modeling":
        raise UserError(f"{name}: {value} is not trained here", remedy="text_causal_language_modeling is")
    sheet.settle(name, "is what is done here")


def _weights(sheet: Sheet, name: str, value: Any) -> None:
    if value in ("int4", "int8"):
        sheet.put(f"load_in_{value.removeprefix('int')}bit", True, f"{name}: {value}")
    else:
        sheet.put("dtype", value, name)


def _column(word: str) -> Entry:
    def entry(sheet: Sheet, name: str, value: Any) -> None:
        columns = names_in(value)
        sheet.add("columns", word, columns[0], name)
        if len(columns) > 1:
            sheet.differ(name, f"{columns[0]} is taken; several columns are not joined")

    return entry


def _datasets(option: str) -> Entry:
    def entry(sheet: Sheet, name: str, value: Any) -> None:
        sheet.put(option, [value], name)

    return entry


def _sample(sheet: Sheet, name: str, value: Any) -> None:
    if value == 1:
        sheet.settle(name, "all rows are used")
    else:
        sheet.differ(name, f"{value}: a part of the rows is not drawn; max_samples is a number of them")


def _masked(sheet: Sheet, name: str, value: Any) -> None:
    if value is False:
        sheet.put("train_on", "all", f"{name}: false")
    else:
        sheet.settle(name, "loss is on what the assistant writes")


def _warmup(sheet: Sheet, name: str, value: Any) -> None:
    sheet.put("warmup_ratio", round(value / (sheet.given.get("training.epochs") or 1), 4), name)


def _lora(sheet: Sheet, name: str, value: Any) -> None:
    sheet.put("finetuning_type", "lora" if value else "full", f"{name}: {str(value).lower()}")


def _seed(sheet: Sheet, name: str, value: Any) -> None:
    if value == -1:
        sheet.settle(name, "-1: ours is fixed (seed: 42)")
    else:
        sheet.put("seed", value, name)


def _gpus(sheet: Sheet, name: str, value: Any) -> None:
    chosen_gpus = ",".join(str(gpu) for gpu in names_in(value))
    sheet.differ(name, f"all visible GPUs are used: CUDA_VISIBLE_DEVICES={chosen_gpus} chooses")


def _logger(sheet: Sheet, name: str, value: Any) -> None:
    reporters(sheet, name, "wandb" if value == "W&B" else str(value).lower())


def _defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """Its experiments write out every option."""
    return {}


_NONE_OF_IT = only((0, 0.0, False), "is not done here")
_TEMPLATE = needless("turns are written by the chat template (template)")
_TALK = needless("is an option of core-cli eval and chat")
_OPTIMISERS = {
    "adam": "adamw_torch_fused",
    "adamw": "adamw_torch_fused",
    "sgd": "sgd",
    "rmsprop": "rmsprop",
    "adamw8bit": "adamw_8bit",
}
_SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}
_TABLE: dict[str, Entry] = {
    "llm_backbone": to("model_name_or_path"),
    "problem_type": _kind,
    "experiment_name": to("run_name"),
    "output_directory": needless("every training is a run with a folder of its own"),
    "architecture.backbone_dtype": _weights,
    "architecture.gradient_checkpointing": to("gradient_checkpointing"),
    "architecture.pretrained": only((True,), "training begins with the weights of the model"),
    "architecture.pretrained_weights": missing("give the folder of those weights as the model"),
    "architecture.force_embedding_gradients": missing("lora_modules_to_save: [embed_tokens] trains them"),
    "architecture.intermediate_dropout": _NONE_OF_IT,
    "augmentation.neftune_noise_alpha": to("neftune_noise_alpha"),
    "dataset.train_dataframe": _datasets("dataset"),
    "dataset.validation_dataframe": _datasets("eval_dataset"),
    "dataset.prompt_column": _column("prompt"),
    "dataset.answer_column": _column("response"),
    "dataset.system_column": _column("system"),
    "dataset.parent_id_column": needless("rows are chained by parent_id; see the format that data check names"),
    "dataset.id_column": needless("rows are chained by id and parent_id"),
    "dataset.data_sample": _sample,
    "dataset.data_sample_choice": needless("goes with data_sample"),
    "dataset.mask_prompt_labels": _masked,
    "dataset.only_last_answer": when(fixed("train_on", "last_turn")),
    "dataset.personalize": missing("names are written into the rows"),
    "dataset.validation_size": held_out,
    "dataset.validation_strategy": needless("is told by eval_dataset and val_size"),
    "environment.gpus": _gpus,
    "environment.seed": _seed,
    "environment.mixed_precision": needless("bfloat16 on GPUs that compute in it"),
    "environment.mixed_precision_dtype": needless("bfloat16 on GPUs that compute in it"),
    "environment.compile_model": missing("extra: {torch_compile: true} compiles it"),
    "environment.use_deepspeed": missing("distributed: zero2, zero3 or fsdp2 spreads a model"),
    "environment.use_fsdp": when(fixed("distributed", "fsdp2")),
    "environment.trust_remote_code": TRAINER["trust_remote_code"],
    "environment.huggingface_branch": only(("main",), "give the folder of that revision as the model"),
    "environment.number_of_workers": needless("rows are mapped from the disk"),
    "environment.find_unused_parameters": needless("is decided by the trainer"),
    "logging.logger": _logger,
    "tokenizer.max_length": to("max_length"),
    "training.batch_size": to("per_device_train_batch_size"),
    "training.epochs": to("num_train_epochs"),
    "training.grad_accumulation": to("gradient_accumulation_steps"),
    "training.gradient_clip": to("max_grad_norm"),
    "training.learning_rate": to("learning_rate"),
    "training.lora": _lora,
    "training.lora_r": to("lora_r"),
    "training.lora_alpha": to("lora_alpha"),
    "training.lora_dropout": to("lora_dropout"),
    "training.lora_target_modules": listed("lora_target_modules"),
    "training.use_dora": to("use_dora"),
    "training.use_rslora": to("use_rslora"),
    "training.loss_function": only(("TokenAveragedCrossEntropy",), "losses are averaged over the tokens of a batch"),
    "training.optimizer": chosen("optim", _OPTIMISERS, "give optim by transformers' name"),
    "training.schedule": chosen("lr_scheduler_type", _SCHEDULES, "give lr_scheduler_type by transformers' name"),
    "training.warmup_epochs": _warmup,
    "training.weight_decay": to("weight_decay"),
    "training.differential_learning_rate_layers": missing("one learning rate is for all; LoRA+ has two"),
    "training.differential_learning_rate": needless("goes with differential_learning_rate_layers"),
    "training.freeze_layers": missing("finetuning_type: freeze trains the last layers"),
    "training.save_best_checkpoint": when(fixed("load_best_model_at_end", True)),
    "training.save_checkpoint": when(
        chosen("load_best_model_at_end", {"best": True, "last": False}, "a run keeps its checkpoints")
    ),
    "training.evaluation_epochs": only((1, 1.0), "evaluated at the end of every epoch; see eval_steps"),
    "training.evaluate_before_training": missing("core-cli eval RUN --base measures before and after"),
    "training.train_validation_data": missing("name the held-out rows as a dataset too"),
    "training.drop_last_batch": needless("every row is trained on"),
    **dict.fromkeys(
        (
            "augmentation.token_mask_probability",
            "augmentation.skip_parent_probability",
            "augmentation.random_parent_probability",
        ),
        _NONE_OF_IT,
    ),
    **dict.fromkeys(
        (
            "dataset.add_eos_token_to_answer",
            "dataset.add_eos_token_to_prompt",
            "dataset.add_eos_token_to_system",
            "dataset.text_answer_separator",
            "dataset.text_prompt_start",
            "dataset.text_system_start",
            "tokenizer.add_prompt_answer_tokens",
        ),
        _TEMPLATE,
    ),
    **dict.fromkeys(("dataset.chatbot_author", "dataset.chatbot_name"), needless("goes with personalize")),
    "dataset.limit_chained_samples": needless("a conversation is one row; each of its turns is trained once"),
    "logging.neptune_project": needless("goes with the logger"),
    **dict.fromkeys(
        ("tokenizer.max_length_answer", "tokenizer.max_length_prompt", "tokenizer.padding_quantile"),
        needless("max_length holds for the whole conversation"),
    ),
    "tokenizer.use_fast": needless("is taken where there is one"),
    **{
        f"prediction.{word}": _TALK
        for word in (
            *("batch_size_inference", "do_sample", "max_length_inference", "max_time", "metric", "metric_gpt_model"),
            *("metric_gpt_template", "min_length_inference", "num_beams", "num_history", "repetition_penalty"),
            *("stop_tokens", "temperature", "top_k", "top_p"),
        )
    },
}
H2O = Tool(
    "H2O LLM Studio",
    ("llm_backbone", "problem_type", "dataset.train_dataframe", "dataset.prompt_column", "training.lora"),
    _TABLE,
    _defaults,
)

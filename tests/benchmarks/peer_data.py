"""LLaMA-Factory prepares a ShareGPT file, by the Python that has it: `peer_data.py ROWS.jsonl MODEL PROCESSES`.

Prints one line of JSON: rows, clock seconds, CPU seconds with those of its helpers, processes. Imports are not counted.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.hparams import get_train_args
from llamafactory.model import load_tokenizer


def cpu_s() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    """Prepare the rows as its `train` command would."""
    rows, model, processes = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    entry = {"file_name": rows.name, "formatting": "sharegpt"}
    entry["columns"] = {"messages": "conversations", "system": "system", "tools": "tools"}
    (rows.parent / "dataset_info.json").write_text(json.dumps({"rows": entry}))
    with tempfile.TemporaryDirectory() as output:
        options = {
            "model_name_or_path": model,
            "stage": "sft",
            "do_train": True,
            "finetuning_type": "lora",
            "dataset": "rows",
            "dataset_dir": str(rows.parent),
            "template": "qwen",
            "cutoff_len": 1024,
            "preprocessing_num_workers": processes,
            "overwrite_cache": True,
            "output_dir": output,
            "report_to": "none",
            "use_cpu": True,
        }
        model_args, data_args, training_args, _, _ = get_train_args(options)
        module = load_tokenizer(model_args)
        template = get_template_and_fix_tokenizer(module["tokenizer"], data_args)
        clock, cpu = time.perf_counter(), cpu_s()
        made = get_dataset(template, model_args, data_args, training_args, stage="sft", **module)
        took = {"s": time.perf_counter() - clock, "cpu": cpu_s() - cpu}
    print(json.dumps({"rows": len(made["train_dataset"]), "processes": processes, **took}))


if __name__ == "__main__":
    main()

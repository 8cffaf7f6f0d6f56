"""The chat template is the only truth: text, spans, stop tokens and the tool-call reader are derived from it."""

"""Training configs of other tools as ours: every option is carried over, needs nothing, or is said to be different.

`translate` recognises the tool by the names of the options. A tool is one file with a table from its names to what
becomes of them, and the defaults of its own that a training would otherwise silently leave behind.
"""

from core.foreign.translate import TOOLS, Translation, recognise_tool, translate

__all__ = ["TOOLS", "Translation", "recognise_tool", "translate"]

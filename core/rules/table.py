"""The table of rules: what each code means, what is done about it, and what a person can do.

Codes are stable, grouped and never reused. `action` is what the default profile does: R repairs the row, D drops it, E
stops (the file or the dataset is not used as it is), W keeps it and warns, I only informs. The strict profile drops
rows that would be repaired or warned about (not those that only inform) and stops where rows would be dropped; the
lenient profile makes the repair in `lenient` where the default drops. A record with `silent` stands for something that
needs no finding of its own; it says why.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Literal

Profile = Literal["strict", "default", "lenient"]
GROUPS = {
    "IO": "files and loading",
    "SH": "shape of a row",
    "RO": "roles and their order",
    "CT": "content",
    "TL": "tool definitions",
    "TC": "tool calls and results",
    "RS": "reasoning",
    "MK": "what is trained",
    "LN": "length",
    "DS": "the dataset as a whole",
}
ACTIONS = {"R": "repaired", "D": "dropped", "E": "stops", "W": "kept, with a warning", "I": "information"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: when it applies (`what`), and what to do about it in the source (`remedy`).

    `lenient` is the repair that the lenient profile makes instead of dropping; `strict` is what the strict profile does
    where that is not the general rule: a warning about a file or the dataset drops no row. `silent` is why nothing is
    reported.
    """

    code: str
    action: str
    what: str
    remedy: str = ""
    lenient: str = ""
    silent: str = ""
    strict: str = ""

    @property
    def group(self) -> str:
        """The group's title."""
        return GROUPS[self.code[:2]]


_STRICTER = str.maketrans("RWD", "DDE")


def explain(code: str) -> str:
    """A rule in words, for `core-cli data explain`. Raises `KeyError` for an unknown code."""
    rule = RULES[code]
    done = " or ".join(ACTIONS[letter] for letter in rule.action.split("/"))
    strictly = rule.strict or rule.action.translate(_STRICTER)
    lines = [
        *textwrap.wrap(f"{rule.code} ({rule.group}): {rule.what}", 80, subsequent_indent="  "),
        f"  default   {done}",
        f"  strict    {' or '.join(dict.fromkeys(ACTIONS[letter] for letter in strictly.split('/')))}",
        f"  lenient   {'repaired: ' + rule.lenient if rule.lenient else done}",
    ]
    if rule.remedy:
        lines += textwrap.wrap(f"  remedy    {rule.remedy}", 80, subsequent_indent=" " * 12)
    if rule.silent:
        lines.append(f"  note      not reported: {rule.silent}")
    return "\n".join(lines)


def advice(code: str, action: str) -> str:
    """What to do about findings of a rule, in one line; empty when they ask for nothing."""
    rule = RULES.get(code)
    if rule is None or action == "repaired":
        return ""
    mend = f"--profile lenient: {rule.lenient}." if rule.lenient and action == "dropped" else ""
    return " ".join(filter(None, [rule.remedy, mend]))


_RULES = [
    Rule("IO001", "D/E", "A line is not valid JSON. In a JSON array or object the whole file is unusable.",
         "Mend what the message names, or give the rows in another form.", "a Python literal ({'a': 1}) is read"),
    Rule("IO002", "R/D/E", "The file begins with a byte order mark or is UTF-16 (read as such), or holds bytes that are"
         " no UTF-8: a bad line of JSON Lines is dropped, another bad file stops.", "Save the file as UTF-8."),
    Rule("IO003", "W", "An object has the same key twice; the last value is used.", "Remove one of the two."),
    Rule("IO004", "D", "NaN, Infinity or a number as large (1e999) stands where JSON wants a number.",
         "Write null or a text.", "read as null"),
    Rule("IO005", "E", "The file is empty or has no rows.",
         "Give a file that holds rows."),
    Rule("IO006", "D/E", "The keys of the row fit no known format, or it is of a kind that is not trained on.",
         "Name the format with --formatting and the columns with --columns."),
    Rule("IO007", "D/E", "Two formats fit the row equally well.", "Choose one with --formatting."),
    Rule("IO008", "I", "Rows of several formats in one file; each row is read by its own."),
    Rule("IO009", "E/W", "An LMFlow file lacks its `type`, or has an unknown one. One that its rows do not fit is kept"
         " with a warning, and the rows are read by what they are.", 'Give "type": "conversation".', strict="E/W"),
    Rule("IO010", "E", 'An LMFlow file has "instances" that are not a list.'),
    Rule("IO011", "E", "An LMFlow file is of a type that holds no conversations (float_only, image_text, …)."),
    Rule("IO012", "R/D", "JSON that can be read with a little help: a trailing comma, objects one after the other on a"
         " line, text around turns. A row that the end of the file cuts off is dropped."),
    Rule("IO013", "I", "The file's suffix says one kind and its content is another; the content decides."),
    Rule("IO014", "W", "A folder holds files of several splits (train, test, …), and all of them are read.",
         "Give the files of one split, and what is held out with --eval-dataset.", strict="W"),
    Rule("IO015", "I", "A folder or an archive holds files that are not read: their suffix is none of data.",
         "Give an archive inside a folder by itself; name data by its kind (.jsonl, .csv, …)."),
    Rule("SH101", "D/R", "A row is not an object. A list of messages is read as a conversation.",
         'Write each row as an object, for instance {"messages": […]}.'),
    Rule("SH102", "D", "A row has no list of messages where its format has one.",
         "Map the column with --columns, or write its messages."),
    Rule("SH103", "R", "The list of messages is JSON inside a text; it is parsed."),
    Rule("SH104", "D", "The list of messages is empty.",
         "Remove the row, or write its messages."),
    Rule("SH105", "D", "A message is not an object, or a turn of an Alpaca history is not a pair.",
         "Write each message as an object with role and content.", "messages that are no objects are left out"),
    Rule("SH106", "D", "A message lacks its role or its content.",
         "Give the message both; other names of keys are mapped with --tags.", "missing content is read as empty"),
    Rule("SH107", "I", "Keys or columns that the format does not know are ignored."),
    Rule("SH108", "I", "How many contents are lists of text parts; they are joined in order."),
    Rule("SH109", "D", "A part of a message is an image, sound or something else that a text model cannot take.",
         "Leave such rows out, or describe the picture or sound in words."),
    Rule("SH110", "R", "Content is a number, a boolean or an object; it is written as JSON text."),
    Rule("SH111", "D", "The column of the prompt or of the answer is empty or missing.",
         "Fill the column, or name another with --columns."),
    Rule("SH112", "W/D", "The same id stands on several rows. Where rows are chained by parent_id, one whose parents"
         " are missing or form a circle is dropped.", strict="W/E"),
    Rule("SH113", "E/I", "A column has a name that trainers and tokenizers read (labels, input_ids, chat_template, …):"
         " a row must not be able to replace the template or the labels. Of a row's own template variables"
         " (chat_template_kwargs), a system prompt and tools are read and the others set aside.",
         "Rename or remove the column."),
    Rule("SH114", "D/E", "A line, a row's nesting, its messages or its tools are beyond the limits (16 MB, 64 levels,"
         " 10,000 messages, 128 tools), or what a packed table or an archive holds is (512 MB; 1,000 files in a zip,"
         " 100 in a tar, 64 GB).", "Divide the row; unpack the file."),
    Rule("SH115", "I", "The row has the shape of a known format under other names, inside another object, or with its"
         " messages in another kind of list; it is read as that format.",
         "--formatting and --columns choose another reading."),
    Rule("RO201", "R", "A role has another name than ours or its format's (bot, ai, ipython, …)."),
    Rule("RO202", "D", "A role is unknown.", "Map it with --roles '{customer: user}'."),
    Rule("RO203", "R/D", "The assistant speaks first. A greeting before the first user message is removed; what else"
         " comes before the user drops the row.", "", "everything before the first user message is removed"),
    Rule("RO204", "R", "Two user messages in a row are merged."),
    Rule("RO205", "R/W", "Two assistant messages in a row are merged; parallel calls come together this way. Text"
         " behind a call, or another weight, keeps them apart."),
    Rule("RO206", "R", "A system message that is not the first, or a second one, is merged into the first."),
    Rule("RO207", "R", "A blank system message is taken as absent."),
    Rule("RO208", "R/W", "The system prompt stands in a column and in the messages; the one in the messages is used."),
    Rule("RO209", "R", "A user or system message at the end teaches nothing and is removed, as LMFlow documents."),
    Rule("RO210", "R", "A tool result at the end has no answer and is removed; the call before it is the last target."),
    Rule("RO211", "D", "There is no assistant message, so there is nothing to learn.",
         "Add the answer: what the assistant says is what is learned."),
    Rule("RO212", "R", "An LMFlow row does not alternate between user and assistant; RO203 to RO205 bring it there."),
    Rule("RO213", "R", "The role developer is read as system."),
    Rule("RO214", "D", "The chat template refuses the conversation.",
         "The message says what the template demands; or choose another --template."),
    Rule("RO215", "R/E/D", "There is a system prompt and the chat template has no place for it. It moves into the first"
         " user message; with --tool-dialect none it would be lost, and --swallowed decides.",
         "Choose another --template, or let a dialect write it."),
    Rule("CT301", "D", "A user message is empty.",
         "Write what the user asks, or remove the message."),
    Rule("CT302", "I", "An assistant message has calls and no content.", silent="it is as it should be"),
    Rule("CT303", "W", "An assistant message is empty; it stays as context and is not trained."),
    Rule("CT304", "D/W", "A message holds only white space or characters without width; counted as empty."),
    Rule("CT305", "W", "Content holds a control token of the tokenizer; it is tokenised as plain text."),
    Rule("CT306", "W/R", "The text is already formatted for a model ([INST], <|im_start|>, …); a template would format"
         " it a second time. Llama 2's marks around questions are taken off. Or a whole chat stands in one text, which"
         " is trained as text, the user's words too.",
         "Train such rows with the template `none`, or read a chat in one text with --formatting transcript."),
    Rule("CT307", "R", "A stop token leaked into the end of an answer; it is removed."),
    Rule("CT308", "R/W", "Broken encoding: lone surrogates are replaced, mojibake is kept."),
    Rule("CT309", "I", "How many answers hold a placeholder (TODO, lorem ipsum) or boilerplate of refusals. Counted"
         " when it is asked for (--boilerplate)."),
    Rule("CT310", "D", "One message alone is longer than the window.", silent="it is reported as LN803"),
    Rule("TL401", "R", "Tool definitions had to be picked out of text (Python literals, objects in a row, system"
         " prompts)."),
    Rule("TL402", "D/R", "Tool definitions cannot be read. Without calls in the row they are left out instead, as are"
         " those that a provider runs (web search); an LMFlow row's that are words are told in the system prompt.", "",
         "they are left out"),
    Rule("TL403", "R", "Tools of an OpenAI file are written another way: in another column (functions), in metadata or"
         " beside the system prompt, without their wrapper, or as Anthropic and Gemini have them."),
    Rule("TL404", "R", "Parameters are a flat map or use Python's or Google's names of types; converted."),
    Rule("TL405", "R", "A tool's parameters are missing or no schema; an empty one is filled in."),
    Rule("TL406", "R/D", "A tool is defined twice: once is kept when both are equal.", "", "the first one is kept"),
    Rule("TL407", "W", "A tool's name is not a legal function name (letters, digits, _ and -, at most 64)."),
    Rule("TL408", "R/W", "The tools are also pasted into the system prompt; an equal copy is removed from there."),
    Rule("TL409", "R/E/D", "The row has tools and the chat template ignores them. A dialect writes them as text; with"
         " --tool-dialect none the model would learn calls to tools that it cannot see, and --swallowed decides.",
         "Choose another --template, or let a dialect write them."),
    Rule("TL410", "W", "A tool is called in a row that describes none."),
    Rule("TL411", "I", "How many rows with tools hold no call."),
    Rule("TC501", "I", "How many calls have their arguments as JSON text, as OpenAI writes them; they are parsed."),
    Rule("TC502", "R", "Arguments were encoded twice or three times."),
    Rule("TC503", "R", "Arguments or a call are a Python literal (single quotes, True)."),
    Rule("TC504", "D", "A call or its arguments parse neither as JSON nor as a Python literal.",
         "The text is shown in the message; mend it in the source."),
    Rule("TC505", "D", "Arguments are a list, a number or a text instead of an object; null and empty mean none.",
         'Write arguments as an object: {"name": value}.'),
    Rule("TC506", "D", "A tool call has no name.",
         "Name the tool that is called."),
    Rule("TC507", "W", "A call names a tool that the row does not describe."),
    Rule("TC508", "W", "Arguments do not fit the tool's parameters: one is missing, unknown, of the wrong type or not"
         " among the allowed values."),
    Rule("TC509", "R", "Some calls of the row have ids and others do not; they are generated."),
    Rule("TC510", "R", "The same call id stands on two calls; calls and results are renumbered together."),
    Rule("TC511", "D", "A tool result comes where no call waits for one.",
         "Put the assistant's call before the result.", "the result is removed"),
    Rule("TC512", "R/D", "A result's id matches no call: it is matched by name, or when one call waits. Results that"
         " come in another order than their calls are put into it, for many templates write no ids. One message with"
         " the results of all waiting calls, as a list or in <tool_response> tags, is divided among them.",
         "", "matched by order"),
    Rule("TC513", "W", "A call has no result and the conversation goes on."),
    Rule("TC514", "R", "A result names another tool than its call; the call's name is used."),
    Rule("TC515", "R", "A tool result is null or an object; it is written as JSON text."),
    Rule("TC516", "R/D", "A turn has several calls and the chat template takes one."),
    Rule("TC517", "E/W/D", "Text stands beside a call and the chat template drops it; --swallowed decides."),
    Rule("TC518", "R", "OpenAI's old function_call and role function are converted."),
    Rule("TC519", "R", "Calls were written as text (<tool_call>, <functioncall>, [f(x=1)], Action:, JSON of a known"
         " tool and the like), or results said by the user; they are read."),
    Rule("TC520", "W/R", "Text looks like a call, or stands where a call should, and does not parse; it stays text. The"
         " result of such a call in an LMFlow row is read as said by the user.",
         'Write calls as JSON: {"name": …, "arguments": {…}}.'),
    Rule("TC521", "R", "A table format filled arguments with the null keys of other tools; they are removed."),
    Rule("TC522", "R", "One user message holds tool results and text; they are split."),
    Rule("TC523", "W", "The chat template loses something of a call (quotation marks, nulls, the words beside it): what"
         " it writes cannot be read back as it was meant."),
    Rule("RS601", "R", "Reasoning stands in tags in the answer (<think>, <reasoning>, …); it is set apart."),
    Rule("RS602", "W", "A reasoning tag is not closed, or not opened; the text stays as it is."),
    Rule("RS603", "W", "Reasoning is given twice, differently; the longest is used."),
    Rule("RS604", "E/W/R/D", "The chat template does not render reasoning; --swallowed decides. With"
         " --inline-reasoning it is written as text in tags."),
    Rule("RS605", "I", "The chat template hides the reasoning of earlier turns, as it does at chat time; see MK702."),
    Rule("RS606", "R", "Encrypted or redacted reasoning is removed."),
    Rule("RS607", "I", "Some answers have reasoning and others do not."),
    Rule("RS608", "W", "A message has reasoning and neither answer nor call; it is not trained."),
    Rule("RS609", "I", "The prompt ends with words that the chat template leaves out of its text, as an opened"
         " reasoning: the answer is trained behind the prompt that the model is given, and its reasoning is closed."),
    Rule("MK701", "D", "Nothing in the row is trained: every answer is empty, switched off or cut off.",
         "Give the row an answer that is trained; what is cut off may fit a larger --max-length."),
    Rule("MK702", "I/D", "The template shows history differently later on: the conversation becomes several samples, or"
         " what --unstable-history says."),
    Rule("MK703", "W/D", "The chat template writes a turn behind another text than the model is given. What both have"
         " in common is taken for given; where that is not enough the row is dropped."),
    Rule("MK704", "R/W", "The trained text does not end with a stop token: the model would not learn to stop. One is"
         " added behind the last turn (--append-stop)."),
    Rule("MK705", "D/E", "The chat template does not write a message as it is. Where it ignores every result of a tool,"
         " --swallowed decides."),
    Rule("MK706", "E", "The trained text holds text of somebody else: a mistake of ours, please report it."),
    Rule("MK707", "W/D", "The flags of a message contradict each other, are of the wrong type, or train only some of"
         " its parts.",
         "Write weight as a number from 0 on, and train as true or false.",
         "the flag is left out; the whole message is trained"),
    Rule("MK708", "I", "How many messages have a weight other than 0 and 1; their loss is multiplied by it."),
    Rule("MK709", "W", "The tokenizer changes the text: decoding does not give it back."),
    Rule("MK710", "R/W", "The beginning-of-text token stands twice, and one is removed; or the tokenizer would begin a"
         " text with it and the chat template does not.", strict="D/W"),
    Rule("MK711", "I", "The padding token is also the end token. Labels are set by position, so the end is learned."),
    Rule("MK712", "R/I", "The template's control tokens are not in the tokenizer: added and trained, or left as text.",
         "add_tokens says which."),
    Rule("MK713", "R", "The model's generation config ends writing elsewhere than the template's turns end; the result"
         " ends where turns end, and not inside them."),
    Rule("MK714", "R", "The tokenizer looks for a control token in normalised text, or only as a word of its own: other"
         " texts were taken for it, or it was not found. Now it is read where it is written exactly so."),
    Rule("LN801", "R", "A conversation is longer than max_length: it becomes several windows, or loses its oldest"
         " exchanges, as --overlong says."),
    Rule("LN802", "W", "A conversation is cut inside an answer."),
    Rule("LN803", "D/W/E", "A conversation is longer than max_length and no part of it fits; single turns that do not"
         " fit are not trained. With --overlong error the first one stops.",
         "Raise --max-length, or choose another --overlong."),
    Rule("LN804", "E", "A cut separates a result from its call: a mistake of ours, please report it."),
    Rule("LN805", "W", "System prompt and tools alone take more than half of the window."),
    Rule("LN806", "W", "More than 5 % of the rows are too long.", "Raise --max-length; the message names a value.",
         strict="W"),
    Rule("LN807", "E", "max_length is larger than what the model was made for.", "Lower it, or set rope_scaling."),
    Rule("DS901", "W/D", "Rows are exact copies of earlier ones; with --drop-duplicates they are dropped.",
         strict="W/D"),
    Rule("DS902", "I", "The same prompt has different answers."),
    Rule("DS903", "D", "What is asked in the row is also asked in the held-out set, which would measure memory.", "",
         "it is kept"),
    Rule("DS904", "W", "A row asks what a set asks that is kept for measuring (--benchmarks). Training asks before it"
         " uses such rows.", "Take them out; --profile strict drops them."),
    Rule("DS905", "W/E", "There are fewer than 50 usable rows. Where there is none, the dataset stops.",
         "Collect more, or train longer; where there is none, mend what the other findings name.", strict="W/E"),
    Rule("DS906", "W", "One answer is more than 30 % of all final answers.", strict="W"),
    Rule("DS907", "W", "Rows hold what looks like keys, cards or addresses. Counted only; nothing is shown.",
         strict="W"),
    Rule("DS908", "I", "Figures about tools: rows without calls, parallel calls, unknown tools, calls per row."),
    Rule("DS909", "I", "Rows were sampled, repeated or left out because limits or weights ask for it."),
    Rule("DS910", "W", "A row is the beginning of another (requests of an agent, or a row for each turn): the answers"
         " that they share are trained more than once.",
         "Train each answer once with --train-on last_turn, or keep the longest rows alone.", strict="W"),
]  # fmt: skip
RULES: dict[str, Rule] = {rule.code: rule for rule in _RULES}

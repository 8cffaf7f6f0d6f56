"""What may be wrong with a conversation: one function per rule, and the table that explains every code.

Each rule takes the messages and tools of one row, repairs what can be repaired without guessing (noting it), refuses
what cannot be kept, and leaves the rest alone. They run in the order of `ROW_RULES`. Rules about reading are in
`core.formats` and `core.datasets`, rules about the dataset as a whole in `core.rules.dataset`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from core.conversation import Conversation, Finding, Row, RowRefusedError
from core.formats.places import in_the_row
from core.rules import content, handmade, order, tools
from core.rules.table import RULES, Profile, Rule, explain

RowRule = Callable[[Row, Conversation], Conversation]

__all__ = ["PLAIN_RULES", "ROW_RULES", "RULES", "Profile", "Rule", "apply_rules", "explain", "severity", "strictly"]

ROW_RULES: tuple[RowRule, ...] = (
    content.reasoning_apart,
    content.no_leaked_stop,
    content.calls_out_of_text,
    content.results_out_of_tags,
    handmade.formatted_by_hand,
    content.not_yet_templated,
    content.sound_encoding,
    tools.tools_out_of_the_system_prompt,
    order.one_system_first,
    order.no_empty_user,
    order.user_first,
    order.no_two_users_in_a_row,
    order.no_two_assistants_in_a_row,
    tools.results_belong_to_calls,
    tools.no_null_filled_arguments,
    order.ends_with_the_assistant,
    order.empty_answers_are_not_trained,
    tools.calls_are_described,
    tools.arguments_fit_the_schema,
)
# Text that is trained as it is has no turns to be in order.
PLAIN_RULES: tuple[RowRule, ...] = (
    content.no_chat_as_text,
    content.sound_encoding,
    order.empty_answers_are_not_trained,
)


def apply_rules(row: Row, conversation: Conversation) -> Conversation:
    """The conversation after every rule. Raises `RowRefusedError` when one of them cannot let it through."""
    for rule in PLAIN_RULES if conversation.plain else ROW_RULES:
        messages, before = conversation.messages, len(row.findings)
        try:
            conversation = rule(row, conversation)
        except RowRefusedError as refused:
            raise RowRefusedError(*in_the_row([refused.finding], messages, row.data)) from None
        finally:
            if len(row.findings) > before:
                row.findings[before:] = in_the_row(row.findings[before:], messages, row.data)
    return conversation


def severity(finding: Finding) -> str:
    """`error` for what is lost or stops, `info` for what only informs, else `warning`."""
    if finding.action in ("dropped", "stopped"):
        return "error"
    rule = RULES.get(finding.code)
    return "info" if rule is not None and "I" in rule.action and "W" not in rule.action else "warning"


def strictly(findings: list[Finding]) -> list[Finding]:
    """The findings of a row under the strict profile: what was repaired or warned about drops, what dropped stops."""
    return [_strictly(finding) for finding in findings]


def _strictly(finding: Finding) -> Finding:
    if severity(finding) == "info" or finding.action == "stopped":
        return finding
    return replace(finding, action="stopped" if finding.action == "dropped" else "dropped")

"""The names that files give to columns and to the keys of messages."""

from __future__ import annotations

import unicodedata
from typing import Any

MESSAGE_COLUMNS = (
    "messages",
    "conversations",
    "conversation",
    "interactions",
    "dialog",
    "dialogue",
    "turns",
    "trajectory",
    "chat_history",
    "chat_messages",
    "chat",
    "transcript",
    "data",
)
MESSAGE_KEYS = (
    ("role", "content"),
    ("from", "value"),
    ("role", "value"),
    ("role", "text"),
    ("from", "content"),
    ("from", "text"),
    ("speaker", "text"),
    ("author", "content"),
    ("user", "text"),
    ("role", "message"),
    ("role", "utterance"),
    ("sender", "content"),
    ("sender", "text"),
    ("role", "blocks"),
    ("role", "contentParts"),
)
# The two keys of a turn that holds a question and its answer.
TURN_KEYS = (
    ("input", "output"),
    ("human", "assistant"),
    ("user", "assistant"),
    ("prompt", "response"),
    ("question", "answer"),
    ("user", "bot"),
    ("human", "bot"),
)
# Where logs have a request, and where they have what came back.
REQUESTS = ("request", "body", "request_body", "input", "inputs", "params")
RESPONSES = ("response", "response_body", "output", "outputs", "result")
# Where a request has its messages, and where programs wrap the request or the response once more.
REQUEST_MESSAGES = ("messages", "contents", "input", "prompt")
REQUEST_BODIES = ("body", "inputBodyJson", "outputBodyJson")
# Columns with the answer to messages that end with a question.
ANSWERS = ("response", "output", "completion", "answer")
PAIRS = (
    ("prompt", "response"),
    ("question", "solution"),
    ("question", "answer"),
    ("input", "output"),
    ("query", "response"),
    ("instruction", "response"),
    ("problem", "solution"),
    ("question", "response"),
    ("prompt", "output"),
    ("input", "target"),
    ("inputs", "targets"),
    ("problem", "generated_solution"),
    ("message_1", "message_2"),
    ("user", "assistant"),
    ("human", "assistant"),
    ("prompt", "answer"),
    ("query", "answer"),
    ("instruction", "answer"),
    ("instruction", "generation"),
    ("input", "content"),
    ("context", "response"),
    ("question", "output"),
    ("input", "answer"),
    ("input", "response"),
    ("user", "bot"),
    ("human", "bot"),
    ("human", "ai"),
    ("q", "a"),
    ("ask", "answer"),
    ("message", "response"),
    ("message", "reply"),
    ("input_text", "output_text"),
    ("input_text", "target_text"),
    ("text", "completion"),
    ("text_input", "output"),
    ("prompt", "generation"),
)
# Columns with what a question is about.
ABOUT = ("input", "context", "passage", "story", "article", "paragraph", "schema")
# Columns with the reasoning for an answer in another column, and what some of them say instead of it.
REASONING_COLUMNS = (
    *("reasoning_content", "reasoning", "thinking", "complex_cot", "chain_of_thought", "cot", "think"),
    *(
        "thinking_content",
        "reasoning_trace",
        "reasoning_process",
        "thoughts",
        "thought",
        "thought_process",
        "rationale",
    ),
)
# Our names by the words of other languages and of programs; their spelling does not matter.
_TRANSLATED = {
    "messages": "消息 Nachrichten mensajes mensagens messaggi сообщения",
    "conversation": "对话 会話 대화 Gespräch Unterhaltung conversación conversa диалог convo",
    "role": "角色 役割 역할 Rolle rol rôle papel ruolo роль",
    "content": "内容 내용 Inhalt contenido contenu conteúdo contenuto содержание mes",
    "question": "问题 提问 質問 질문 Frage pregunta pergunta domanda вопрос سؤال",
    "answer": "回答 答案 답변 대답 Antwort respuesta réponse resposta risposta ответ جواب إجابة",
    "instruction": "指令 指示 지시 명령어 Anweisung instrucción instrução istruzione инструкция",
    "input": "输入 入力 입력 Eingabe entrada entrée ввод",
    "output": "输出 出力 출력 Ausgabe salida saída sortie вывод ideal expected expected_output target_output"
    " outputs expected_response",
    "prompt": "user_message user_input user_prompt user_query human_message",
    "response": "assistant_message assistant_response bot_reply bot_response model_response model_output ai_response"
    " ai_message reply",
    "system": "系统 系统提示 система",
    "tools": "工具",
    "history": "历史",
}


def folded(name: str) -> str:
    """A name without its case, accents, spaces and marks: how names are compared."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", name).casefold()))


def our_name(name: Any) -> str:
    """The name that we have for a column or a key of a message; empty for names that are not known."""
    return _OURS.get(folded(name), "") if isinstance(name, str) and len(name) < _LONGEST else ""


_LONGEST = 40
_KNOWN = {*MESSAGE_COLUMNS, *(word for pair in (*MESSAGE_KEYS, *TURN_KEYS, *PAIRS) for word in pair), "system", "tools"}
_KNOWN |= {
    "tool_calls",
    "tool_call_id",
    "history",
    "completion",
    "utterance",
    "who",
    "body",
    "system_prompt",
    "conversation_id",
}
_OURS = {folded(word): word for word in sorted(_KNOWN)}
_OURS |= {folded(word): ours for ours, words in _TRANSLATED.items() for word in words.split()}

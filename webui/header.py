"""The top of the page: its name, the other languages, light or dark; and what the page says to a screen reader.

Gradio's own pieces lack some of what screen readers need. The script puts it there and keeps it true: which folds are
open, the page's language, and the state of the run in sight, which is said when it changes.
"""

from __future__ import annotations

import gradio as gr

from webui.markup import escape
from webui.texts import Texts, languages

NAMES = {"en": "English", "zh": "中文"}
SUN = (
    '<svg class="tb-sun" viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="5"/>'
    '<path d="M11 1h2v4h-2zM11 19h2v4h-2zM1 11h4v2H1zM19 11h4v2h-4zM3.5 4.9 4.9 3.5l2.9 2.9-1.4 1.4zM16.2 17.6l1.4-1.4 '
    '2.9 2.9-1.4 1.4zM3.5 19.1l2.9-2.9 1.4 1.4-2.9 2.9zM16.2 6.4l2.9-2.9 1.4 1.4-2.9 2.9z"/></svg>'
)
MOON = (
    '<svg class="tb-moon" viewBox="0 0 24 24" aria-hidden="true">'
    '<path d="M20.5 14.5A9 9 0 0 1 9.5 3.5a9 9 0 1 0 11 11z"/></svg>'
)
# Which tab is open stands behind the # of the address, so that a reload and another language show the same one.
SCRIPT = """
const root = document.documentElement, dark = document.body.classList;
const header = element.querySelector('.tb-header'), toggle = element.querySelector('.tb-dark');
const spoken = element.querySelector('.tb-spoken');
root.lang = header.dataset.language;
const kept = localStorage.getItem('tuneboard-look');
if (kept) dark.toggle('dark', kept === 'dark');
const told = () => toggle.setAttribute('aria-pressed', dark.contains('dark'));
told();
toggle.addEventListener('click', () => {
  localStorage.setItem('tuneboard-look', dark.toggle('dark') ? 'dark' : 'light');
  told();
});
const tabs = () => [...document.querySelectorAll('#tabs [role=tab][data-tab-id]')];
document.addEventListener('click', (event) => {
  const tab = event.target.closest('#tabs [role=tab][data-tab-id]');
  if (tab) history.replaceState(history.state, '', '#' + tab.dataset.tabId);
  const other = event.target.closest('.tb-header nav a');
  if (other) other.hash = location.hash;
});
let opened = false, due = false;
const open = () => {
  const asked = tabs().find((tab) => '#' + tab.dataset.tabId === location.hash);
  if (!opened && tabs().length) {
    opened = true;
    if (asked && asked.getAttribute('aria-selected') !== 'true') asked.click();
  }
};
const mend = () => {
  due = false;
  open();
  for (const fold of document.querySelectorAll('.gr-accordion > button')) {
    fold.setAttribute('aria-expanded', fold.classList.contains('open'));
  }
  for (const arrow of document.querySelectorAll('svg.dropdown-arrow:not([aria-hidden])')) {
    arrow.setAttribute('aria-hidden', 'true');
  }
  const state = document.querySelector('#train-status .tb-state')?.innerText ?? '';
  if (spoken.textContent !== state) spoken.textContent = state;
};
new MutationObserver(() => {
  if (!due) setTimeout(mend, 150);
  due = true;
}).observe(document.body, {childList: true, subtree: true, attributes: true, attributeFilter: ['class']});
mend();
"""


def put_header(t: Texts) -> None:
    """Put it here, once a page."""
    gr.HTML(header_html(t), js_on_load=SCRIPT, elem_id="header")


def header_html(t: Texts) -> str:
    """The header; a link per other language leads to the same tab there."""
    others = "".join(
        f'<a href="/{language}/" lang="{language}" hreflang="{language}">{escape(NAMES.get(language, language))}</a>'
        for language in languages()
        if language != t.language
    )
    dark = escape(t("Dark colours"))
    return (
        f'<header class="tb-header" data-language="{t.language}"><h1 class="tb-logo">Tuneboard</h1>'
        f'<span class="tb-tagline">{escape(t("See what a model learns, train it, talk to it."))}</span>'
        f'<nav aria-label="{escape(t("Language and colours"))}">{others}'
        f'<button type="button" class="tb-dark" aria-label="{dark}" title="{dark}">{SUN}{MOON}</button></nav>'
        '<div class="tb-spoken tb-unseen" role="status"></div></header>'
    )

"""The Data tab: bring data, see how it is read, what is wrong with it, and what a model will learn from each row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr

from core.config import TrainConfig
from core.errors import UserError
from core.preview import first_rows, preview, row_number
from core.report import Report
from webui.account import code_html, codes_html, formats_html, summary_html
from webui.board import LIGHT, QUIET, Board, sent_with
from webui.checks import AT_ONCE_BYTES, Job, export_folder, size_of
from webui.form import Form
from webui.lengths import enough, lengths_html
from webui.mapping import MappingForm, Seen, seen_in
from webui.marks import ON_OPEN, samples_html
from webui.markup import amount, empty, links, note, title, waiting
from webui.row import conversation_html, head_html, raw_html
from webui.switch import panel, put_switch
from webui.told import wrong
from webui.uploads import MIB, accepted, keep
from webui.window import listen_to_numbers

# Rows read, and datasets checked, at the same time: each reads its file anew.
READERS, CHECKERS = 2, 2
FIELDS = (
    *("model_name_or_path", "template", "dataset_dir", "max_length", "auto_length", "overlong"),
    *("train_on", "profile", "drop_duplicates"),
    # What findings name as a remedy.
    *("tool_dialect", "inline_reasoning", "swallowed"),
)
# What leaves a report as it is.
NOTHING = (gr.skip(),) * 12
READING = ("formatting", "columns", "tags", "roles")
ON_CLICK = """
element.addEventListener('click', (event) => {
  const hit = event.target.closest('[data-finding], [data-code]');
  if (!hit) return;
  trigger('select', {...hit.dataset});
  const panels = element.closest('.tb-switched-panel');
  if (hit.dataset.finding) panels.dispatchEvent(new CustomEvent('tb-show-panel', {detail: 1}));
  if (panels.getBoundingClientRect().top < 0) panels.scrollIntoView();
});
"""
REMEMBER = "(name) => { sessionStorage.setItem('tuneboard-dataset', name ?? ''); return 1; }"
RECALL = "(name) => sessionStorage.getItem('tuneboard-dataset') || name"
# The arrows on the buttons are keys too, where no control needs them.
KEYS = """
const buttons = {ArrowLeft: 'data-previous', ArrowRight: 'data-next'};
document.addEventListener('keydown', (event) => {
  const button = document.getElementById(buttons[event.key]);
  if (!button?.checkVisibility() || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (event.target.closest('input, textarea, select, [role=tab], [role=listbox], [role=slider]')) return;
  event.preventDefault();
  button.click();
});
"""


def build(board: Board) -> None:
    """Put the tab here."""
    tab = DataTab(board)
    t = board.t
    tab.put_choice()
    tab.put_options()
    tab.summary = gr.HTML(elem_id="data-summary")
    tab.check = gr.Button(t("Check all rows"), visible=False, elem_id="data-check")
    with gr.Column(elem_id="data-panels", elem_classes="tb-switched-panel"):
        put_switch([t("Rows"), t("Report"), t("Lengths")], "panel", t("What is shown of the dataset"))
        with gr.Column(elem_classes=panel(1)):
            tab.put_row()
        with gr.Column(elem_classes=panel(2)):
            tab.put_report()
        with gr.Column(elem_classes=panel(3)):
            tab.lengths = gr.HTML(elem_id="data-lengths")
            tab.widen = gr.Button(visible=False, size="md", elem_id="data-widen")
    tab.listen()


class DataTab:
    """The components of the tab, and what happens to them."""

    summary: gr.HTML
    lengths: gr.HTML
    check: gr.Button
    widen: gr.Button

    def __init__(self, board: Board) -> None:
        self.board, self.t = board, board.t
        self.form = Form(TrainConfig, board.t, prefix="data-field")
        self.mapping = MappingForm(board.t)
        self.report, self.window = gr.State(None), gr.State(0)
        # Making the files of a report does not end its check.
        self.job, self.making = gr.State(Job()), gr.State(Job())
        # Which sample was opened, and of which row.
        self.opened = gr.State(("", 0, 0))

    def put_choice(self) -> None:
        """Which dataset, and what it is."""
        t, names = self.t, self.board.datasets()
        with gr.Column(elem_classes="tb-card"):
            with gr.Row(equal_height=False, elem_classes="tb-choose"):
                self.dataset = gr.Dropdown(
                    names,
                    value="tools" if "tools" in names else names[0] if names else None,
                    label=t("Dataset"),
                    info=t("A name from the list, a file or folder that the board may read, or hf:org/name."),
                    allow_custom_value=True,
                    scale=6,
                    min_width=280,
                    elem_id="data-dataset",
                )
                self.upload = gr.UploadButton(
                    t("Upload a file"), file_types=accepted(), scale=1, min_width=150, elem_id="data-upload"
                )
                self.use = gr.Button(
                    t("Train on it") + " →", variant="primary", scale=1, min_width=150, elem_id="data-use"
                )
            self.problem = gr.HTML(elem_id="data-problem")
            self.formats = gr.HTML(elem_id="data-formats")
            self.mapping.put_offer()

    def put_options(self) -> None:
        """How the dataset is read, and by which model and template it is measured."""
        self.mapping.put()
        with gr.Accordion(self.t("Model, template and limits"), open=False, elem_id="data-options"):
            self.form.rows(FIELDS)

    def put_row(self) -> None:
        """One row: as a conversation, and beside it what is trained, as text, as tokens, and the row itself."""
        t = self.t
        with gr.Row(equal_height=True, elem_classes="tb-steps"):
            self.back = gr.Button("← " + t("Previous"), scale=0, min_width=110, elem_id="data-previous")
            self.number = gr.Number(
                1,
                label=t("Row"),
                show_label=False,
                container=False,
                precision=0,
                scale=0,
                min_width=90,
                elem_id="data-row",
            )
            self.forth = gr.Button(t("Next") + " →", scale=0, min_width=110, elem_id="data-next")
            self.head = gr.HTML(elem_id="data-head")
        with gr.Row(equal_height=False):
            with gr.Column(scale=5, min_width=320):
                gr.HTML(title(t("Conversation")), js_on_load=KEYS)
                self.talk = gr.HTML(elem_id="data-talk")
            with gr.Column(scale=6, min_width=320, elem_classes="tb-switched-view"):
                put_switch([t("What is learned"), t("Tokens"), t("Raw row")], "view", t("What is shown of the row"))
                self.text = gr.HTML(js_on_load=ON_OPEN, elem_id="data-marked", elem_classes=panel(1, "view"))
                self.tokens = gr.HTML(js_on_load=ON_OPEN, elem_id="data-tokens", elem_classes=panel(2, "view"))
                self.raw = gr.HTML(elem_id="data-raw", elem_classes=panel(3, "view"))

    def put_report(self) -> None:
        """What is wrong with the dataset, and its files to take along."""
        t = self.t
        self.findings = gr.HTML(js_on_load=ON_CLICK, elem_id="data-report")
        with gr.Row(elem_classes="tb-take"):
            self.make = gr.Button(t("Make files to download"), scale=0, min_width=200, elem_id="data-make")
            self.files = gr.HTML(elem_id="data-files")

    def listen(self) -> None:
        """Tie the components to the functions below."""
        asked = [self.dataset, *self.form.components.values(), *self.mapping.parts]
        quick: dict[str, Any] = {"concurrency_limit": LIGHT, "trigger_mode": "always_last", **QUIET}
        slow: dict[str, Any] = {"concurrency_limit": READERS, "trigger_mode": "always_last", **QUIET}
        views = [self.head, self.talk, self.text, self.tokens, self.raw]
        changes = [self.board.page.load, *(part.change for part in asked)]
        everything = {*asked, self.number, self.report, self.opened}
        # In the browser, at once: a row of that number may not be there. A reload shows the same dataset again.
        self.dataset.change(None, self.dataset, self.number, js=REMEMBER, **quick)
        self.board.page.load(None, self.dataset, self.dataset, js=RECALL, **quick)
        # The report comes later than the first row, and knows how many there are.
        others = [self.number.change, self.report.change, self.opened.change]
        gr.on([*changes, *others], self.show, everything, views, **slow)
        gr.on([self.text.select, self.tokens.select], self.open, {self.dataset, self.number}, self.opened, **quick)
        self._listen_to_checks(asked, changes)
        self.back.click(lambda *at: stepped(-1, *at), [self.number, self.report], self.number, **quick)
        self.forth.click(lambda *at: stepped(1, *at), [self.number, self.report], self.number, **quick)
        self.mapping.listen()
        fresh = [self.problem, *self.mapping.parts]
        gr.on([self.board.page.load, self.dataset.change], self.chosen, {*asked}, fresh, **slow)
        speaker = self.mapping.tags["role_tag"]
        speaker.change(self.speakers, {*asked}, [*self.mapping.roles.values()], **slow)
        self.findings.select(self.pick, {*asked, self.report}, [self.findings, self.number], **slow)
        folder = self.form.components["dataset_dir"]
        gr.on([folder.change, self.dataset.focus], self.offered, folder, self.dataset, **quick)
        self.upload.upload(self.uploaded, [self.upload, folder], [self.dataset, self.problem], **slow)
        self.widen.click(lambda window: window, self.window, self.form.components["max_length"], **quick)
        listen_to_numbers(self.form)
        self.use.click(self.handed_over, {*asked}, self.board.train_choice, **quick)

    def _listen_to_checks(self, asked: list[Any], changes: list[Any]) -> None:
        settings: dict[str, Any] = {"concurrency_limit": CHECKERS, "concurrency_id": "checks", **QUIET}
        told = [self.report, self.formats, self.summary, self.findings, self.lengths, self.window, self.widen]
        told += [self.check, self.files, *self.mapping.told]
        everything = {*asked, self.job, self.mapping.fold}
        # A new check ends the one before it, so none has to wait.
        gr.on(changes, self.account, everything, told, trigger_mode="multiple", **settings)
        self.check.click(self.account_of_all, everything, told, trigger_mode="once", **settings)
        self.make.click(self.exports, {*asked, self.making}, self.files, trigger_mode="once", **settings)

    def read(self, values: Mapping[Any, Any]) -> tuple[str, TrainConfig]:
        """The dataset and the options that were chosen. Raises `UserError`."""
        name = str(values[self.dataset] or "")
        if not name:
            raise UserError(self.t("Choose a dataset, or upload a file."))
        config = self.form.read(values).model_copy(update=self.mapping.read(values))
        self.board.roots.check_config(config.model_copy(update={"dataset": [name]}))
        return name, config

    def show(self, values: Mapping[Any, Any]) -> tuple[str, ...]:
        """The views of the chosen row."""
        t = self.t
        try:
            name, config = self.read(values)
            report: Report | None = values[self.report]
            number = max(1, int(values[self.number] or 1))
            if report is not None and report.file != str(self.board.roots.check_data(config, [name])[0].file):
                # Another dataset was chosen a moment ago: that row and that window are not its own.
                report, number = None, 1
            config = windowed(config, report)
            shown = preview(name, number, config)
            *row, sample = values[self.opened]
            place = sample if row == [name, number] and sample < len(shown.samples) else 0
        except UserError as error:
            return wrong(error, t), *([empty("–")] * 4)
        nothing = empty(t("Nothing of this row is trained."))
        return (
            head_html(shown, number, report, config, t),
            conversation_html(shown, t),
            samples_html(shown, t, place=place) or nothing,
            samples_html(shown, t, place=place, tokens=True) or nothing,
            raw_html(shown.row, t),
        )

    def open(self, values: Mapping[Any, Any], event: gr.EventData) -> tuple[str, int, int]:
        """A sample of the row in sight was opened."""
        place = str(sent_with(event).get("sample", ""))
        return str(values[self.dataset]), int(values[self.number] or 1), int(place) if place.isdecimal() else 0

    def account(self, values: Mapping[Any, Any], *, of_all: bool = False) -> Iterator[tuple[Any, ...]]:
        """The report, with what is known on the way; of a large dataset only when it is asked for."""
        t, hidden = self.t, gr.update(visible=False)
        try:
            name, config = self.read(values)
            source = self.board.roots.check_data(config, [name])[0]
            if not values[self.job].is_new(name, config) and not of_all:
                yield NOTHING
                return
            size = size_of(source.file)
            if not of_all and (source.hub or size > AT_ONCE_BYTES):
                said = t("This dataset is large or on the Hub ({n} MiB here): its report needs a click.", n=size // MIB)
                shown = gr.update(visible=True)
                views = ("", note(said), empty(said), empty(said))
                yield None, *views, 0, hidden, shown, "", *self.mapping.tell(name, values[self.mapping.fold], [])
                return
            for told in values[self.job].run(name, config):
                if isinstance(told, Report):
                    strange = first_rows(name, config) if told.rows["in"] and not told.formats else []
                    yield *self.accounted(told), *self.mapping.tell(name, values[self.mapping.fold], strange)
                    return
                # What is known of another dataset, or was with other options, does not stand beside this one.
                wait = waiting(t("Checking … {n} rows", n=amount(told)))
                yield gr.skip(), "", wait, wait, wait, 0, hidden, hidden, "", gr.skip(), hidden, gr.skip()
            # It was overtaken. The page shows what comes last once more when this ends, over what is there by then.
            yield NOTHING
        except UserError as error:
            values[self.job].asked = ""
            said = wrong(error, t)
            known = self.mapping.tell(str(values[self.dataset]), values[self.mapping.fold], [])
            yield None, "", said, said, "", 0, hidden, hidden, "", *known

    def account_of_all(self, values: Mapping[Any, Any]) -> Iterator[tuple[Any, ...]]:
        """The report, however large the dataset is."""
        yield from self.account(values, of_all=True)

    def accounted(self, report: Report) -> tuple[Any, ...]:
        """Everything that shows a report."""
        t, tokens = self.t, report.stats.get("tokens", {})
        lengths = tokens.get("lengths") or []
        window = enough(lengths) if lengths else 0
        better = bool(lengths) and tokens["over the window"] > 0 and window > tokens["window"]
        offer = gr.update(visible=better, value=t("Take {n} as the window: it holds 99 %", n=window))
        hidden = gr.update(visible=False)
        views = (formats_html(report, t), summary_html(report, t), codes_html(report, t), lengths_html(tokens, t))
        return report, *views, window, offer, hidden, ""

    def pick(self, values: Mapping[Any, Any], event: gr.EventData) -> tuple[Any, Any]:
        """In the report a code, a page or a finding was clicked; a finding leads to its row."""
        sent = sent_with(event)
        report: Report | None = values[self.report]
        place, page = str(sent.get("finding", "")), str(sent.get("page", "0"))
        if report is None:
            return gr.skip(), gr.skip()
        if place.isdecimal() and int(place) < len(report.findings):
            finding = report.findings[int(place)]
            name, config = self.read(values)
            return gr.skip(), row_number(name, finding.file, finding.line, config) or gr.skip()
        code = str(sent.get("code", ""))
        return code_html(report, code, int(page) if page.isdecimal() else 0, self.t), gr.skip()

    def chosen(self, values: Mapping[Any, Any]) -> list[Any]:
        """Another dataset: nothing mapped, and what there is to map."""
        try:
            name, config = self.read(values)
            seen = seen_in(first_rows(name, config))
        except UserError:
            seen = Seen([], [], [])
        return ["", *self.mapping.fresh(seen)]

    def speakers(self, values: Mapping[Any, Any]) -> list[Any]:
        """Another key holds the speakers: their names are there to choose from."""
        key = values[self.mapping.tags["role_tag"]]
        try:
            name, config = self.read(values)
            names = seen_in(first_rows(name, config), {key}).roles if key else []
        except UserError:
            names = []
        return [gr.update(choices=names) if names else gr.skip() for _ in self.mapping.roles]

    def uploaded(self, file: str, folder: str) -> tuple[Any, str]:
        """A file has come: keep it and show it, or say why not."""
        try:
            name = keep(file, self.board.roots)
        except UserError as error:
            return gr.skip(), wrong(error, self.t)
        return gr.update(choices=self.board.datasets(folder), value=name), ""

    def exports(self, values: Mapping[Any, Any]) -> Iterator[str]:
        """The report's files, made anew, as links."""
        t = self.t
        try:
            name, config = self.read(values)
            folder = export_folder(name, config)
            for told in values[self.making].run(name, config, folder):
                if isinstance(told, Report):
                    yield links(folder)
                else:
                    yield waiting(t("Writing … {n} rows", n=amount(told)))
        except UserError as error:
            yield wrong(error, t)

    def offered(self, folder: str) -> Any:
        """The datasets that there are now."""
        return gr.update(choices=self.board.datasets(folder))

    def handed_over(self, values: Mapping[Any, Any]) -> Any:
        """The dataset, how it is read and measured: options for the Train tab."""
        try:
            name, config = self.read(values)
        except UserError:
            return gr.skip()
        options = {field: getattr(config, field) for field in (*FIELDS, *READING)}
        return self.board.to_train(options | {"dataset": [name]})


def windowed(config: TrainConfig, report: Report | None) -> TrainConfig:
    """With the window of the report, once it is there."""
    tokens = report.stats.get("tokens") if report is not None else None
    return config.model_copy(update={"max_length": tokens["window"], "auto_length": False}) if tokens else config


def stepped(by: int, number: float | None, report: Report | None) -> int:
    """The row number `by` further, kept between 1 and the last where that is known."""
    wanted = max(1, int(number or 1) + by)
    return min(wanted, max(1, report.rows["in"])) if report is not None else wanted

"""The board's theme: one accent colour, the system's own fonts (nothing is loaded from elsewhere), light and dark."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

STYLE = Path(__file__).parent / "style.css"
# Plain strings are names for CSS; Gradio's default is a Google font that the page would fetch.
FONT = [
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Noto Sans",
    "PingFang SC",
    "Noto Sans CJK SC",
    "sans-serif",
]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace"]


def theme() -> gr.themes.Base:
    """Gradio's base theme with our colours and spacing."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=FONT,
        font_mono=MONO,
    ).set(
        color_accent="*primary_700",
        button_large_text_size="*text_md",
        button_large_text_weight="500",
        button_medium_text_weight="500",
        # Between neutral 500 and 600: read well on every surface of the page.
        body_text_color_subdued="#556378",
        body_text_color_subdued_dark="*neutral_400",
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_shadow="none",
        block_label_text_weight="500",
        block_title_text_weight="500",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_100",
        block_info_text_color="#556378",
        block_info_text_color_dark="*neutral_400",
        input_background_fill="white",
        input_background_fill_dark="*neutral_950",
        input_border_width="1px",
        input_border_width_dark="1px",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        input_border_color_focus="*primary_500",
        input_border_color_focus_dark="*primary_400",
        border_color_primary="*neutral_200",
        border_color_primary_dark="*neutral_800",
        # White on it has a contrast of 5.5 to 1; on 600 it would be 3.7, too little for text of this size.
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        button_border_width="1px",
        button_border_width_dark="1px",
    )

"""The board: a thin face on `core`, made with Gradio. It reads run directories and leaves requests."""

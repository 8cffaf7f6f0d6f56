"""The tabs of the board, one module each with a `build(board)`; `webui.app.TABS` orders them."""

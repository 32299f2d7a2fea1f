"""A page to work on; a test file that needs another one has a fixture of the same name."""

import pytest


@pytest.fixture
def shared(inspector, good, tmp_path):
    """A page with a product "cloth"."""
    from assistant.face.shared import Resources  # it needs gradio, without which no test of the page runs
    from assistant.records.history import History

    history = History(tmp_path / "history.sqlite")
    inspector.save(inspector.learn("cloth", [good(i) for i in range(4)]))
    (tmp_path / "uploads").mkdir()
    yield Resources(inspector, str(tmp_path / "uploads"), history)
    history.close()

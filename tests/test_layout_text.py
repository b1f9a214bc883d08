import pytest

from gpu_worker.engines.layout.text import join_lines


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["a long", "road"], "a long road"),
        (["for exam-", "ple this"], "for example this"),
        (["a state-of-the-", "art engine"], "a state-of-the-art engine"),
        (["made in Saint-", "Germain"], "made in Saint-Germain"),
        (["the years 1914-", "1918"], "the years 1914- 1918"),
        (["造纸术是", "中国的发明"], "造纸术是中国的发明"),
        (["使用 PDF", "文件"], "使用 PDF 文件"),
        (["4.2Character recognition"], "4.2 Character recognition"),
        (["", "word", ""], "word"),
        ([], ""),
    ],
)
def test_lines_become_running_text(lines: list[str], text: str) -> None:
    assert join_lines(lines) == text

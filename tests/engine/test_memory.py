"""What is kept of the modules of a project."""

from batchmean.memory import Recent


def test_the_latest_texts_are_kept_as_long_as_they_are_short_together() -> None:
    made = []

    def length(text: str) -> int:
        def make() -> tuple[int, int]:
            made.append(text)
            return len(text), len(text)

        return recent.get(text, make)

    recent: Recent[str, int] = Recent(10)
    assert [length(text) for text in ("aaaa", "bbbb", "aaaa", "cccc")] == [4, 4, 4, 4]
    assert made == ["aaaa", "bbbb", "cccc"]  # 12 characters: the one asked for longest ago is gone
    assert [length(text) for text in ("aaaa", "bbbb")] == [4, 4]
    assert made == ["aaaa", "bbbb", "cccc", "bbbb"]
    assert length("d" * 50) == 50
    assert len(recent) == 1  # longer than all that may be kept, and the latest all the same

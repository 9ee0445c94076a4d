"""The page on differences and the tests that it names."""

import re


def assert_differences_are_tested(repository, section, letter, last, untested=()):
    """Rows ``letter`` 1 to ``last`` of a section, with a test each; no such test left out."""
    page = (repository / "docs" / "differences.rst").read_text(encoding="utf-8")
    sections = re.split(r"\n(\w+)\n-{5,}\n", page)
    part = dict(zip(sections[1::2], sections[2::2], strict=True))[section]
    rows = re.findall(rf"\* - {letter}(\d+)$(.*?)(?=\n   \* - |\n\n\S|\Z)", part, re.M | re.S)
    assert sorted(int(number) for number, _ in rows) == list(range(1, last + 1))
    for number, text in rows:
        assert int(number) in untested or re.search(r"``test_\w+``", text), f"{letter}{number}"
    sources = [path.read_text("utf-8") for path in (repository / "tests").rglob("test_*.py")]
    existing = {name for text in sources for name in re.findall(r"^def (test_\w+)", text, re.M)}
    named = set(re.findall(r"``(test_\w+)``", part))
    assert named <= existing
    own = {name for name in existing if re.match(rf"test_{letter.lower()}\d+_", name)}
    assert sorted(own - named) == []

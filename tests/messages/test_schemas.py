from pathlib import Path

from messages.schemas import contract_files, write_contract

PUBLISHED = Path(__file__).parent.parent.parent / "docs" / "reference" / "contract"


def test_the_published_contract_is_up_to_date() -> None:
    """
    When this fails: write it again with `write_contract`, and look at what changed for readers of the old one.
    """
    published = {path.name: path.read_text(encoding="utf-8") for path in PUBLISHED.glob("*.json")}

    assert published == contract_files()


def test_the_contract_is_written_and_written_again(tmp_path: Path) -> None:
    first = write_contract(tmp_path / "new" / "contract")
    again = write_contract(tmp_path / "new" / "contract")

    assert first == again == sorted(first, key=first.index)
    assert {path.name for path in first} == set(contract_files())
    assert all(path.read_text(encoding="utf-8") == contract_files()[path.name] for path in again)

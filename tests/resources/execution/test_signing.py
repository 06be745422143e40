"""The signing key: made once, for its owner only, and never shown."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from resources.execution.signing import SIGNING_KEY, signing_key
from trading.errors import FixConfiguration


def test_the_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "var" / "signing.key"
    before = os.umask(0)
    try:
        key = signing_key(path, {})
    finally:
        os.umask(before)
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert signing_key(path, {}) == key
    assert [entry.name for entry in path.parent.iterdir()] == ["signing.key"]
    assert signing_key(tmp_path / "other.key", {}) != key


def test_many_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: signing_key(tmp_path / "signing.key", {}), range(32)))
    assert len(keys) == 1


def test_the_environment_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    assert signing_key(path, {SIGNING_KEY: "ab" * 32}) == b"\xab" * 32
    assert not path.exists()


@pytest.mark.parametrize("text", ["canary", "ab" * 31, "", "canary" * 20])
def test_a_bad_key_is_refused_and_never_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(FixConfiguration, match="at least 64 hex digits") as caught:
        signing_key(tmp_path / "signing.key", {SIGNING_KEY: text})
    assert text == "" or text not in str(caught.value)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    signing_key(path, {})
    path.chmod(0o640)
    with pytest.raises(FixConfiguration, match="mode 640: others may read the signing key; chmod 600"):
        signing_key(path, {})

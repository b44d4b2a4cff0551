# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of mutations is as the code is; whether tests notice them is what `make mutations` reports."""

from __future__ import annotations

import pytest

from tests.tools import mutations


@pytest.mark.parametrize("mutation", mutations.MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_changes_one_place(mutation: mutations.Mutation) -> None:
    source = (mutations.CHECKOUT / mutation.file).read_text(encoding="utf-8")
    assert mutation.apply(source) != source
    compile(mutation.apply(source), mutation.file, "exec")


@pytest.mark.parametrize("mutation", mutations.MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_tests_that_are_to_notice_it_exist(mutation: mutations.Mutation) -> None:
    assert mutation.tests
    for tests in mutation.tests:
        assert all((mutations.CHECKOUT / path).exists() for path in tests.split())


def test_there_are_enough_of_them_and_none_twice() -> None:
    assert len({mutation.name for mutation in mutations.MUTATIONS}) == len(mutations.MUTATIONS) >= 40


def test_a_text_that_is_gone_or_stands_twice_is_an_error() -> None:
    mutation = mutations.Mutation("state: wrong", "file.py", "old", "new", ("tests/unit",))
    assert mutation.apply("old text") == "new text"
    for source in ("text", "old old"):
        with pytest.raises(ValueError, match="bring the mutation up to date"):
            mutation.apply(source)

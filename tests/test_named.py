"""Tasks by what one types."""

from __future__ import annotations

import pytest

from sculpting import tasks


def test_names_of_boolean_tasks_are_those_of_boolean() -> None:
    for text in ("both", "[6,3,3,3]", "6,3,3,3", "6, 3, 3, 3"):
        assert tasks.named(text).name == "[6, 3, 3, 3]"


def test_a_name_and_options_make_the_task_that_the_call_makes() -> None:
    named = tasks.named("cmsp:m=3, k=2,n=7,codes=0|1|0+2")
    assert named.name == tasks.cmsp(3, 2, 7, [[0], [1], [0, 2]]).name
    assert tasks.named("cmsp:m=2,k=2,outputs=each").output_names == ("0", "1", "0+1")
    digits = tasks.named("mnist-pair:source=digits,size=4,pairs=100,validation=100,test=100")
    assert (digits.name, digits.x.shape, digits.image) == ("mnist-pair", (100, 32), (4, 8))
    assert tasks.named("mnist-xor:source=digits,pairs=64,validation=64,test=64").output_names == ("xor 4", "xor 2", "xor 1")


def test_the_name_of_a_cmsp_task_names_it() -> None:
    for task in (tasks.cmsp(2, 3), tasks.cmsp(3, 2, 8, [[0], [1, 2]]), tasks.cmsp(2, 2, outputs="each")):
        assert tasks.named(task.name).name == task.name


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("booth", "there is no task 'booth'; the nearest are both"),
        ("both:size=3", "there is no task 'both:size=3'"),
        ("cmsp", "task 'cmsp' needs m and k; write it as cmsp:m=2,k=2"),
        ("cmsp:m=3", "task 'cmsp' needs k; write it as cmsp:m=3,k=2"),
        ("cmsp:m=2,k=2,m=3", "options of task 'cmsp' must be given once each; got m=2,k=2,m=3"),
        ("cmsp:m=3,k=two", "option k of task 'cmsp' must be a whole number, or codes such as 0|1|0+1; got 'two'"),
        ("cmsp:m=3,k=2,codes=0+x", "option codes of task 'cmsp' must be"),
        ("cmsp:m=3,k=2,n=4", "n must be at least"),
        (
            "mnist-pair:height=3",
            "options of task 'mnist-pair' are size, pairs, validation, test, source, data_dir, seed, each as option=value",
        ),
        ("mnist-xor:size", "options of task 'mnist-xor' are size, .*; got 'size'"),
        ("mnist-xor:size=", "got 'size='"),
        ("mnist-pair:source=letters", "source must be"),
    ],
)
def test_a_name_of_no_task_gets_one_clear_error(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=error.replace("|", r"\|").replace("+", r"\+") if "|" in error else error):
        tasks.named(text)

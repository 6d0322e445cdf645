"""Tables in Markdown."""

from amp_keras.experiments import markdown


def test_table_has_titles_and_rows():
    assert markdown.table(["a", "b"], [[1, 0.123456], ["x|y", None]]) == (
        "| a | b |\n| --- | --- |\n| 1 | 0.1235 |\n| x\\|y | - |"
    )


def test_table_of_dicts_has_a_dash_for_what_a_row_lacks():
    rows = [{"a": 1, "b": 2}, {"b": 3, "c": 4}]
    assert markdown.table_of_dicts(rows) == (
        "| a | b |\n| --- | --- |\n| 1 | 2 |\n| - | 3 |"
    )
    assert markdown.table_of_dicts(rows, {"c": "of c"}).splitlines() == [
        "| of c |",
        "| --- |",
        "| - |",
        "| 4 |",
    ]


def test_table_that_grows_is_the_same():
    lines = [markdown.header("ab"), markdown.row([1, 2]), markdown.row([3, 4])]
    assert "\n".join(lines) == markdown.table("ab", [[1, 2], [3, 4]])

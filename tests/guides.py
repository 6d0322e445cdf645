"""The guides of `docs/guides`, as text and code."""

import ast
import pathlib

FOLDER = pathlib.Path(__file__).parents[1] / "docs" / "guides"
PATHS = sorted(FOLDER.glob("*.py"))


def header(source):
    """Returns the docstring of a guide as a dict, as keras.io reads it."""
    lines = ast.get_docstring(ast.parse(source)).splitlines()
    return dict(line.split(": ", 1) for line in lines)


def blocks(source):
    """Yields what follows the docstring of a guide, in order.

    Args:
        source: A guide, whose strings at the top level are text in Markdown.

    Yields:
        Pairs of "text" or "code" and the block without blank lines around it.
    """
    lines = source.splitlines()
    docstring, *statements = ast.parse(source).body
    begin = docstring.end_lineno
    for node in statements:
        if _is_text(node):
            yield from _code(lines[begin : node.lineno - 1])
            yield "text", node.value.value.strip("\n")
            begin = node.end_lineno
    yield from _code(lines[begin:])


def _is_text(node):
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _code(lines):
    code = "\n".join(lines).strip("\n")
    if code:
        yield "code", code

"""From the text of an expression to its parts; the text is never evaluated as Python."""

from functools import cache
from typing import Any, NoReturn

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, VisitError

from data_processing.expressions import nodes
from data_processing.expressions.functions import FUNCTIONS
from data_processing.expressions.nodes import Node
from util_services.errors import DataServiceError, nearest

LONGEST = 4_000
"""Characters that an expression may have."""

DEEPEST = 32
"""How deeply its parts may be nested."""


def parsed(text: str) -> Node:
    """Parse an expression.

    Raises:
        DataServiceError: If it is too long, malformed, nested too deeply or calls an unknown function.
    """
    if len(text) > LONGEST:
        raise DataServiceError(f"The expression has {len(text):,} characters: give at most {LONGEST:,}.")
    if not text.strip():
        raise DataServiceError("The expression is empty: give a condition such as 'age >= 18'.")
    try:
        node: Node = _parser().parse(text)  # type: ignore[assignment]  # the transformer makes nodes of trees
    except VisitError as error:
        raise error.orig_exc from None
    except UnexpectedInput as error:
        _refuse(error)
    return node


@cache
def _parser() -> Lark:
    return Lark.open_from_package(
        __package__, "grammar.lark", search_paths=("",), parser="lalr", transformer=_Builder(), maybe_placeholders=False
    )


_HINTS = {
    ".": "columns have no attributes or methods, and a name with a dot needs backticks",
    "[": "a list stands only after 'in'",
    "{": "only conditions over cells are possible",
    ";": "only one condition is possible",
    "&": "write 'and'",
    "|": "write 'or'",
    "!": "write 'not'",
    ":": "only one condition is possible",
}


def _refuse(error: UnexpectedInput) -> NoReturn:
    if isinstance(error, UnexpectedCharacters):
        what = repr(error.char)
    else:
        token: Token = error.token  # type: ignore[attr-defined]
        if token.type == "$END":
            raise DataServiceError("The expression ends too early: something is missing after its last character.")
        what = "a text" if token.type == "TEXT" else repr(str(token))  # a text may be a cell value
    hint = _HINTS.get(what.strip("'\"")[:1], 'write a condition such as \'age >= 18 and country in ["DE", "FR"]\'')
    raise DataServiceError(
        f"The expression is malformed at character {(error.pos_in_stream or 0) + 1}, where {what} stands: {hint}."
    )


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """Builds nodes bottom up while the text is parsed, so that no depth of nesting exhausts the stack."""

    def number(self, token: Token) -> Node:
        return nodes.Literal(int(token) if token.isdigit() else float(token))

    def text(self, token: Token) -> Node:
        return nodes.Literal(_unquoted(token))

    def truth(self, token: Token) -> Node:
        return nodes.Literal(token.lower() == "true")

    def column(self, token: Token) -> Node:
        return nodes.Column(str(token))

    def quoted_column(self, token: Token) -> Node:
        return nodes.Column(_unquoted(token))

    named_column = quoted_column

    def call(self, name: Token, *arguments: Node) -> Node:
        function = FUNCTIONS.get(name.lower())
        if function is None:
            raise DataServiceError(
                f"The function {str(name)!r} does not exist in expressions: {nearest(name, FUNCTIONS)}"
            )
        least, most = function.arguments
        if not least <= len(arguments) <= most:
            raise DataServiceError(
                f"The function {str(name)!r} has {len(arguments)} arguments in the expression: write {function.usage}."
            )
        return _checked(nodes.Call(name.lower(), arguments))

    def arithmetic(self, left: Node, sign: Token, right: Node) -> Node:
        return _checked(nodes.Arithmetic(str(sign), (left, right)))

    def signed(self, sign: Token, operand: Node) -> Node:
        if isinstance(operand, nodes.Literal) and isinstance(operand.content, int | float) and sign == "-":
            return nodes.Literal(-operand.content)
        return _checked(nodes.Arithmetic(str(sign), (nodes.Literal(0), operand)))

    def comparison(self, first: Node, *rest: Any) -> Node:
        operands, signs = [first, *rest[1::2]], [_SIGNS.get(str(sign), str(sign)) for sign in rest[::2]]
        links = [
            nodes.Comparison(sign, (left, right))
            for left, sign, right in zip(operands, signs, operands[1:], strict=False)
        ]
        return _checked(nodes.AllOf(tuple(links)) if len(links) > 1 else links[0])

    def is_null(self, operand: Node) -> Node:
        return _checked(nodes.IsNull((operand,)))

    def is_empty(self, operand: Node) -> Node:
        return _checked(nodes.IsEmpty((operand,)))

    def is_in(self, *parts: Node) -> Node:
        return _checked(nodes.Membership(parts))

    def between(self, *parts: Node) -> Node:
        return _checked(nodes.Range(parts))

    def matching(self, operand: Node, matcher: Token, pattern: nodes.Literal) -> Node:
        name, text = str(matcher).lower(), str(pattern.content)
        if name == "matches":
            nodes.check_pattern(text)
        return _checked(nodes.Match(name, text, (operand,)))

    def not_(self, operand: Node) -> Node:
        return _checked(nodes.Not((operand,)))

    def is_not_null(self, operand: Node) -> Node:
        return self.not_(self.is_null(operand))

    def is_not_empty(self, operand: Node) -> Node:
        return self.not_(self.is_empty(operand))

    def is_not_in(self, *parts: Node) -> Node:
        return self.not_(self.is_in(*parts))

    def not_between(self, *parts: Node) -> Node:
        return self.not_(self.between(*parts))

    def not_matching(self, operand: Node, matcher: Token, pattern: nodes.Literal) -> Node:
        return self.not_(self.matching(operand, matcher, pattern))

    def conjunction(self, *parts: Node) -> Node:
        return _checked(nodes.AllOf(parts))

    def disjunction(self, *parts: Node) -> Node:
        return _checked(nodes.AnyOf(parts))


_SIGNS = {"=": "==", "<>": "!="}


def _unquoted(token: Token) -> str:
    mark = token[0]
    return token[1:-1].replace(mark * 2, mark)


def _checked(node: Node) -> Node:
    if node.depth > DEEPEST:
        raise DataServiceError(f"The expression is nested more than {DEEPEST} levels deep: write it flatter.")
    return node

"""Options that take one value: given twice, they are refused, where the last would silently win."""

import typer
from typer.core import TyperCommand

__all__ = ["Once"]


class Once(TyperCommand):
    "A command whose options that take one value are given once."

    def make_parser(self, ctx):
        "The parser, and a look at what it has met."
        parser = super().make_parser(ctx)
        parse = parser.parse_args

        def once(args):
            values, rest, met = parse(args)
            single = [p for p in met if not (p.multiple or getattr(p, "count", True))]
            twice = [p for p in single if not p.is_flag and single.count(p) > 1]
            if twice and not ctx.resilient_parsing:
                name = max(twice[0].opts, key=len)
                raise typer.BadParameter(
                    "it is given more than once and takes one value", ctx, twice[0], f"'{name}'"
                )
            return values, rest, met

        parser.parse_args = once
        return parser

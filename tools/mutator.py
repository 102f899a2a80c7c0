"""Finds the places of a C++ source where a small change makes another program: the mutants.

It works on tokens and trusts clang-format's spaces (a binary operator has one on each side, a template's bracket has
none). Only function bodies count: declarations, comments, strings, assertions, and the texts that are put together for
people are left alone.
"""
import dataclasses
import re

TOKEN = re.compile(r"""
  (?P<skip>\s+|//[^\n]*|/\*.*?\*/|^[ ]*\#(?:[^\n\\]|\\.|\\\n)*)
| (?P<text>(?:u8|[uUL])?R"(?P<fence>[^(\s]*)\(.*?\)(?P=fence)"|(?:u8|[uUL])?"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)+')
| (?P<number>\.?\d(?:'?[\w.])*)
| (?P<word>[A-Za-z_]\w*)
| (?P<mark><=>|<<=|>>=|->\*|\.\.\.|::|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|\[\[|.)
""", re.X | re.S | re.M)

SWAPS = {"<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"], "==": ["!="], "!=": ["=="],
         "&&": ["||"], "||": ["&&"], "+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"]}
ASSIGNING = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}
# What is in the brackets after one of these is for people, for the compiler, or checks the program itself.
FOR_PEOPLE = re.compile(r"(StrCat|StrAppend|StrFormat|Shown\w*|Log|static_assert|D?CHECK\w*|LEASEMAP_CHECK\w*)$")
NO_STATEMENT = {"if", "for", "while", "do", "switch", "case", "default", "return", "using", "typedef", "else", "break",
                "continue", "goto", "auto", "const", "constexpr", "static", "struct", "class", "enum", "delete", "throw",
                "try", "catch", "co_return", "friend", "template", "public", "private"}


@dataclasses.dataclass(frozen=True)
class Token:
    kind: str
    text: str
    at: int

    @property
    def end(self):
        return self.at + len(self.text)


@dataclasses.dataclass(frozen=True)
class Mutant:
    path: str
    at: int  # bytes at … end are replaced
    end: int
    new: str
    kind: str

    def apply(self, source):
        return source[:self.at] + self.new + source[self.end:]

    def line(self, source):
        return source.count("\n", 0, self.at) + 1

    def diff(self, source):
        """The lines that it touches, before and after; an unchanged one of several is left out."""
        start = source.rfind("\n", 0, self.at) + 1
        stop = source.find("\n", self.end)
        old = source[start:stop].split("\n")
        new = (source[start:self.at] + self.new + source[self.end:stop]).split("\n")
        return ["-" + line.strip() for line in old], ["+" + line.strip() for line in new if line.strip()]


def tokens_of(source):
    return [Token(m.lastgroup if m.lastgroup != "fence" else "text", m.group(), m.start())
            for m in TOKEN.finditer(source) if not m.group("skip")]


class Source:
    """The tokens of a file, which bracket closes which, and where function bodies are."""

    def __init__(self, source):
        self.source = source
        self.tokens = tokens_of(source)
        self.close, self.open, stack = {}, {}, []
        for i, token in enumerate(self.tokens):
            if token.kind != "mark":
                continue
            if token.text in ("(", "{", "[", "[["):
                stack.append(i)
            elif token.text in (")", "}", "]") and stack:
                first = stack[-1]
                if self.tokens[first].text == "[[" and self.tokens[i + 1].text == "]":
                    continue  # the first half of ]]
                stack.pop()
                self.close[first], self.open[i] = i, first
        self.bodies = []  # (first token of the declaration, its "{", its "}")
        self.find_bodies(0, len(self.tokens))

    def text(self, i):
        return self.tokens[i].text if 0 <= i < len(self.tokens) else ""

    def find_bodies(self, i, stop):
        first = i  # of the declaration that is read
        while i < stop:
            text = self.text(i)
            if text == ";" or (text == ":" and self.text(i - 1) in ("public", "private", "protected")):
                first = i + 1
            elif text in ("(", "[", "[["):
                i = self.close.get(i, i)
            elif text == "{":
                end, words = self.close[i], [self.text(n) for n in range(first, i)]
                if self.is_body(first, i):
                    self.bodies.append((first, i, end))
                    first = end + 1
                elif {"namespace", "extern"} & set(words) or (
                        {"struct", "class", "union"} & set(words) and "(" not in words and "=" not in words):
                    self.find_bodies(i + 1, end)
                    first = end + 1
                i = end
            i += 1

    def is_body(self, first, brace):
        words = [self.text(n) for n in range(first, brace)]
        if "(" not in words or "enum" in words:
            return False
        if "=" in words and "operator" not in words:
            outside, depth = False, 0  # an initializer, unless the = is a default argument
            for word in words:
                depth += (word == "(") - (word == ")")
                outside |= word == "=" and depth == 0
            if outside:
                return False
        before = self.text(brace - 1)
        lists = False  # in the initializers of a constructor a name stands before their brackets
        for n in range(first, brace):
            if self.text(n) == ":" and self.text(n - 1) in (")", "noexcept"):
                lists = True
        return before in (")", "}", "const", "override", "noexcept", "final") or not lists

    def spaced(self, i):
        token = self.tokens[i]
        return self.source[token.at - 1] in " \n" and self.source[token.end] in " \n"

    def hidden(self):
        """The tokens within brackets that are for people."""
        out = set()
        for i, token in enumerate(self.tokens):
            if token.kind == "word" and FOR_PEOPLE.match(token.text) and self.text(i + 1) == "(":
                out.update(range(i, self.close[i + 1] + 1))
        return out


def in_loop_header(source, i, body):
    """Whether the token stands in the brackets of a for."""
    while i > body:
        if source.text(i) in (")", "]", "}") and i in source.open:
            i = source.open[i]
        elif source.text(i) == "(":
            return source.text(i - 1) == "for"
        elif source.text(i) == "{":
            return False
        i -= 1
    return False


def statement_end(source, i):
    while source.text(i) != ";":
        if source.text(i) in ("(", "{", "[", "[["):
            i = source.close[i]
        elif source.text(i) in ("}", ")", ""):
            return None
        i += 1
    return i


def starts_statement(source, i):
    before = source.text(i - 1)
    if before in (";", "{", "}", "else"):
        return True
    if before == ")":
        word = source.text(source.open[i - 1] - 1)
        return word in ("if", "for", "while", "constexpr")
    return before == ":" and (source.text(i - 3) == "case" or source.text(i - 2) == "default" or
                              (source.text(i - 3) == "::" and "case" in (source.text(n) for n in range(i - 8, i))))


def is_expression(source, i, end):
    """A call, an assignment or a step on its own, not a declaration. `i` starts a statement."""
    token = source.tokens[i]
    if token.text in NO_STATEMENT or token.kind not in ("word", "mark") or token.text in ("{", "}", ";", "~", "["):
        return False
    if FOR_PEOPLE.match(token.text) or token.text == "std" and source.text(i + 2) in ("unique_ptr", "vector", "optional"):
        return False
    acts, n = False, i
    while n < end:
        text, after = source.text(n), source.tokens[n + 1]
        if text in ("(", "[", "{"):
            acts |= text == "(" and source.tokens[n - 1].kind == "word"
            n = source.close[n]
        elif text in ASSIGNING or text in ("++", "--"):
            return True
        elif source.tokens[n].kind == "word" and after.kind == "word":
            return False  # a type and a name
        elif text in ("&", "*", ">", ">>") and after.kind == "word" and n > i:
            return False
        n += 1
    return acts


def branch_end(source, i):
    """The first token behind the last branch of a ?: at `i`."""
    while source.text(i) not in (",", ")", ";", "}", "]", ""):
        i = source.close[i] if source.text(i) in ("(", "{", "[") else i
        i += 1
    return i


class Finder:
    def __init__(self, path, text):
        self.source, self.path, self.out = Source(text), path, []
        self.hidden = self.source.hidden()

    def add(self, kind, first, last, new):
        """Replaces the tokens first … last, both included."""
        tokens = self.source.tokens
        self.out.append(Mutant(self.path, tokens[first].at, tokens[last].end, new, kind))

    def text_between(self, first, last):
        return self.source.source[self.source.tokens[first].at:self.source.tokens[last].end]

    def number(self, i):
        text = self.source.text(i)
        around = self.source.source
        if not re.fullmatch(r"[\d']+[uUlL]*", text) or around[self.source.tokens[i].at - 1] == "<":
            return
        value = int(re.sub(r"[^\d]", "", text))
        self.add("constant", i, i, str(value + 1))
        if value > 1:
            self.add("constant", i, i, str(value - 1))

    def condition(self, i):
        """Negates what is asked in the brackets behind an if or a while."""
        source = self.source
        first, last = i + 2, source.close[i + 1] - 1
        for n in range(first, last):
            if source.text(n) == ";":
                first = n + 1
        if any(source.text(n) == "=" for n in range(first, last + 1)):
            return
        if last == first + 1 and source.text(first) == "!":
            return  # as good as the lone "!" left out
        self.add("negated", first, last, f"!({self.text_between(first, last)})")

    def ternary(self, i, depth=0):
        source, n = self.source, i + 1
        while source.text(n) != ":" or depth > 0:
            depth += (source.text(n) == "?") - (source.text(n) == ":")
            n = source.close[n] if source.text(n) in ("(", "{", "[") else n
            n += 1
        end = branch_end(source, n + 1)
        if "text" in (source.tokens[i + 1].kind, source.tokens[n + 1].kind) or end <= n + 1:
            return
        yes, no = self.text_between(i + 1, n - 1), self.text_between(n + 1, end - 1)
        self.add("swapped", i + 1, end - 1, f"{no} : {yes}")

    def statement(self, i, body):
        source = self.source
        end = statement_end(source, i)
        if end is None:
            return
        if source.text(i) == "return":
            # Early where something follows in the function.
            if end + 1 < body[2] and (source.text(i - 1) != "{" or source.open.get(source.close[i - 1]) != body[1]):
                self.add("no return", i, end, ";")
        elif is_expression(source, i, end):
            self.add("no statement", i, end, ";")

    def token(self, i, body):
        source = self.source
        token = source.tokens[i]
        if token.kind == "number":
            self.number(i)
        elif token.text in ("true", "false"):
            self.add("constant", i, i, "false" if token.text == "true" else "true")
        elif token.text in ("min", "max") and source.text(i - 1) == "::" and source.text(i + 1) == "(":
            self.add("min/max", i, i, "max" if token.text == "min" else "min")
        elif token.text in ("continue", "break"):
            self.add("loop", i, i, "break" if token.text == "continue" else "continue")
        elif token.text in ("if", "while") and source.text(i + 1) == "(":
            self.condition(i)
        elif token.kind == "mark" and token.text in SWAPS and source.spaced(i):
            if "text" not in (source.tokens[i - 1].kind, source.tokens[i + 1].kind):
                for new in SWAPS[token.text]:
                    self.add("operator", i, i, new)
        elif token.text in ("+=", "-="):
            self.add("operator", i, i, "-=" if token.text == "+=" else "+=")
        elif token.text in ("++", "--") and not in_loop_header(source, i, body[1]):
            self.add("operator", i, i, "--" if token.text == "++" else "++")
        elif token.text == "!":
            self.add("negated", i, i, "")
        elif token.text == "?":
            self.ternary(i)
        if starts_statement(source, i):
            self.statement(i, body)

    def find(self):
        for body in self.source.bodies:
            for i in range(body[1] + 1, body[2]):
                if i not in self.hidden:
                    self.token(i, body)
        return self.out


def mutants_of(path, text):
    return Finder(path, text).find()


def mark_functions(text, mark, only=None):
    """The source with `mark` before each function that has its body here, or only before the one around a place."""
    source = Source(text)
    places = [source.tokens[first].at for first, brace, end in source.bodies
              if only is None or source.tokens[brace].at < only < source.tokens[end].at]
    for first in sorted(places, reverse=True):
        at = first
        if text.startswith("template", at) or text.startswith("friend", at):
            continue  # an attribute would not stand there
        text = text[:at] + mark + " " + text[at:]
    return text

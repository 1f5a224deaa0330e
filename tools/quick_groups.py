#!/usr/bin/env python3
"""Which sources can be compiled as one: quick_groups.py ROOT FILE... writes `<group> <file>` lines for cmake/pscope_quick.cmake.

Two sources go together unless a name that one of them keeps to itself (anonymous namespace, static, macro) is written
anywhere in the other, or in a header that only the other includes. That says no more often than it must, and so nobody has
to know of it. What changes the meaning of what follows (a macro before an include, a pragma, using namespace) stays alone.
"""
import functools
import pathlib
import re
import sys

MOST = 8  # sources in a group: a machine of few processors shall still have all of them busy

NOT_CODE = re.compile(r'R"(\w*)\(.*?\)\1"|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.S)
TOKEN = re.compile(r"\d[\w.']*|[A-Za-z_]\w*|::|->|\S")
ALONE = re.compile(r"^\s*#\s*(pragma(?!\s+once)|undef)|^\s*using\s+namespace(?!\s+std::\w*literals)|^\s*#\s*define[^#]*?^\s*#\s*include", re.M)
WORD = re.compile(r"[A-Za-z_]\w*\Z")
KEYWORDS = set("""alignas auto bool char class const constexpr consteval constinit decltype double else enum explicit extern
  final float for if inline int long namespace noexcept operator override private public return short signed sizeof static
  static_assert struct template thread_local true typename union unsigned using void volatile while requires""".split())


@functools.cache
def text(path):
    return path.read_text()


@functools.cache
def tokens(path):
    code = NOT_CODE.sub(lambda m: '""' if '"' in m[0][:2] else " ", text(path))
    code = re.sub(r"^\s*#[^\n]*(?:\\\n[^\n]*)*", "", code, flags=re.M)
    return TOKEN.findall(code)


@functools.cache
def written(path):
    """Every name but members and what is qualified."""
    all_of_it = tokens(path)
    names = {name for before, name in zip([""] + all_of_it, all_of_it) if WORD.match(name) and before not in (".", "->", "::")}
    return names | {word for line in re.findall(r"^\s*#\s*(?:define|if|elif)([^\n]*)", text(path), re.M) for word in re.findall(r"\w+", line)}


def without_template_lists(statement):
    kept, depth, in_list = [], 0, False
    for token in statement:
        if token == "template":
            in_list = True
        elif in_list:
            depth += (token == "<") - (token == ">")
            in_list = depth > 0
        else:
            kept.append(token)
    return kept


def declared(statement):
    """The names that the beginning of a declaration introduces: up to its body, its value or its end."""
    names, parentheses = set(), 0
    statement = without_template_lists(statement)
    if statement[:1] == ["using"] and "=" not in statement:  # may be said twice
        return names
    for before, name, after in zip([""] + statement, statement, statement[1:] + [";"]):
        parentheses += (name == "(") - (name == ")")
        if name == "=" and not parentheses:
            break
        if parentheses or not WORD.match(name) or name in KEYWORDS or before == "::":
            continue
        if name.isupper() and after == "(":  # TEST and its like
            continue
        if before in ("struct", "class", "union", "enum", "using", "concept") or after in ("(", "=", ";", "[", "{", ","):
            names.add(name)
    return names


@functools.cache
def private(path):
    names = set(re.findall(r"^\s*#\s*define\s+(\w+)", text(path), re.M))
    scopes, statement, enumerators = [], [], False
    for token in tokens(path):
        at_namespace = all(scope != "body" for scope in scopes)
        if token == "{":
            kind = "body"
            if at_namespace and statement[:1] == ["namespace"]:
                kind = "named" if len(statement) > 1 else "anonymous"
            elif at_namespace and statement[:1] == ["extern"] and statement[1:2] == ['"']:
                kind = "named"
            elif at_namespace and ("anonymous" in scopes or "static" in statement):
                names |= declared(statement)
                enumerators = statement[:1] == ["enum"] and statement[1:2] not in (["class"], ["struct"])
            scopes.append(kind)
            statement = []
        elif token == "}":
            if scopes:
                scopes.pop()
            statement, enumerators = [], False
        elif token == ";":
            if at_namespace and ("anonymous" in scopes or "static" in statement):
                names |= declared(statement)
            statement = []
        else:
            if enumerators and WORD.match(token):
                names.add(token)
            if at_namespace:
                statement.append(token)
    return names


@functools.cache
def headers(root, path):
    found, todo = set(), [path]
    while todo:
        at = todo.pop()
        for name in re.findall(r'^\s*#\s*include\s*["<]([^">]+)[">]', text(at), re.M):
            for candidate in (at.parent / name, root / "src" / name, root / "include" / name):
                if candidate.is_file() and candidate not in found:
                    found.add(candidate)
                    todo.append(candidate)
                    break
    return found


@functools.cache
def namespaces(path):
    return set(re.findall(r"\w+", " ".join(re.findall(r"\bnamespace((?: (?:::|\w+))+)(?= \{)", " ".join(tokens(path))))))


@functools.cache
def things(path):
    """What is written and is no namespace."""
    code = tokens(path)
    return {name for before, name, after in zip([""] + code, code, code[1:])
            if WORD.match(name) and after != "::" and before not in (".", "->", "::", "namespace")}


def hurts(root, one, other):
    """Whether `other`, or what it includes, has a name that `one` keeps to itself, or that is a namespace there."""
    ours, theirs = {one} | headers(root, one), {other} | headers(root, other)
    if private(one) & set().union(*map(written, theirs - ours)):
        return True
    return bool(set().union(*map(namespaces, ours - theirs)) & set().union(*map(things, theirs - ours)))


def groups(root, paths):
    found = []
    for path in paths:
        if ALONE.search(NOT_CODE.sub("", text(path))):
            continue
        for group in found:
            if len(group) < MOST and not any(hurts(root, path, other) or hurts(root, other, path) for other in group):
                group.append(path)
                break
        else:
            found.append([path])
    return [group for group in found if len(group) > 1]


def main():
    root = pathlib.Path(sys.argv[1])
    for number, group in enumerate(groups(root, [pathlib.Path(name) for name in sys.argv[2:]])):
        for path in group:
            print(f"{number} {path}")


if __name__ == "__main__":
    main()

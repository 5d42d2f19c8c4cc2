"""The broken rules of consensus/proof/mutants.toml, which every layer reads; its head says what each line means."""

import dataclasses
import os
import sys
import tomllib

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIST = os.path.join(ROOT, "consensus", "proof", "mutants.toml")


@dataclasses.dataclass(frozen=True)
class Mutant:
    name: str
    file: str  # In consensus/.
    old: str
    new: str
    wp: tuple = ()      # The function, and the goal of it that must fail.
    spin: str = ""      # The size that must find it.
    compare: str = ""   # The program that must differ.
    checker: str = ""   # What the simulator is run with: the checker must refuse that.
    coq: str = ""       # The same rule taken away in Coq: a mutant of prove_coq.py.
    thesis: str = ""    # The mistake of the thesis that this is.
    note: str = ""      # What a reader of the table should know.

    def text(self):
        """The whole file with the rule taken away."""
        return source(self.file).replace(self.old, self.new)

    def write(self, folder):
        """The changed file below a folder, at its place."""
        os.makedirs(os.path.join(folder, "consensus"), exist_ok=True)
        with open(os.path.join(folder, "consensus", self.file), "w", encoding="utf-8") as target:
            target.write(self.text())


def source(file):
    with open(os.path.join(ROOT, "consensus", file), encoding="utf-8") as text:
        return text.read()


def read():
    with open(LIST, "rb") as listed:
        entries = tomllib.load(listed)["mutant"]
    return [Mutant(**{key: tuple(value) if isinstance(value, list) else value
                      for key, value in entry.items()}) for entry in entries]


def load(layer=None):
    """Those that the layer claims, or all. A list that lost its place in the C ends the program."""
    found = read()
    wrong = [f"{one.name}: its text stands {source(one.file).count(one.old)} times in {one.file}"
             for one in found if source(one.file).count(one.old) != 1]
    wrong += [f"{one.name}: it changes nothing" for one in found if one.old == one.new]
    names = [one.name for one in found]
    changes = [(one.file, one.text()) for one in found]
    for i, one in enumerate(found):
        if one.name in names[:i]:
            wrong.append(f"{one.name}: the name stands twice")
        if changes[i] in changes[:i]:
            wrong.append(f"{one.name}: the same as {names[changes.index(changes[i])]}")
    if wrong:
        sys.exit("mutants: " + "\nmutants: ".join(wrong))
    return [one for one in found if layer is None or getattr(one, layer)]

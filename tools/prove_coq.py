#!/usr/bin/env python3
"""Checks consensus/proof with Coq, and builds paxwire-check, which holds traces against it.

Coq's exit status proves little: what counts is that every theorem says itself that it rests on nothing
but its own statement ("Closed under the global context"), that the independent checker coqchk finds no
axiom in any file, nor in what they take of the standard library, and that the same proofs are refused
once a rule of the protocol is taken away.
"""

import concurrent.futures
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROOF = os.path.join(ROOT, "consensus", "proof")
BUILD = os.path.join(ROOT, "build", "proof")
COQ = os.path.join(BUILD, "coq")
CHECKER = os.path.join(BUILD, "paxwire-check")
LIBRARY = "Paxwire"
CLOSED = "Closed under the global context"
STATED = re.compile(r"^(?:Theorem|Corollary|Example) (\w+)", re.M)

# Name, file, text that is changed, what it becomes, and the files of which one must refuse: a mutant
# that no proof notices, or that no longer parses, proves nothing.
MUTANTS = [
    ("a vote below the promise", "Acceptor.v",
     "Definition on_accept (x : acceptor) (b first : nat) (vs : list nat) : acceptor * answer :=\n"
     "  if b <? promised x then (x, Refused)",
     "Definition on_accept (x : acceptor) (b first : nat) (vs : list nat) : acceptor * answer :=\n"
     "  if b <? 0 then (x, Refused)", ("Acceptor.v", "Facts.v", "Steps.v")),
    ("what is known chosen stands in the way", "Acceptor.v",
     "  if conflict || ((0 <? same)", "  if (0 <? known) || conflict || ((0 <? same)",
     ("Acceptor.v", "Progress.v")),
    ("a vote replaces what is known chosen", "Acceptor.v",
     "        (if is_chosen x i then m else put i (Cast b index run v) m)\n  end.",
     "        (put i (Cast b index run v) m)\n  end.", ("Acceptor.v", "Steps.v")),
    ("a value of its own where another is reported", "Protocol.v",
     "  | Some (Decided u) | Some (Vote _ u) => u =? v\n",
     "  | Some (Decided u) | Some (Vote _ u) => true\n", ("Agreement.v", "Steps.v", "Nodes.v")),
    ("the lowest reported ballot wins", "Protocol.v",
     "| Vote b _, Vote c _ => if c <? b then r else q", "| Vote b _, Vote c _ => if b <? c then r else q",
     ("Facts.v", "Agreement.v", "Nodes.v", "Steps.v")),
    ("a vote told before it is durable", "Protocol.v",
     "  Some (set_cell w n s (append (cell_of w n s) x ms), [], a).",
     "  Some (set_cell w n s (append (cell_of w n s) x ms), ms, a).", ("Nodes.v", "Steps.v", "Invariant.v")),
    ("a run counted without a quorum", "Protocol.v",
     "when (active x && Q2 (List.map fst votes) &&", "when (active x && true &&",
     ("Facts.v", "Nodes.v", "Steps.v", "Invariant.v")),
]


def run(command, folder=None, check=True):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        sys.exit(f"prove: {' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done


def sources():
    return sorted(os.path.basename(path) for path in glob.glob(os.path.join(PROOF, "*.v")))


def text_of(name):
    with open(os.path.join(PROOF, name), encoding="utf-8") as f:
        return f.read()


def copy_changed(files, folder):
    """Keeps the time of what has not changed: make then does only what is due."""
    os.makedirs(folder, exist_ok=True)
    for old in os.listdir(folder):
        if old.endswith(".v") and old not in files:
            os.remove(os.path.join(folder, old))
    for name in files:
        with open(os.path.join(PROOF, name), "rb") as f:
            text = f.read()
        path = os.path.join(folder, name)
        if os.path.exists(path):
            with open(path, "rb") as f:
                if f.read() == text:
                    continue
        with open(path, "wb") as f:
            f.write(text)


def make(files, folder, targets=(), check=True, jobs=os.cpu_count()):
    run(["coq_makefile", "-Q", ".", LIBRARY, *files, "-o", "Makefile"], folder)
    return run(["make", "--no-print-directory", f"-j{jobs}", *targets], folder, check)


def theorems(files):
    found = []
    for name in files:
        text = text_of(name)
        if re.search(r"\b(Admitted|admit|Axiom|Parameter|Conjecture)\b", re.sub(r"\(\*.*?\*\)", "", text,
                                                                               flags=re.S)):
            sys.exit(f"prove: consensus/proof/{name} takes something for granted.")
        found += [f"{name[:-2]}.{theorem}" for theorem in STATED.findall(text)]
    return found


def closed(files):
    """Each theorem, asked what it rests on."""
    names = theorems(files)
    modules = sorted({name.split(".")[0] for name in names})
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "Evidence.v")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"From {LIBRARY} Require {' '.join(modules)}.\n")
            f.writelines(f"Print Assumptions {name}.\n" for name in names)
        said = run(["coqc", "-Q", COQ, LIBRARY, path]).stdout
    count = said.count(CLOSED)
    print(f"coq: {count} / {len(names)} theorems of {len(files)} files closed under the global context")
    if count != len(names):
        print(said)
    return count == len(names) > 0


def coqchk(what, folder, options, inputs, axiom):
    """coqchk reads compiled files with a kernel of its own. What it said of the same files counts."""
    digest = hashlib.sha256("\n".join([run(["coqc", "--version"]).stdout, *inputs]).encode())
    stamp = os.path.join(BUILD, f"coqchk-{what}-{digest.hexdigest()[:32]}")
    again = " (said of these files before)"
    if not os.path.exists(stamp):
        again = ""
        done = run(["coqchk", "-silent", "-o", "-Q", ".", LIBRARY, *options], folder)
        said = done.stdout + done.stderr
        found = re.search(r"^\* Axioms:(.*?)^\*", said, re.S | re.M)
        if not found or not re.fullmatch(rf"(\s*{axiom})+\s*", found[1]):
            print(f"coqchk: {said}")
            return False
        for old in glob.glob(os.path.join(BUILD, f"coqchk-{what}-*")):
            os.remove(old)
        with open(stamp, "w", encoding="utf-8") as f:
            f.write(said)
    print(f"coqchk: {what}, axioms: none{again}", flush=True)
    return True


def rechecked_standard(files):
    """What the proofs take of the standard library: most of the work, which hangs on no proof."""
    wanted = sorted({line for name in files for line in text_of(name).splitlines()
                     if line.startswith("From Coq Require")})
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "Standard.v"), "w", encoding="utf-8") as f:
            f.write("\n".join(wanted) + "\n")
        run(["coqc", "-Q", ".", LIBRARY, "Standard.v"], folder)
        return coqchk("standard", folder, [f"{LIBRARY}.Standard"], wanted, "<none>")


def rechecked(files):
    """The files alone. What coqchk does not read it takes for axioms where a module hides how it is
    defined: of the standard library's names the check beside tells whether they are."""
    options = [option for name in files for option in ("-norec", f"{LIBRARY}.{name[:-2]}")]
    return coqchk("proofs", COQ, options, map(text_of, files), r"(<none>|Coq\.\S+)")


def refused(mutant):
    what, path, old, new, where = mutant
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(COQ, os.path.join(folder, "coq"), dirs_exist_ok=True)
        folder = os.path.join(folder, "coq")
        target = os.path.join(folder, path)
        with open(target, encoding="utf-8") as f:
            text = f.read()
        if text.count(old) != 1:
            return what, f"its text stands {text.count(old)} times in {path}"
        with open(target, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))
        done = make(sources(), folder, [name + "o" for name in where], check=False, jobs=1)
    error = re.search(r'File "\./(\w+\.v)", line (\d+).*?\nError', done.stderr, re.S)
    if done.returncode == 0:
        return what, "the proofs hold all the same"
    if not error or error[1] not in where:
        return what, f"refused, but not by {' or '.join(where)}: {done.stderr[-300:]}"
    return what, None


def build_checker():
    shutil.copy(os.path.join(PROOF, "check.ml"), COQ)
    run(["ocamlfind", "ocamlopt", "-inline", "100", "-w", "-a", "-c", "protocol.mli", "protocol.ml"], COQ)
    run(["ocamlfind", "ocamlopt", "-inline", "100", "-w", "+a-4-9-40-41-42-44-45-70", "-warn-error", "+a",
         "protocol.cmx", "check.ml", "-o", CHECKER], COQ)
    print(f"checker: {os.path.relpath(CHECKER, ROOT)} is built from what was extracted")
    return True


def main():
    for tool in ("coqc", "coqchk", "coq_makefile", "ocamlfind"):
        if not shutil.which(tool):
            sys.exit(f"prove: {tool} is not installed: run tools/run setup.")
    files = sources()
    copy_changed(files, COQ)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        checks = []
        if "--checker" not in sys.argv[1:]:
            checks.append(pool.submit(rechecked_standard, files))
        make(files, COQ)
        results = [closed(files), build_checker()]
        if checks:
            checks.append(pool.submit(rechecked, files))
            for name, why in pool.map(refused, MUTANTS):
                print(f"mutant: {name}: {'refused' if why is None else 'NOT REFUSED: ' + why}", flush=True)
                results.append(why is None)
        results += [check.result() for check in checks]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()

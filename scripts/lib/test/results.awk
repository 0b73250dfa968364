# From what the test programs PROGRAMS printed on the kernel KERNEL (cargo's own heading or that of scripts/lib/vm/suite
# before each): a line `result <tab> KERNEL <tab> PROGRAM <tab> ok|FAILED` each, `refused <tab> KERNEL <tab> WORDS` for what
# was refused as documented, and the lines that begin with `rung`.
BEGIN { OFS = "\t"; split(PROGRAMS, names, " "); for (n in names) known[names[n]] = 1 }
{ gsub(/\033\[[0-9;]*m/, "") }
/^ *Running / {
    program = $2
    sub(/.*\//, "", program)
    sub(/\.rs$/, "", program)
    # Others do not depend on the kernel: those beside the code, those of the tool that only reads.
    if (!(program in known)) program = ""
}
/^== [a-z_]+ on / { program = $2 }
/^test result: / && program != "" { print "result", KERNEL, program, $3 == "ok." ? "ok" : "FAILED"; program = "" }
/refused as documented: / { sub(/.*refused as documented: /, ""); print "refused", KERNEL, $0 }
/^rung\t/ { print }

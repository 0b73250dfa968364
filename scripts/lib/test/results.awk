# From what tests printed on the kernel KERNEL (cargo's own heading or that of scripts/lib/vm/suite before each test
# program): a line `result <tab> KERNEL <tab> PROGRAM <tab> ok|FAILED` each, `refused <tab> KERNEL <tab> WORDS` for what
# was refused as documented, and the lines that begin with `rung`.
BEGIN { OFS = "\t" }
{ gsub(/\033\[[0-9;]*m/, "") }
# Only end-to-end tests: those beside the code do not depend on the kernel.
/^ *Running / { program = $2 ~ /^tests\// && !/ebpfmux/ ? $2 : ""; sub(/.*\//, "", program); sub(/\.rs$/, "", program) }
/^== [a-z_]+ on / { program = $2 }
/^test result: / && program != "" { print "result", KERNEL, program, $3 == "ok." ? "ok" : "FAILED"; program = "" }
/refused as documented: / { sub(/.*refused as documented: /, ""); print "refused", KERNEL, $0 }
/^rung\t/ { print }

# Prints what results.awk collected: module of tests by kernel (full or smoke where all passed, FAILED; - where
# tests/coverage.md has none), what was refused as documented, and per tool and hook the rung taken on each kernel. Kernels
# stand in the order in which they come.
BEGIN { FS = "\t" }
function column(kernel) {
    if (!(kernel in place)) { place[kernel] = ++kernels; name[kernels] = kernel }
}
$1 == "result" {
    column($2)
    if (!($3 in known)) { known[$3] = 1; program[++programs] = $3 }
    if (verdict[$3, $2] != "FAILED") verdict[$3, $2] = $5 == "ok" ? $4 : $5
}
$1 == "refused" { column($2); refusal[++refusals] = sprintf("  on %s: %s", $2, $3) }
$1 == "rung" {
    column($2)
    hook = $3 "\t" $4
    if (!(hook in taken)) { taken[hook] = 1; hooks[++count] = hook }
    # Kernels that take the same rung share a line.
    if ((hook, $5) in of) of[hook, $5] = of[hook, $5] " " $2
    else { of[hook, $5] = $2; rung[hook, ++rungs[hook]] = $5 }
}
END {
    printf "%-22s", "tests"
    for (k = 1; k <= kernels; k++) printf " %-7s", name[k]
    print ""
    for (p = 1; p <= programs; p++) {
        printf "%-22s", program[p]
        for (k = 1; k <= kernels; k++) printf " %-7s", (program[p], name[k]) in verdict ? verdict[program[p], name[k]] : "-"
        print ""
    }
    if (refusals) print "\nrefused, as documented"
    for (r = 1; r <= refusals; r++) print refusal[r]
    tool = ""
    for (h = 1; h <= count; h++) {
        split(hooks[h], part, "\t")
        if (part[1] != tool) { tool = part[1]; print "\n" tool }
        for (r = 1; r <= rungs[hooks[h]]; r++)
            printf "  %-18s %-32s %s\n", r == 1 ? part[2] : "", of[hooks[h], rung[hooks[h], r]] ":", rung[hooks[h], r]
    }
}

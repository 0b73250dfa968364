# Which tests run on a kernel: reads tests/coverage.md, then the names of all tests, one a line
# (MODULE::TEST). Prints for each module that has any, in the order of the table, a line `MODULE
# <tab> full|smoke <tab> TEST TEST …`. COLUMN names the kernel's column; with ALL=1 a row that is
# run in any guest is run in full. With OF="NAME …" only the modules of these tools: NAME, and those
# whose names begin with NAME_. A test that no row names, a row that names no test, and an unknown
# extent are printed on stderr, with status 1.
BEGIN {
    FS = " *[|] *"
    parts = split(OF, words, " ")
    for (w = 1; w <= parts; w++) wanted[words[w]] = 1
}
function wrong(words) { print "tests/coverage.md: " words >"/dev/stderr"; failed = 1 }
function is_of(module, tool) {
    if (!parts) return 1
    for (tool in wanted) if (module == tool || index(module, tool "_") == 1) return 1
    return 0
}
FILENAME ~ /coverage\.md$/ {
    if ($2 == "tests") for (i = 2; i < NF; i++) at[$i] = i
    else if (/^\| [a-z]/) {
        row[++rows] = $2
        extent[rows] = $(at[COLUMN])
        smoke[rows] = $(at["smoke"])
        module_of[rows] = row[rows]
        sub(/::.*/, "", module_of[rows])
        words_of[rows] = index(row[rows], "::") ? substr(row[rows], index(row[rows], "::") + 2) : ""
        if (extent[rows] !~ /^(full|smoke|-)$/) wrong(row[rows] ": " extent[rows] " on " COLUMN)
        if (extent[rows] == "smoke" && smoke[rows] == "") wrong(row[rows] ": smoke, and no test named for it")
        if (ALL && COLUMN != "here") for (i = at["here"] + 1; i < at["smoke"]; i++) if ($i != "-") extent[rows] = "full"
    }
    next
}
/::/ {
    module = $0
    sub(/::.*/, "", module)
    test = substr($0, length(module) + 3)
    best = 0
    for (r = 1; r <= rows; r++)
        if (module_of[r] == module && (words_of[r] == "" || index(test, words_of[r])) &&
            (!best || length(words_of[r]) > length(words_of[best]))) best = r
    if (!best) { wrong("no row for " $0); next }
    used[best] = 1
    if (index(test, smoke[best])) smoked[best] = 1
    if (!is_of(module) || extent[best] == "-" || extent[best] == "smoke" && !index(test, smoke[best])) next
    if (!(module in tests)) order[++modules] = module
    tests[module] = tests[module] " " test
    if (words_of[best] == "" || !(module in of)) of[module] = extent[best]
}
END {
    for (r = 1; r <= rows; r++) {
        if (!used[r]) wrong(row[r] ": names no test")
        else if (!smoked[r]) wrong(row[r] ": no test is called " smoke[r])
    }
    for (m = 1; m <= modules; m++) print order[m] "\t" of[order[m]] "\t" substr(tests[order[m]], 2)
    exit failed
}

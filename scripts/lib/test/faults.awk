# Whether the trials of tests/faults.md are held: reads that table, then the tests that passed, one a line. Prints how many
# trials there are and how many tests hold them; or, with status 1, each test that did not pass or does not exist, and each
# trial without one.
function wrong(words) { print "tests/faults.md: " words >"/dev/stderr"; failed = 1 }
FILENAME ~ /faults\.md$/ {
    # After the head of a table.
    if (/^\| -/) { rows = 1; next }
    if (!/^\|/) { rows = 0; next }
    if (!rows) next
    trials++
    cells = split($0, cell, / *\| */)
    tests = cell[cells - 1]
    if (cells != 5 || tests !~ /^`[a-z_0-9:]+`(, `[a-z_0-9:]+`)*$/) { wrong("no test in: " $0); next }
    gsub(/[`,]/, "", tests)
    for (i = split(tests, names, " "); i > 0; i--) {
        if (!(names[i] in trial)) held++
        trial[names[i]] = cell[2]
    }
    next
}
{ passed[$1] = 1 }
END {
    for (test in trial) if (!(test in passed)) wrong(test " did not pass, or does not exist: " trial[test])
    if (!failed) print "faults: " trials " trials held by " held " tests, all passed"
    exit failed
}

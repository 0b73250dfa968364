# From what test programs printed: the tests that passed, a line each. Those of a program that cargo ran are named
# PROGRAM::TEST, end-to-end tests as they are, MODULE::TEST. What a test writes to stderr may come between its name and its
# result, so the result of the program counts, too.
{ gsub(/\033\[[0-9;]*m/, "") }
/^ *Running .*\)$/ {
    program = $NF
    sub(/.*\//, "", program)
    sub(/-[0-9a-f]+\)$/, "", program)
}
/^== / { program = "" }
/^test [^ ]+ \.\.\. / && !/ \.\.\. ignored/ {
    name[++count] = (program == "" ? "" : program "::") $2
    good[count] = / \.\.\. ok$/
}
/^test result: / {
    for (i = 1; i <= count; i++) if (good[i] || $3 == "ok.") print name[i]
    count = 0
}

# The modules to pack for those wanted: what they depend on, and what they ask for while they run (soft dependencies).
# Reads modules.builtin, .dep, .alias and .softdep of one kernel. WANTED and OPTIONAL: names. Prints `path FILE` of each
# module, and `unknown NAME` for each wanted one that this kernel has neither as a module nor built in.
# Which of the four files a line is from shows by its form.
function name(path) {
    sub(/.*\//, "", path)
    sub(/\.ko.*/, "", path)
    gsub(/-/, "_", path)
    return path
}
function add(path, count, i, needed) {
    if (path in taken) return
    taken[path] = 1
    print "path " path
    count = split(needs[path], needed, " ")
    for (i = 1; i <= count; i++) add(needed[i])
    count = split(soft[name(path)], needed, " ")
    for (i = 1; i <= count; i++) find(needed[i])
}
function find(wanted, count, i, named) {
    if (name(wanted) in file) {
        add(file[name(wanted)])
        return 1
    }
    count = split(alias[name(wanted)], named, " ")
    for (i = 1; i <= count; i++) find(named[i])
    return count > 0 || name(wanted) in builtin
}
FILENAME ~ /modules\.builtin$/ { builtin[name($1)] = 1 }
FILENAME ~ /modules\.dep$/ {
    path = $1
    sub(/:$/, "", path)
    file[name(path)] = path
    $1 = ""
    needs[path] = $0
}
FILENAME ~ /modules\.alias$/ && $1 == "alias" && $2 !~ /[*:]/ && name($2) != name($3) {
    alias[name($2)] = alias[name($2)] " " $3
}
FILENAME ~ /modules\.softdep$/ && $1 == "softdep" {
    for (i = 3; i <= NF; i++) if ($i !~ /:$/) soft[name($2)] = soft[name($2)] " " $i
}
END {
    count = split(OPTIONAL, names, " ")
    for (i = 1; i <= count; i++) find(names[i])
    count = split(WANTED, names, " ")
    for (i = 1; i <= count; i++) if (!find(names[i])) print "unknown " names[i]
}

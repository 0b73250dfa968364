# From what the end-to-end tests printed on the kernel KERNEL, with the heading `== MODULE on KERNEL (full|smoke)` before
# each module: a line `result <tab> KERNEL <tab> MODULE <tab> full|smoke <tab> ok|FAILED` each, `refused <tab> KERNEL <tab>
# WORDS` for what was refused as documented, and the lines that begin with `rung`.
BEGIN { OFS = "\t" }
{ gsub(/\033\[[0-9;]*m/, "") }
# A module that did not finish has failed.
function end(verdict) {
    if (module != "") print "result", KERNEL, module, extent, verdict
    module = ""
}
/^== [a-z_]+ on [^ ]+ \((full|smoke)\)$/ { end("FAILED"); module = $2; extent = substr($5, 2, length($5) - 2) }
/^test result: / { end($3 == "ok." ? "ok" : "FAILED") }
/refused as documented: / { sub(/.*refused as documented: /, ""); print "refused", KERNEL, $0 }
/^rung\t/ { print }
END { end("FAILED") }

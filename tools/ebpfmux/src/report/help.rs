//! What `ebpfmux report --help` says after the options.

/// Examples, and what the page has.
pub const HELP: &str = "\
Examples:
  ebpfmux report /var/log/biolat > report.html    all of a recording
  ebpfmux report rec --from 03:00 --to 04:00 --assert 'biolat.p99_us < 20000' > night.html
                                                  an hour, and whether it was good
  ebpfmux --check -o json > check.json; ebpfmux report rec --check check.json > report.html
                                                  with kernel, hooks and bounds

Page: one file without scripts, which loads nothing. Light or dark as the reader's system is, on screens from 400 pixels, and \
on paper. It says what was recorded, of which hosts and when, what was lost, where nothing came, and whether each --assert \
held; then for each tool how its amounts and levels went on, percentiles of the merged buckets, heat maps, and who did most.

Bounds: a time line has at most 360 steps: of more intervals each step is the mean of several. A heat map has at most 180 \
columns, and four lines for each power of two. Percentiles are at most 3.2 % off. Owners are counted for at most 5000 keys of \
a tool; records of more are told. Records do not hold the kernel, hooks and bounds: without --check the page says that they \
are unknown. Records of events have no interval: they are only counted.

Exit status: 0 done; 1 a failure, or a part could not be read; 2 bad usage, or a file that cannot be opened; 5 an --assert \
does not hold: the page is complete all the same.";

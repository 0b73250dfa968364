//! Recognises common formats that are not records by their first line, and names the remedy.

/// A message that continues "line 1"; `None` if the format is not recognised.
pub fn guess(line: &[u8]) -> Option<String> {
    const PACKED: [(&[u8], &str, &str); 5] = [
        (b"\x1f\x8b", "gzip", "gzip -dc"),
        (b"\x28\xb5\x2f\xfd", "zstd", "zstd -dc"),
        (b"\xfd7zXZ\0", "xz", "xz -dc"),
        (b"BZh", "bzip2", "bzip2 -dc"),
        (b"PK\x03\x04", "zip", "unzip -p"),
    ];
    if let Some((_, by, with)) = PACKED.iter().find(|(magic, ..)| line.starts_with(magic)) {
        return Some(format!("is compressed by {by}: decompress it ({with})"));
    }
    if is_utf_16(line) {
        return Some("is UTF-16: convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)".into());
    }
    let text = line.trim_ascii();
    match text {
        [b'['] | [b'[', b'{' | b' ', ..] => {
            return Some("begins a JSON array: make a line of each record (jq -c '.[]')".into());
        }
        [b'{'] => return Some("is JSON over several lines: make a line of each record (jq -c .)".into()),
        _ => {}
    }
    let columns = [
        (b';', "semicolons", "--icsv --ifs ';'"),
        (b'\t', "tabs", "--itsv"),
        (b'|', "bars", "--icsv --ifs '|'"),
    ];
    let is_ts = |cell: &[u8]| matches!(cell.trim_ascii(), b"ts" | b"\"ts\"");
    let (_, by, options) = columns.into_iter().find(|(by, ..)| {
        let mut cells = text.split(|byte| byte == by);
        text.contains(by) && cells.any(is_ts)
    })?;
    Some(format!("has columns parted by {by}: part them by commas (mlr {options} --ocsv cat)"))
}

/// Whether it has a byte order mark of UTF-16, or begins with two ASCII characters in UTF-16.
fn is_utf_16(line: &[u8]) -> bool {
    matches!(line, [0xff, 0xfe, ..] | [0xfe, 0xff, ..])
        || matches!(line, [0, byte, 0, _, ..] | [byte, 0, _, 0, ..] if byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_forms_are_recognised() {
        let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
        for (line, told) in [
            (utf_16("\u{feff}ts,n\n"), "UTF-16"),
            (big("\u{feff}ts,n\n"), "UTF-16"),
            (utf_16("{\"ts\""), "UTF-16"),
            (big("{\"ts\""), "UTF-16"),
            (b"\x1f\x8b\x08\0\0".to_vec(), "gzip -dc"),
            (b"BZh91AY".to_vec(), "bzip2"),
            (b"[\n".to_vec(), "jq -c '.[]'"),
            (b"[{\"ts\":1}]\n".to_vec(), "jq -c '.[]'"),
            (b"{\n".to_vec(), "jq -c ."),
            (b" { \r\n".to_vec(), "jq -c ."),
            (b"ts;host;n\n".to_vec(), "semicolons"),
            (b"host\t\"ts\"\tn\n".to_vec(), "--itsv"),
        ] {
            let guessed = guess(&line).unwrap_or_default();
            assert!(guessed.contains(told), "{line:?}: {guessed}");
        }
        for line in
            [&b"x\n"[..], b"1,2\n", b"{\"ts\":1}\n", b"[1]\n", b"\xff", b"a;b\n", b"ts\n", b"", b"\0\0"]
        {
            assert_eq!(guess(line), None, "{line:?}");
        }
    }
}

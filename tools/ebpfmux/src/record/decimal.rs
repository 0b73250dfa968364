//! Decimal numbers as the tools print them, eight digits at once: for who reads very many of them.

const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
/// The most digits whose value a double has exactly, whatever they are.
const EXACT: usize = 15;
/// How many digits are read at once.
const AT_ONCE: usize = 8;

/// The number at the beginning of what follows a field's name, and the length of its text. Not a number for `null`; `None` for
/// any other value.
pub fn number(bytes: &[u8]) -> Option<(f64, usize)> {
    let ends = |(_, length): &(f64, usize)| matches!(bytes.get(*length), Some(b',' | b'}'));
    if let Some(short) = short(bytes).filter(ends) {
        return Some(short);
    }
    if bytes.starts_with(b"null") {
        return Some((f64::NAN, 4));
    }
    any(bytes)
}

/// The digits at the beginning, and those behind a point if there are any, with the length of their text: exactly, as the value
/// of up to 15 digits is, and one division by a power of ten up to 10^22. `None` if there are more, or none.
pub fn short(bytes: &[u8]) -> Option<(f64, usize)> {
    let (whole, before) = digits(bytes);
    if before == 0 || before > EXACT {
        return None;
    }
    if bytes.get(before) == Some(&b'.') {
        let (fraction, after) = digits(&bytes[before + 1..]);
        if after > 0 {
            let power = *POWERS.get(after).filter(|_| before + after <= EXACT)?;
            return Some(((whole as f64 * power + fraction as f64) / power, before + 1 + after));
        }
    }
    Some((whole as f64, before))
}

/// The digits at the beginning: their value, and how many of them there are, 16 at most.
fn digits(bytes: &[u8]) -> (u64, usize) {
    let (first, count) = eight(bytes);
    if count < AT_ONCE {
        return (first, count);
    }
    let (second, more) = eight(&bytes[AT_ONCE..]);
    (first * POWERS[more] as u64 + second, count + more)
}

/// The same of eight bytes, without looking at one after the other: how many digits a number has is what a processor guesses
/// wrong.
fn eight(bytes: &[u8]) -> (u64, usize) {
    let mut padded = [0; AT_ONCE];
    let chunk = bytes.first_chunk().unwrap_or_else(|| {
        padded[..bytes.len()].copy_from_slice(bytes);
        &padded
    });
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(*chunk);
    // Digits are 0x30 to 0x39.
    let upper = (word & (ONES * 0xf0)) ^ (ONES * 0x30);
    let lower = ((word & (ONES * 0x0f)) + ONES * 6) & (ONES * 0x10);
    let count = (upper | lower).trailing_zeros() / 8;
    let Some(word) = word.checked_shl(64 - 8 * count) else { return (0, 0) };
    // Pairs of digits, then of these, then of these again.
    let word = (word & (ONES * 0x0f)).wrapping_mul(10 << 8 | 1) >> 8;
    let word = (word & 0x00ff_00ff_00ff_00ff).wrapping_mul(100 << 16 | 1) >> 16;
    let word = (word & 0x0000_ffff_0000_ffff).wrapping_mul(10_000 << 32 | 1) >> 32;
    (word, count as usize)
}

/// Any number, as the standard library reads it.
fn any(bytes: &[u8]) -> Option<(f64, usize)> {
    let length = memchr::memchr2(b',', b'}', bytes)?;
    let text = std::str::from_utf8(&bytes[..length]).ok()?;
    // `parse` takes words, too: inf, nan.
    let is_number = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
    Some((text.parse().ok().filter(|_| is_number)?, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly() {
        for text in [
            "0",
            "7",
            "1993",
            "0.1",
            "8.163328",
            "123456789012345",
            "1234567890123456789",
            "99999.999",
            "-5",
            "1e3",
            "-1.5e-7",
        ] {
            let line = format!("{text},\"x\":1}}");
            let (read, length) = number(line.as_bytes()).unwrap();
            assert_eq!((read, length), (text.parse().unwrap(), text.len()), "{text}");
        }
        assert!(matches!(number(b"null}"), Some((nan, 4)) if nan.is_nan()));
        for bad in ["", ",", "true}", "\"1\"}", "[1]}", "inf}", "1", "1.2.3}", "x}", "."] {
            assert!(number(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn numbers_of_all_lengths_are_read_exactly() {
        const DIGITS: &str = "98765432101234567890";
        for before in 1..=DIGITS.len() {
            for after in 0..=DIGITS.len() - before {
                let (whole, fraction) = DIGITS.split_at(before);
                let point = if after == 0 { "" } else { "." };
                let text = format!("{whole}{point}{}", &fraction[..after]);
                for end in [",", "}", ",\"name\":12345678}"] {
                    let read = number(format!("{text}{end}").as_bytes());
                    assert_eq!(read, Some((text.parse().unwrap(), text.len())), "{text}{end}");
                }
            }
        }
    }
}

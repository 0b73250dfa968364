//! What a name that nobody knows was meant to be.

/// How much two names must be alike, of 1.
const ALIKE: f64 = 0.7;

/// `; did you mean 'window'?`, or nothing if none of the known names is like it.
pub fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let alike = |other: &&str| strsim::jaro(name, other);
    let best = known.into_iter().max_by(|a, b| alike(a).total_cmp(&alike(b)));
    match best.filter(|best| alike(best) >= ALIKE) {
        Some(best) => format!("; did you mean '{best}'?"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_alike_is_meant() {
        let known = ["window", "window-keys", "where", "wait"];
        assert_eq!(suggestion("windw", known), "; did you mean 'window'?");
        assert_eq!(suggestion("window_keys", known), "; did you mean 'window-keys'?");
        assert_eq!(suggestion("zzz", known), "");
    }
}

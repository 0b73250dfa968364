//! What expressions mean, and which are refused.

use super::*;

fn outcome(text: &str, values: &[(&str, &str)]) -> Result<Outcome, String> {
    let expression = Expression::parse(text)?;
    let values: Vec<(&str, Value<'_>)> = values
        .iter()
        .map(|(name, json)| {
            let line = format!("{{\"x\":{json}}}");
            let value = crate::record::from_json(line.as_bytes()).unwrap().remove(0).1;
            // The line is reused, so borrowed values are copied.
            (*name, value.into_owned())
        })
        .collect();
    let variables: Vec<Variable<'_>> = expression
        .names
        .iter()
        .map(|name| {
            let found = values.iter().find(|(known, _)| *known == name.path.join("."));
            match (found, name.test) {
                (found, true) => Variable::Present(found.is_some()),
                (Some((_, value)), false) => Variable::Value(value),
                (None, false) => Variable::Absent,
            }
        })
        .collect();
    expression.evaluate(&variables)
}

#[test]
fn one_equals_sign_is_told_from_two() {
    for text in ["disk = \"vda\"", "n >= 2 && disk='a'", "'\\'=' == s && n = 1"] {
        let refused = Expression::parse(text).map(|_| ()).unwrap_err();
        assert_eq!(refused, "`=` compares nothing: use ==", "{text}");
    }
    for text in ["s == 'a = b", "n => 1", "n +"] {
        assert!(Expression::parse(text).is_err(), "{text}");
        assert_eq!(assigns(text), text == "n => 1", "{text}");
    }
    assert!(["a == b", "a <= b", "a != '='", "a >= b"].iter().all(|text| !assigns(text)));
}

#[test]
fn numbers_mix_and_texts_compare() {
    let values = [("n", "3"), ("f", "2.5"), ("s", "\"a\\nb\""), ("big", "18446744073709551615")];
    for holds in [
        "n < 5",
        "f < n",
        "n / 2 == 1.5",
        "n * f == 7.5",
        "-n < 0",
        "n in [1, 3]",
        "big > 1e19",
        "s.startsWith('a') && size(s) == 3",
        "s.matches('^a.b$') || s.contains('\\n')",
        "!(n > 5)",
        "n == 3 ? f > 1 : f > 9",
        "double('2.5') == f && string(n) == '3'",
    ] {
        assert_eq!(outcome(holds, &values), Ok(Outcome::True), "{holds}");
    }
    assert_eq!(outcome("n >= 5", &values), Ok(Outcome::False));
}

#[test]
fn null_is_neither_true_nor_false() {
    let values = [("p", "null"), ("n", "1"), ("z", "0")];
    for unknown in
        ["p < 5", "!(p < 5)", "p + 1 > 0", "p.startsWith('x')", "z / z < 1", "p < 5 && n == 1", "gone > 1"]
    {
        assert_eq!(outcome(unknown, &values), Ok(Outcome::Unknown), "{unknown}");
    }
    for holds in ["p == null", "p < 5 || n == 1", "p == null || p < 5", "n != null"] {
        assert_eq!(outcome(holds, &values), Ok(Outcome::True), "{holds}");
    }
    assert_eq!(outcome("p < 5 && n == 2", &values), Ok(Outcome::False));
}

#[test]
fn lists_are_looked_into() {
    let values = [("buckets", "[[1.5,2],[9.0,1]]")];
    assert_eq!(outcome("buckets.exists(b, b[0] > 8 && b[1] >= 1)", &values), Ok(Outcome::True));
    assert_eq!(outcome("buckets.all(b, b[0] > 8)", &values), Ok(Outcome::False));
    assert_eq!(outcome("buckets[0][1] == 2 && size(buckets) == 2", &values), Ok(Outcome::True));
}

#[test]
fn names_are_paths() {
    let names = |text| Expression::parse(text).unwrap().names;
    let name =
        |path: &[&str], test| Name { path: path.iter().map(|part| (*part).to_owned()).collect(), test };
    assert_eq!(
        names("biolat.vda.p99_us < 5 && biolat['vda'].p99_us > 1"),
        [name(&["biolat", "vda", "p99_us"], false)]
    );
    assert_eq!(
        names("has(a.b) && c.exists(x, x.y > d)"),
        [name(&["a", "b"], true), name(&["c"], false), name(&["d"], false)]
    );
}

#[test]
fn times_compare() {
    let values = [
        ("ts", "\"2026-11-30T03:12:30.5Z\""),
        ("p99_us", "7500.25"),
        ("interval_s", "1.000012"),
        ("n", "3"),
        ("none_us", "null"),
        ("b", "[[1.5,2]]"),
    ];
    for holds in [
        "timestamp(ts) > timestamp('2026-11-30T03:10:00Z')",
        "ts > timestamp('2026-11-30T03:10:00Z') && ts < timestamp(\"2026-11-30T05:00:00+01:00\")",
        "timestamp('2026-11-30T03:12:30.500Z') == ts",
        "timestamp(ts) - timestamp('2026-11-30T03:10:00Z') < duration('5m')",
        "ts - timestamp('2026-11-30T03:10:00Z') == duration('2m30.5s')",
        "timestamp('2026-11-30T03:10:00Z') - ts < duration('0s')",
        "ts + duration('1h') > timestamp('2026-11-30T04:00:00Z')",
        "ts - duration('24h') < timestamp('2026-11-29T04:00:00Z')",
        "ts - interval_s < timestamp('2026-11-30T03:12:30Z')",
        "p99_us > duration('5ms') && p99_us < duration('7501us')",
        "duration('7.50025ms') == p99_us",
        "p99_us + duration('1s') > duration('1007ms')",
        "interval_s <= duration('1.1s') && interval_s > duration('1s')",
        "timestamp(ts).getHours() == 3 && timestamp(ts).getMinutes() >= 12",
        "timestamp(ts).getHours('America/New_York') == 22",
        "timestamp(ts).getDayOfWeek() == 1 && timestamp(ts).getFullYear() == 2026",
        "duration('90m').getHours() == 1",
        "string(duration('1m')) == '60s'",
        "b.all(one, one[0] < 2)",
        "interval_s < n ? ts > timestamp('2026-01-01T00:00:00Z') : false",
    ] {
        assert_eq!(outcome(holds, &values), Ok(Outcome::True), "{holds}");
    }
    for unknown in
        ["none_us < duration('1s')", "gone_us < duration('1s')", "timestamp(none_us) > timestamp(ts)"]
    {
        assert_eq!(outcome(unknown, &values), Ok(Outcome::Unknown), "{unknown}");
    }
    for (bad, why) in [
        ("ts > timestamp('yesterday')", "is no time: write 2026"),
        ("ts > timestamp('2026-11-30 03:10')", "is no time: write 2026"),
        ("p99_us > duration('5 minutes')", "is no length of time: write 5m"),
        ("n < duration('5m')", "`n` is no length of time"),
        ("ts - timestamp('2026-11-30T03:10:00Z') < 300", "compared with another: duration("),
    ] {
        let refused = Expression::parse(bad).map(|_| ()).unwrap_err();
        assert!(refused.contains(why), "{bad}: {refused}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    for bad in [
        "",
        "p99_us <",
        "frobnicate(1)",
        "a.startswith('x')",
        "n % 2 == 0",
        &"(".repeat(200),
        &"1+".repeat(3000),
    ] {
        assert!(Expression::parse(bad).is_err(), "{bad}");
    }
    for mistake in ["n", "s < 5", "n.startsWith('x')", "n && true", "size(n) > 0"] {
        assert!(outcome(mistake, &[("n", "1"), ("s", "\"x\"")]).is_err(), "{mistake}");
    }
}

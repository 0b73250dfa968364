//! The names of users.

use std::collections::HashMap;
use std::fs;

/// Names by number, as `/etc/passwd` has them.
#[derive(Default)]
pub struct Users(HashMap<u32, String>);

impl Users {
    /// Reads them; none if there is no such file.
    pub fn read() -> Self {
        Self::of(&fs::read_to_string("/etc/passwd").unwrap_or_default())
    }

    fn of(text: &str) -> Self {
        let named = |line: &str| {
            let mut fields = line.split(':');
            let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
            Some((number.parse().ok()?, name.to_string()))
        };
        Self(text.lines().filter_map(named).collect())
    }

    /// The name of a user, or else its number.
    pub fn name(&self, number: u32) -> String {
        self.0.get(&number).cloned().unwrap_or_else(|| number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_a_name_or_a_number() {
        let users = Users::of("root:x:0:0:root:/root:/bin/sh\nodd\nnobody:x:65534:1::/:/\n");
        assert_eq!([0, 65_534, 7].map(|number| users.name(number)), ["root", "nobody", "7"]);
    }
}

//! Users by name and number, as `/etc/passwd` has them: nothing else is asked (NSS), which a static program cannot.

use std::collections::HashMap;
use std::fs;

/// Where users have their names.
const FILE: &str = "/etc/passwd";

/// The names of users, by number.
#[derive(Default)]
pub struct Users(HashMap<u32, String>);

impl Users {
    /// Reads them; none if there is no such file.
    pub fn read() -> Self {
        Self::of(&fs::read_to_string(FILE).unwrap_or_default())
    }

    fn of(text: &str) -> Self {
        // The first of several names is a user's own.
        let mut names = HashMap::new();
        for (name, number) in entries(text) {
            names.entry(number).or_insert_with(|| name.to_string());
        }
        Self(names)
    }

    /// The name of a user, or else its number.
    pub fn name(&self, number: u32) -> String {
        self.0.get(&number).cloned().unwrap_or_else(|| number.to_string())
    }

    /// All names and numbers, in the order of the numbers.
    pub fn all(self) -> Vec<(String, u32)> {
        let mut all: Vec<_> = self.0.into_iter().map(|(number, name)| (name, number)).collect();
        all.sort_by_key(|(_, number)| *number);
        all
    }
}

/// The names and numbers of a file of users.
fn entries(text: &str) -> impl Iterator<Item = (&str, u32)> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        Some((name, number.parse().ok()?))
    })
}

/// A value of `--user`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// Its number, in the initial user namespace.
    pub uid: u32,
    /// Whether it is left out rather than asked for.
    pub excluded: bool,
}

impl User {
    /// One by its number, or its name in `/etc/passwd`.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::of(text, &fs::read_to_string(FILE).unwrap_or_default())
    }

    fn of(text: &str, users: &str) -> Result<Self, String> {
        let (excluded, user) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        let is_number = !user.is_empty() && user.bytes().all(|byte| byte.is_ascii_digit());
        let uid = if is_number {
            // The last number means no user (setreuid(2)).
            user.parse().ok().filter(|uid| *uid != u32::MAX).ok_or("not the number of a user")?
        } else {
            let named = entries(users).find(|(name, _)| *name == user && !user.is_empty());
            let (_, uid) = named.ok_or_else(|| format!("no such user in {FILE}: give its number (id -u)"))?;
            uid
        };
        Ok(Self { uid, excluded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str =
        "root:x:0:0:root:/root:/bin/sh\nodd\nnobody:x:65534:1::/:/\ntoor:x:0:0::/:/\n:x:7:7::/:/\n";

    #[test]
    fn a_user_has_a_name_or_a_number() {
        let users = Users::of(USERS);
        assert_eq!([0, 65_534, 8].map(|number| users.name(number)), ["root", "nobody", "8"]);
    }

    #[test]
    fn a_user_is_asked_for_by_name_or_number() {
        let of = |text| User::of(text, USERS).map(|user| (user.uid, user.excluded));
        assert_eq!(
            [of("toor"), of("!nobody"), of("4294967294")].map(Result::unwrap),
            [(0, false), (65_534, true), (4_294_967_294, false)]
        );
        for text in ["", "!", "-1", "+1", "4294967295", "99999999999", "alice", "!!root", " 0"] {
            assert!(of(text).is_err(), "{text}");
        }
        assert_eq!(of("alice").unwrap_err(), "no such user in /etc/passwd: give its number (id -u)");
    }
}

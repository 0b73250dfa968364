//! The names of types and response codes, as IANA's list "DNS Parameters" has them.

use std::borrow::Cow;

/// Types of questions.
const TYPES: [(u16, &str); 40] = [
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (10, "NULL"),
    (12, "PTR"),
    (13, "HINFO"),
    (15, "MX"),
    (16, "TXT"),
    (17, "RP"),
    (18, "AFSDB"),
    (24, "SIG"),
    (25, "KEY"),
    (28, "AAAA"),
    (29, "LOC"),
    (33, "SRV"),
    (35, "NAPTR"),
    (37, "CERT"),
    (39, "DNAME"),
    (41, "OPT"),
    (43, "DS"),
    (44, "SSHFP"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (53, "SMIMEA"),
    (59, "CDS"),
    (60, "CDNSKEY"),
    (61, "OPENPGPKEY"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (99, "SPF"),
    (249, "TKEY"),
    (251, "IXFR"),
    (252, "AXFR"),
    (255, "ANY"),
    (257, "CAA"),
];

/// Response codes, by their number.
pub const RCODES: [&str; 11] = [
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET",
    "NOTAUTH", "NOTZONE",
];

/// The numbers of those that have a field of their own.
pub const SERVFAIL: u8 = 2;
pub const NXDOMAIN: u8 = 3;
pub const REFUSED: u8 = 5;

/// The name of a type; `TYPE` and its number (RFC 3597) if it has none here.
pub fn type_name(number: u16) -> Cow<'static, str> {
    match TYPES.binary_search_by_key(&number, |(known, _)| *known) {
        Ok(place) => TYPES[place].1.into(),
        Err(_) => format!("TYPE{number}").into(),
    }
}

/// The name of a response code; `RCODE` and its number if it has none.
pub fn rcode_name(number: u8) -> Cow<'static, str> {
    match RCODES.get(usize::from(number)) {
        Some(name) => (*name).into(),
        None => format!("RCODE{number}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_name_has_its_number() {
        assert!(TYPES.is_sorted_by_key(|(number, _)| *number));
        assert_eq!(
            (type_name(28), type_name(257), type_name(0)),
            ("AAAA".into(), "CAA".into(), "TYPE0".into())
        );
        assert_eq!((rcode_name(3), rcode_name(15)), ("NXDOMAIN".into(), "RCODE15".into()));
    }
}

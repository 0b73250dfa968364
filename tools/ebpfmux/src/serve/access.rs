//! Who may ask for what: the token, and the host that a request names.

use hyper::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue, ORIGIN, WWW_AUTHENTICATE};
use hyper::{Method, Request, StatusCode};
use subtle::ConstantTimeEq;

use super::host::is_loopback;
use super::{Answer, text};

/// What a client needs.
pub enum Access {
    /// This token, for everything but /healthz: that of `--serve-token`.
    Token(String),
    /// On loopback: nothing for reading, and this token for orders. Without one there are no orders.
    Loopback(Option<String>),
}

impl Access {
    /// The answer to a request that is refused.
    pub fn refuse<B>(&self, request: &Request<B>, path: &[&str]) -> Option<Answer> {
        match self {
            Self::Token(_) if path == ["healthz"] || self.knows(request) => None,
            Self::Token(_) => Some(unauthorized("needs the header `Authorization: Bearer TOKEN`")),
            // A page in a browser on this machine may ask, too (CSRF, DNS rebinding).
            Self::Loopback(_) if !is_own(request) || request.headers().contains_key(ORIGIN) => Some(text(
                StatusCode::FORBIDDEN,
                "refused for pages in a browser, and for host names other than localhost",
            )),
            Self::Loopback(_) if !is_order(request, path) || self.knows(request) => None,
            Self::Loopback(_) => Some(unauthorized(
                "needs the header `Authorization: Bearer TOKEN`; ebpfmux named the token's file on stderr",
            )),
        }
    }

    /// Whether the request has the token.
    pub fn knows<B>(&self, request: &Request<B>) -> bool {
        let (Self::Token(token) | Self::Loopback(Some(token))) = self else { return false };
        header(request, &AUTHORIZATION).is_some_and(|given| is_bearer(given, token))
    }
}

/// Whether the value of a header `Authorization` is this token, of the scheme Bearer in any case.
fn is_bearer(given: &str, token: &str) -> bool {
    let (scheme, given) = given.trim().split_once(' ').unwrap_or_default();
    scheme.eq_ignore_ascii_case("bearer") && given.trim().as_bytes().ct_eq(token.as_bytes()).into()
}

fn is_order<B>(request: &Request<B>, path: &[&str]) -> bool {
    request.method() == Method::POST && matches!(path, ["tools", _, "enable" | "disable"])
}

/// Whether all hosts that a request names are loopback. HTTP/1.0 need not name one; browsers do.
fn is_own<B>(request: &Request<B>) -> bool {
    let named = request.headers().get_all(HOST).iter().map(|host| host.to_str().unwrap_or_default());
    let mut named = named.chain(request.uri().authority().map(|authority| authority.as_str()));
    named.all(is_loopback)
}

fn header<'a, B>(request: &'a Request<B>, name: &HeaderName) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

fn unauthorized(why: &str) -> Answer {
    let mut answer = text(StatusCode::UNAUTHORIZED, why);
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(access: &Access, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        let path: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
        let refusal = access.refuse(&request, &path);
        if let Some(refusal) = refusal.as_ref().filter(|refusal| refusal.status() == 401) {
            assert_eq!(refusal.headers()[WWW_AUTHENTICATE], "Bearer");
        }
        refusal.map_or(200, |refusal| refusal.status().as_u16())
    }

    #[test]
    fn a_token_is_shown_in_any_case_of_its_scheme() {
        let access = Access::Token("s3 cret".into());
        for (given, expected) in [
            ("Bearer s3 cret", 200),
            ("bearer s3 cret", 200),
            ("BEARER  s3 cret ", 200),
            ("Bearer s3 cre", 401),
            ("Bearer S3 CRET", 401),
            ("Basic s3 cret", 401),
            ("Bearer", 401),
            ("Bearer ", 401),
            ("", 401),
        ] {
            assert_eq!(status(&access, "GET", "/metrics", &[("authorization", given)]), expected, "{given}");
        }
        assert_eq!(status(&access, "GET", "/metrics", &[]), 401);
        assert_eq!(status(&access, "GET", "/healthz", &[("host", "evil.example")]), 200);
        assert_eq!(status(&access, "POST", "/tools/a/enable", &[]), 401);
    }

    #[test]
    fn on_loopback_orders_need_the_token_and_foreign_hosts_get_nothing() {
        let access = Access::Loopback(Some("a".into()));
        let token = ("authorization", "bearer a");
        for path in ["/metrics", "/healthz", "/tools"] {
            assert_eq!(status(&access, "GET", path, &[("host", "LOCALHOST:1")]), 200, "{path}");
            assert_eq!(status(&access, "GET", path, &[("host", "evil.example"), token]), 403, "{path}");
            assert_eq!(status(&access, "GET", path, &[("origin", "null")]), 403, "{path}");
        }
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(status(&access, "GET", "/metrics", &two), 403);
        assert_eq!(status(&access, "GET", "http://evil.example/metrics", &[("host", "localhost")]), 403);
        assert_eq!(status(&access, "POST", "/tools/a/disable", &[]), 401);
        assert_eq!(status(&access, "POST", "/tools/a/disable", &[token]), 200);
        assert_eq!(status(&Access::Loopback(None), "POST", "/tools/a/disable", &[token]), 401);
    }
}

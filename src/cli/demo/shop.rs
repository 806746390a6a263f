//! The shop: what it answers to a request, as a function of the request's head. No sockets and no clocks here.
//!
//! It behaves like the applications that gatelog is put in front of: it redirects, caches, reports its exceptions in
//! headers, says how long its database took, is slow at times, and now and then breaks an answer off.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, request};

use super::content::Content;
use super::dice::Dice;

/// What is for sale: slug, name, price in cents.
pub(super) const PRODUCTS: &[(&str, &str, u32)] = &[
    ("teapot", "Teapot, short and stout", 2450),
    ("kettle", "Kettle that whistles", 3990),
    ("mug-blue", "Mug, blue", 890),
    ("mug-red", "Mug, red", 890),
    ("oolong-100", "Oolong, 100 g", 1250),
    ("strainer", "Strainer", 640),
];

/// What the sales report takes: longer than the default `log.slow`, so that its slow record is seen.
pub(super) const REPORT_TAKES: Duration = Duration::from_millis(1500);

/// An answer, and how long the shop takes to come up with it.
#[derive(Debug)]
pub(super) struct Answer {
    /// Waited before the head is sent.
    pub(super) wait: Duration,
    /// What is sent then.
    pub(super) response: Response<Content>,
}

/// The shop's answer to a request; `dice` decides what differs from one visit to the next.
pub(super) fn answer(request: &request::Parts, dice: &mut Dice) -> Answer {
    let path = request.uri.path().strip_prefix('/').unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    let mut answer = match segments.as_slice() {
        [""] => home(),
        ["products", ""] => product_list(),
        ["products", slug, ""] => product(slug, dice),
        ["cart", ""] => cart(&request.method),
        ["checkout", ""] => checkout(dice),
        ["orders", id, ""] => order(id),
        ["api", "v1", "users", id, "orders"] => user_orders(id),
        ["media", "products", file] => picture(file),
        ["accounts", "login", ""] => login(request),
        ["payments", "refund", ""] => refund(),
        ["exports", "orders.csv"] => broken_export(),
        ["events", ""] => events(),
        ["reports", "sales", ""] => sales_report(),
        _ => not_found(),
    };
    tell_user(&request.headers, answer.response.headers_mut());
    answer
}

fn home() -> Answer {
    let links = [
        ("/products/", "Products"),
        ("/cart/", "Cart"),
        ("/accounts/login/?next=/cart/", "Log in"),
        ("/checkout/", "Check out (slow at times)"),
        ("/orders/5f8d1c3e-9b1a-4c56-8d0e-2f6a7b8c9d01/", "An order"),
        ("/api/v1/users/1042/orders", "A user's orders as JSON"),
        ("/events/", "A stream of events"),
        ("/reports/sales/", "The sales report (1.5 s)"),
        ("/payments/refund/", "A refund (fails)"),
        ("/exports/orders.csv", "An export (breaks off)"),
        ("/nothing-here", "A page that is not there"),
    ];
    let items: String = links.iter().map(|(href, text)| format!("<li><a href=\"{href}\">{text}</a>\n")).collect();
    at_once(page("The tea shop", &format!("<ul>\n{items}</ul>")))
}

fn product_list() -> Answer {
    let items: String =
        PRODUCTS.iter().map(|(slug, name, _)| format!("<li><a href=\"/products/{slug}/\">{name}</a>\n")).collect();
    at_once(page("Products", &format!("<ul>\n{items}</ul>"))).with("server-timing", "db;dur=3.2;desc=\"6 rows\"")
}

fn product(slug: &str, dice: &mut Dice) -> Answer {
    let Some((slug, name, cents)) = find_product(slug) else {
        return not_found();
    };
    let cached = if dice.once_in(3) { "MISS" } else { "HIT" };
    let body = format!("<img src=\"/media/products/{slug}.svg\" alt=\"\" width=\"96\"><p>{} &euro;", price(*cents));
    at_once(page(name, &body)).with("x-cache-status", cached)
}

/// POST puts something into the cart and shows it (303), as a form does.
fn cart(method: &Method) -> Answer {
    match *method {
        Method::POST => at_once(redirect(StatusCode::SEE_OTHER, "/cart/")),
        Method::GET | Method::HEAD => at_once(page("Cart", "<p>One teapot. <a href=\"/checkout/\">Check out</a>")),
        _ => {
            at_once(text(StatusCode::METHOD_NOT_ALLOWED, "a cart is read or added to")).with("allow", "GET, HEAD, POST")
        }
    }
}

/// One in four waits for the bank.
fn checkout(dice: &mut Dice) -> Answer {
    let bank = if dice.once_in(4) { 1100 + dice.below(700) } else { 40 + dice.below(120) };
    let mut answer = at_once(page("Thank you", "<p>Your tea is on its way."));
    answer.wait = Duration::from_millis(bank);
    answer.with("server-timing", &format!("bank;dur={bank}"))
}

fn order(id: &str) -> Answer {
    match uuid::Uuid::try_parse(id) {
        Ok(id) => at_once(page("Order", &format!("<p>Order {id}: one teapot, sent yesterday."))),
        Err(_) => not_found(),
    }
}

fn user_orders(id: &str) -> Answer {
    let Ok(id) = id.parse::<u64>() else {
        return not_found();
    };
    let orders: Vec<_> = PRODUCTS[..3]
        .iter()
        .map(|(slug, _, cents)| serde_json::json!({ "product": slug, "total": f64::from(*cents) / 100.0 }))
        .collect();
    at_once(json(&serde_json::json!({ "user_id": id, "orders": orders })))
}

fn picture(file: &str) -> Answer {
    let Some((slug, ..)) = file.strip_suffix(".svg").and_then(find_product) else {
        return not_found();
    };
    let hue = slug.bytes().map(u32::from).sum::<u32>() % 360;
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 96 96\"><rect width=\"96\" height=\"96\" rx=\"12\" \
         fill=\"hsl({hue} 60% 60%)\"/></svg>\n"
    );
    at_once(typed(StatusCode::OK, "image/svg+xml", svg))
        .with("x-cache-status", "HIT")
        .with("cache-control", "max-age=3600")
}

/// Logs in whoever asks, and sends them where they wanted to go (a path of this shop, nothing else).
fn login(request: &request::Parts) -> Answer {
    let next = request.uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("next=")));
    let next = next.filter(|next| next.starts_with('/') && !next.starts_with("//")).unwrap_or("/");
    let mut answer = at_once(redirect(StatusCode::FOUND, next));
    let session = HeaderValue::from_static("sessionid=visitor-1042; Path=/; HttpOnly; SameSite=Lax");
    answer.response.headers_mut().insert(SET_COOKIE, session);
    answer
}

/// An unhandled exception, reported the way gatelog's `exception_headers` expect it.
fn refund() -> Answer {
    at_once(page_with(StatusCode::INTERNAL_SERVER_ERROR, "Server error", "<p>We have been told."))
        .with("x-exception-type", "PaymentProviderError")
        .with("x-exception-message", "refund 7731 rejected: account closed")
}

/// Promises 64 KiB and dies after the first lines.
fn broken_export() -> Answer {
    let rows: String = (1..=40).map(|row| format!("{row},teapot,24.50\n")).collect();
    let mut response = typed(StatusCode::OK, "text/csv", "");
    *response.body_mut() = Content::broken_after(rows);
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("65536"));
    at_once(response)
}

/// Server-sent events: ten of them, 200 ms apart.
fn events() -> Answer {
    let pieces = (1..=10).map(|number| Bytes::from(format!("event: sale\ndata: {{\"number\":{number}}}\n\n")));
    let mut response = typed(StatusCode::OK, "text/event-stream", "");
    *response.body_mut() = Content::paced(pieces, Duration::from_millis(200));
    at_once(response)
}

fn sales_report() -> Answer {
    let answer = at_once(page("Sales", "<p>Six teapots.")).with("server-timing", "db;dur=1480, render;dur=12");
    Answer { wait: REPORT_TAKES, ..answer }
}

fn not_found() -> Answer {
    at_once(page_with(StatusCode::NOT_FOUND, "Not found", "<p><a href=\"/\">Back to the shop</a>"))
}

impl Answer {
    fn with(mut self, name: &'static str, value: &str) -> Answer {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.response.headers_mut().insert(HeaderName::from_static(name), value);
        }
        self
    }
}

/// Whoever has a session is named to the proxy, which strips the header before the client sees it.
fn tell_user(request: &HeaderMap, response: &mut HeaderMap) {
    let cookies = request.get(COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let session = cookies.split("; ").find_map(|cookie| cookie.strip_prefix("sessionid=visitor-"));
    let user = session.filter(|user| !user.is_empty() && user.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some(user) = user.and_then(|user| HeaderValue::from_str(user).ok()) {
        response.insert(HeaderName::from_static("x-user-id"), user);
    }
}

fn find_product(slug: &str) -> Option<&'static (&'static str, &'static str, u32)> {
    PRODUCTS.iter().find(|(known, ..)| *known == slug)
}

fn price(cents: u32) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn at_once(response: Response<Content>) -> Answer {
    Answer { wait: Duration::ZERO, response }
}

fn page(title: &str, body: &str) -> Response<Content> {
    page_with(StatusCode::OK, title, body)
}

fn page_with(status: StatusCode, title: &str, body: &str) -> Response<Content> {
    let html = format!("<!doctype html>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<h1>{title}</h1>\n{body}\n");
    typed(status, "text/html; charset=utf-8", html)
}

fn text(status: StatusCode, text: &str) -> Response<Content> {
    typed(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn json(value: &serde_json::Value) -> Response<Content> {
    typed(StatusCode::OK, "application/json", value.to_string())
}

fn redirect(status: StatusCode, to: &str) -> Response<Content> {
    let mut response = text(status, "see there");
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}

fn typed(status: StatusCode, kind: &'static str, bytes: impl Into<Bytes>) -> Response<Content> {
    let mut response = Response::new(Content::whole(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http_body::Body;

    use super::*;

    fn get(target: &str) -> Answer {
        let (parts, ()) = Request::get(target).body(()).unwrap().into_parts();
        answer(&parts, &mut Dice::seeded(1))
    }

    fn status(target: &str) -> u16 {
        get(target).response.status().as_u16()
    }

    #[test]
    fn every_page_that_the_home_page_links_to_exists() {
        let served = [
            "/products/",
            "/products/teapot/",
            "/cart/",
            "/checkout/",
            "/orders/5f8d1c3e-9b1a-4c56-8d0e-2f6a7b8c9d01/",
            "/api/v1/users/1042/orders",
            "/media/products/teapot.svg",
            "/events/",
            "/reports/sales/",
            "/exports/orders.csv",
        ];
        for target in served {
            assert_eq!(status(target), 200, "{target}");
        }
        assert_eq!(status("/accounts/login/"), 302);
        assert_eq!(status("/payments/refund/"), 500);
    }

    #[test]
    fn near_misses_are_not_found() {
        let missing = [
            "/nothing-here",
            "/products",
            "/products/samovar/",
            "/products/teapot",
            "/orders/17/",
            "/api/v1/users/x/orders",
            "/media/products/samovar.svg",
            "/media/products/teapot.png",
            "//",
        ];
        for target in missing {
            assert_eq!(status(target), 404, "{target}");
        }
    }

    #[test]
    fn the_cart_takes_a_post_and_refuses_a_delete() {
        let call = |method| {
            let (parts, ()) = Request::builder().method(method).uri("/cart/").body(()).unwrap().into_parts();
            answer(&parts, &mut Dice::seeded(1)).response
        };
        assert_eq!(call("POST").status(), 303);
        let refused = call("DELETE");
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["allow"]),
            (405, &"GET, HEAD, POST".parse().unwrap())
        );
    }

    #[test]
    fn an_exception_is_reported_in_headers() {
        let headers = get("/payments/refund/").response.headers().clone();
        assert_eq!(headers["x-exception-type"], "PaymentProviderError");
        assert_eq!(headers["x-exception-message"], "refund 7731 rejected: account closed");
    }

    #[test]
    fn the_report_is_slow_and_checkout_only_at_times() {
        assert_eq!(get("/reports/sales/").wait, REPORT_TAKES);
        let mut dice = Dice::seeded(3);
        let (parts, ()) = Request::get("/checkout/").body(()).unwrap().into_parts();
        let slow = (0..400).filter(|_| answer(&parts, &mut dice).wait > Duration::from_secs(1)).count();
        assert!((60..140).contains(&slow), "{slow} of 400");
    }

    #[test]
    fn a_session_names_the_user_and_nothing_else_does() {
        let user = |cookie: &str| {
            let (parts, ()) = Request::get("/").header("cookie", cookie).body(()).unwrap().into_parts();
            answer(&parts, &mut Dice::seeded(1)).response.headers().get("x-user-id").cloned()
        };
        assert_eq!(user("theme=dark; sessionid=visitor-77").unwrap(), "77");
        assert_eq!(user("sessionid=visitor-"), None);
        assert_eq!(user("sessionid=visitor-7 7"), None);
    }

    #[test]
    fn login_sends_only_to_paths_of_the_shop() {
        let location = |target: &str| get(target).response.headers()[LOCATION].clone();
        assert_eq!(location("/accounts/login/?next=/cart/"), "/cart/");
        assert_eq!(location("/accounts/login/?next=//evil.example/"), "/");
        assert_eq!(location("/accounts/login/?next=https://evil.example/"), "/");
        assert_eq!(location("/accounts/login/"), "/");
    }

    #[test]
    fn a_stream_declares_no_length_and_the_export_more_than_it_has() {
        assert_eq!(get("/events/").response.body().size_hint().exact(), None);
        let export = get("/exports/orders.csv").response;
        assert_eq!(export.headers()[CONTENT_LENGTH], "65536");
        assert!(!export.body().is_end_stream());
    }
}

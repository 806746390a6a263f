//! The shop's visitors: a few requests a second through the proxy, from people, scripts and a nosy scanner.
//!
//! Bounded in every direction: requests at a time, bytes read of an answer, time spent on one.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::app::Worker;
use super::dice::Dice;
use super::shop::PRODUCTS;

/// Requests that may be under way; a visitor who finds that many stays at home.
const AT_A_TIME: usize = 16;
/// What a visitor waits for the whole of an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a visitor reads of an answer before it has seen enough.
const ENOUGH: usize = 1 << 20;
/// The pause between two visits: three or four a second.
const PAUSE: std::ops::Range<u64> = 150..450;

/// Running traffic; it ends when this is dropped.
#[derive(Debug)]
pub struct Traffic {
    worker: Worker,
}

impl Traffic {
    /// Sends visitors to `proxy` from now on. Failures are the visitors' own business: the proxy's log tells of them.
    ///
    /// # Errors
    /// When no thread or no runtime is to be had.
    pub fn start(proxy: SocketAddr) -> io::Result<Traffic> {
        Ok(Traffic { worker: Worker::start("demo-traffic", move || stroll(proxy))? })
    }

    /// Sends everybody home and waits until they are.
    pub fn stop(self) {
        drop(self.worker);
    }
}

async fn stroll(proxy: SocketAddr) {
    let dice = Rc::new(RefCell::new(Dice::seeded(42)));
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    // Everything once, so that the first seconds show what there is to see; then as it comes.
    let mut tour = PLANS.iter();
    loop {
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            let plan = tour.next().unwrap_or_else(|| Plan::draw(&mut dice.borrow_mut()));
            let visit = Visit::draw(plan, &mut dice.borrow_mut(), proxy);
            tokio::task::spawn_local(async move {
                let _ = tokio::time::timeout(PATIENCE, visit.pay()).await;
                drop(place);
            });
        }
        let pause = PAUSE.start + dice.borrow_mut().below(PAUSE.end - PAUSE.start);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// One request to be made.
#[derive(Debug)]
struct Visit {
    proxy: SocketAddr,
    /// Head and body as they go over the wire.
    request: String,
    /// Goes away when the first bytes of the answer are here.
    leaves_early: bool,
}

impl Visit {
    fn draw(plan: &Plan, dice: &mut Dice, proxy: SocketAddr) -> Visit {
        let visitor = Visitor::draw(dice);
        let target = plan.target(dice);
        let body = plan.body;
        let mut request = format!("{} {target} HTTP/1.1\r\nHost: {proxy}\r\nConnection: close\r\n", plan.method);
        request += &visitor.headers();
        if !body.is_empty() {
            request +=
                &format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n", body.len());
        }
        request += "\r\n";
        request += body;
        Visit { proxy, request, leaves_early: plan.leaves_early }
    }

    async fn pay(&self) -> io::Result<()> {
        let mut stream = TcpStream::connect(self.proxy).await?;
        stream.write_all(self.request.as_bytes()).await?;
        let mut page = vec![0; 16 * 1024];
        let mut seen = 0;
        while seen < ENOUGH {
            let read = stream.read(&mut page).await?;
            seen += read;
            if read == 0 || self.leaves_early {
                break;
            }
        }
        Ok(())
    }
}

/// What a visitor comes for.
#[derive(Debug)]
struct Plan {
    /// How often it happens, against the sum of all.
    weight: u64,
    method: &'static str,
    /// With `{slug}`, `{user}` and `{order}` to be filled in.
    target: &'static str,
    body: &'static str,
    leaves_early: bool,
}

const PLANS: &[Plan] = &[
    Plan::get(16, "/"),
    Plan::get(2, "/reports/sales/"),
    Plan::get(14, "/products/"),
    Plan::get(24, "/products/{slug}/"),
    Plan::get(10, "/media/products/{slug}.svg"),
    // The token is there to be seen as REDACTED.
    Plan::get(5, "/accounts/login/?next=/cart/&token=s3cr3t"),
    Plan::post(6, "/cart/", "product=teapot&quantity=1"),
    Plan::get(6, "/cart/"),
    Plan::post(7, "/checkout/", "card=tok_1042&agree=yes"),
    // Rare enough that no alert fires by itself.
    Plan::post(1, "/payments/refund/", "order=7731"),
    Plan::get(6, "/orders/{order}/"),
    Plan::get(8, "/api/v1/users/{user}/orders?limit=20&sort=desc"),
    Plan::get(1, "/exports/orders.csv"),
    Plan::get(3, "/wp-login.php"),
    Plan { leaves_early: true, ..Plan::get(1, "/events/") },
    Plan::get(2, "/products/samovar-3000/"),
    Plan::get(2, "/events/"),
];

impl Plan {
    const fn get(weight: u64, target: &'static str) -> Plan {
        Plan { weight, method: "GET", target, body: "", leaves_early: false }
    }

    const fn post(weight: u64, target: &'static str, body: &'static str) -> Plan {
        Plan { weight, method: "POST", target, body, leaves_early: false }
    }

    fn draw(dice: &mut Dice) -> &'static Plan {
        let mut left = dice.below(PLANS.iter().map(|plan| plan.weight).sum());
        for plan in PLANS {
            if left < plan.weight {
                return plan;
            }
            left -= plan.weight;
        }
        &PLANS[0]
    }

    fn target(&self, dice: &mut Dice) -> String {
        let order = uuid::Builder::from_random_bytes(twice(dice.roll(), dice.roll())).into_uuid();
        self.target
            .replace("{slug}", dice.choose(PRODUCTS).0)
            .replace("{user}", &user(dice).to_string())
            .replace("{order}", &order.to_string())
    }
}

fn twice(high: u64, low: u64) -> [u8; 16] {
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

fn user(dice: &mut Dice) -> u64 {
    1001 + dice.below(60)
}

/// Who comes: their program, their address, and the account they are logged in to.
#[derive(Debug)]
struct Visitor {
    agent: &'static str,
    address: IpAddr,
    user: Option<u64>,
    referer: Option<&'static str>,
}

const AGENTS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "curl/8.14.1",
    "python-requests/2.32.4",
    "TeaShop-App/3.1 (Android 16)",
];

const REFERERS: &[&str] =
    &["https://shop.example/", "https://search.example/?q=teapot", "https://blog.example/best-teapots"];

impl Visitor {
    /// Addresses are those that documentation may use (RFC 5737); the visitors say them as a load balancer would.
    fn draw(dice: &mut Dice) -> Visitor {
        Visitor {
            agent: dice.choose::<&str>(AGENTS),
            address: IpAddr::V4(Ipv4Addr::new(203, 0, 113, dice.below(254) as u8 + 1)),
            user: (!dice.once_in(3)).then(|| user(dice)),
            referer: dice.once_in(2).then(|| *dice.choose(REFERERS)),
        }
    }

    fn headers(&self) -> String {
        let mut headers = format!("User-Agent: {}\r\nAccept: */*\r\nX-Forwarded-For: {}\r\n", self.agent, self.address);
        if let Some(user) = self.user {
            headers += &format!("Cookie: theme=dark; sessionid=visitor-{user}\r\n");
        }
        if let Some(referer) = self.referer {
            headers += &format!("Referer: {referer}\r\n");
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;

    const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

    fn visits(count: usize) -> Vec<Visit> {
        let mut dice = Dice::seeded(42);
        (0..count).map(|_| Visit::draw(Plan::draw(&mut dice), &mut dice, NOWHERE)).collect()
    }

    #[test]
    fn every_visit_is_a_request_that_parses() {
        for visit in visits(2000) {
            let mut fields = [httparse::EMPTY_HEADER; 16];
            let mut request = httparse::Request::new(&mut fields);
            let head = request.parse(visit.request.as_bytes()).unwrap().unwrap();
            let declared = request.headers.iter().find(|field| field.name == "Content-Length");
            let declared = declared.map_or(0, |field| std::str::from_utf8(field.value).unwrap().parse().unwrap());
            assert_eq!(visit.request.len() - head, declared, "{}", visit.request);
            assert!(!request.path.unwrap().contains('{'), "{}", visit.request);
        }
    }

    #[test]
    fn every_plan_comes_up_and_visits_differ() {
        let drawn = visits(2000);
        let lines: HashSet<&str> = drawn.iter().filter_map(|visit| visit.request.split("\r\n").next()).collect();
        for plan in PLANS {
            let start = format!("{} {}", plan.method, plan.target.split('{').next().unwrap());
            assert!(lines.iter().any(|line| line.starts_with(&start)), "{start}");
        }
        assert!(drawn.iter().any(|visit| visit.leaves_early));
        assert!(drawn.iter().map(|visit| &visit.request).collect::<HashSet<_>>().len() > 1900);
    }

    #[test]
    fn traffic_reaches_its_target_and_ends_when_stopped() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let traffic = Traffic::start(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let mut start = [0; 4];
        stream.read_exact(&mut start).unwrap();
        assert!([*b"GET ", *b"POST"].contains(&start), "{start:?}");
        traffic.stop();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(rest.windows(4).any(|window| window == b"\r\n\r\n"));
    }
}

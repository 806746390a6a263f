//! `gatelog demo`: a small shop behind the proxy, with visitors, so that records are seen before anything is set up.
//!
//! [`App`] is the shop on a loopback port, in a process of its own that can be killed ([`process`]), [`configuration`] puts a
//! proxy in front of it, [`Traffic`] sends visitors, and [`announcement`] tells the user what to open. All of it is local,
//! bounded, and gone with the proxy.

mod app;
mod content;
mod dice;
mod process;
mod shop;
mod traffic;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::app::preflight::Ready;
use crate::config::{self, Environment};

pub use app::App;
use process::{AWAY, News, ShopProcess};
pub use traffic::Traffic;

/// Where the demo listens unless somebody does already.
const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// What the demo does beside.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Where alerts are posted as JSON, beside the log: kill the shop, whose process is named at the start, and there is one
    #[arg(long, value_name = "URL")]
    pub webhook: Option<String>,
    /// Be the shop alone, at this address.
    #[arg(long, value_name = "ADDRESS", hide = true)]
    pub shop: Option<SocketAddr>,
}

/// Runs the shop, the proxy before it and the visitors, until a signal.
///
/// # Errors
/// What kept one of them from starting.
pub fn run(arguments: &DemoArguments, environment: &Environment) -> anyhow::Result<ExitCode> {
    match arguments.shop {
        Some(address) => process::serve(address).map(|()| ExitCode::SUCCESS).context("the shop does not serve"),
        None => show(arguments.webhook.as_deref(), environment),
    }
}

fn show(webhook: Option<&str>, environment: &Environment) -> anyhow::Result<ExitCode> {
    let shop = ShopProcess::start(tell).context("the shop does not start")?;
    let text = configuration(listen_address(), shop.address(), webhook);
    let loaded = config::load_bytes("demo", text.into_bytes(), environment);
    super::complain(&loaded.problems);
    let Some((config, table)) = loaded.config.zip(loaded.table) else { return Ok(ExitCode::from(super::MISUSED)) };
    let mut traffic = None;
    let ended = super::run::serve(Ready { config, table }, None, |proxy| {
        if let Some((address, _)) = proxy.addresses().first() {
            super::complain(&[announcement(*address, proxy.admin_address(), shop.id())]);
            traffic = Traffic::start(*address).ok();
        }
    });
    if let Some(traffic) = traffic {
        traffic.stop();
    }
    drop(shop);
    ended
}

fn tell(news: News) {
    super::complain(&[match news {
        News::Gone(status) => format!("gatelog demo: the shop is gone ({status}); in {} s it is back", AWAY.as_secs()),
        News::Back(id) => format!("gatelog demo: the shop is back, as process {id}"),
    }]);
}

/// The `[[route]]` table of the shop, as TOML.
pub fn routes() -> &'static str {
    include_str!("routes.toml")
}

/// A whole configuration: the proxy on `listen`, the shop at `app` behind it, alerts posted to `webhook`.
///
/// The loopback is trusted, so that the visitors' addresses, which they give as a load balancer would, are believed.
pub fn configuration(listen: SocketAddr, app: SocketAddr, webhook: Option<&str>) -> String {
    let url = webhook.map(|url| toml::Value::from(url).to_string());
    let channel = url.map(|url| format!("[[alerts.channel]]\ntype = \"webhook\"\nurl = {url}\n")).unwrap_or_default();
    format!(
        r#"workers = 1
shutdown_grace = "2s"

[[listen]]
address = "{listen}"

[identity]
trusted_proxies = ["127.0.0.1/32"]
user = [{{ response_header = "X-User-ID", strip = true }}]

[[upstream]]
name = "shop"
servers = ["http://{app}"]

[log]
service = "shop"
environment = "demo"

[alerts]
state = "off"

{channel}{}"#,
        routes()
    )
}

/// 127.0.0.1:8080 where that is free, and any free port (0) where it is not.
pub fn listen_address() -> SocketAddr {
    this_or_any_port(USUAL)
}

fn this_or_any_port(usual: SocketAddr) -> SocketAddr {
    match TcpListener::bind(usual) {
        Ok(_) => usual,
        Err(_) => SocketAddr::new(usual.ip(), 0),
    }
}

/// What to open and what to type, for stderr: stdout belongs to the records.
pub fn announcement(proxy: SocketAddr, dashboard: Option<SocketAddr>, shop: u32) -> String {
    let things = [
        ("/products/teapot/", "a page, with view name and arguments in its record"),
        ("/reports/sales/", "slow: reported after 1 s, while it still runs"),
        ("/payments/refund/", "an exception that the application reports"),
        ("/exports/orders.csv", "an answer that breaks off half way"),
        ("/nothing-here", "a 404"),
    ];
    let curls: String = things
        .iter()
        .map(|(path, what)| format!("  curl -i {:<50}# {what}\n", format!("http://{proxy}{path}")))
        .collect();
    let kill = format!("  kill {:<53}# an application that dies: an alert within seconds, and its end\n", shop);
    let dashboard = dashboard.map(|address| format!("  dashboard  http://{address}/\n")).unwrap_or_default();
    format!(
        "gatelog demo: a small shop behind gatelog, with a few visitors. Its records follow on stdout.\n\
         \n{dashboard}  the shop   http://{proxy}/\n{curls}{kill}\
         \n  JSON instead of colours: gatelog demo | cat        end: Ctrl-C\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_toml_with_both_addresses_and_every_route() {
        let (listen, app) = ("127.0.0.1:8080".parse().unwrap(), "127.0.0.1:43210".parse().unwrap());
        let parsed: toml::Table = configuration(listen, app, Some("http://127.0.0.1:1/\"x")).parse().unwrap();
        assert_eq!(parsed["listen"][0]["address"].as_str(), Some("127.0.0.1:8080"));
        assert_eq!(parsed["upstream"][0]["servers"][0].as_str(), Some("http://127.0.0.1:43210"));
        assert_eq!(parsed["route"].as_array().unwrap().len(), 12);
        assert_eq!(parsed["alerts"]["channel"][0]["url"].as_str(), Some("http://127.0.0.1:1/\"x"));
    }

    #[test]
    fn the_configuration_is_accepted_without_a_warning() {
        for webhook in [None, Some("http://127.0.0.1:9000/alerts")] {
            let text = configuration("127.0.0.1:8080".parse().unwrap(), "127.0.0.1:43210".parse().unwrap(), webhook);
            let loaded = crate::config::fuzz(text.as_bytes());
            assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
            assert_eq!(loaded.config.unwrap().routes.routes.len(), 12);
        }
    }

    #[test]
    fn a_taken_port_is_not_chosen() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert_eq!(this_or_any_port(taken.local_addr().unwrap()).port(), 0);
    }

    #[test]
    fn the_announcement_names_the_proxy_in_every_command() {
        let text = announcement("127.0.0.1:8080".parse().unwrap(), "127.0.0.1:9900".parse().ok(), 4711);
        assert_eq!(text.matches("curl -i http://127.0.0.1:8080/").count(), 5, "{text}");
        assert!(text.contains("\n  kill 4711 ") && text.contains("dashboard  http://127.0.0.1:9900/\n"), "{text}");
    }
}

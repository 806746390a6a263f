//! What loads, and as what.

use super::*;
use crate::listen::{ListenAddress, Redirect};
use crate::net::proxy_protocol::Versions;
use crate::pipeline::{Auth, Compression, Format, HttpBody, OutputKind, OutputSettings, SyslogAddress};
use crate::record::Level;
use crate::upstream::{Balance, EjectionSettings, Place, Protocol, QueueSettings, RetrySettings};

/// A working configuration with more behind it.
fn config(more: &str) -> Config {
    let text = super::text(&format!("{more}\n[[upstream]]\nname = \"app\"\nservers = [\"http://127.0.0.1:8000\"]\n"));
    assert_eq!(shown(&text), "");
    text.config.unwrap()
}

#[test]
fn the_rigs_configuration_loads() {
    let text = r#"
workers = 1
[[listen]]
address = "127.0.0.1:8080"
[[upstream]]
name = "app"
servers = ["http://127.0.0.1:9000"]
[[route]]
name = "home"
path = ""
[[route]]
name = "user-detail"
path = "api/v1/users/<int:pk>"
[log]
level = "info"
"#;
    let loaded = super::text(text);
    assert_eq!(shown(&loaded), "");
    let config = loaded.config.unwrap();
    assert_eq!((config.workers, config.routes.routes.len()), (Some(1), 2));
}

#[test]
fn nothing_but_an_upstream_is_all_defaults() {
    let config = config("");
    assert_eq!(config.listeners[0].address.to_string(), "0.0.0.0:8080");
    assert_eq!(config.shutdown_grace, Duration::from_secs(30));
    assert_eq!(config.workers, None);
}

/// A file of `config/`, with everything that is commented out put in where `examples` says so.
fn shipped(name: &str, examples: bool) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)).unwrap();
    let uncommented = |line: &str| match line.strip_prefix('#') {
        Some(setting) if examples && setting.starts_with(|first: char| first == '[' || first.is_ascii_lowercase()) => {
            format!("{setting}\n")
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(uncommented).collect()
}

/// Stands in for the files that the examples name.
fn with_example_files(token: Option<&str>) -> Environment {
    let secrets = ["HASH_KEY", "LOG_API_KEY", "SMTP_PASSWORD", "PAGERDUTY_ROUTING_KEY"].into_iter().chain(token);
    let variables = secrets
        .map(|name| (name, "0123456789abcdef"))
        .chain([("ALERT_WEBHOOK", "https://hooks.example.com/0123456789abcdef")])
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    Environment::with_files(variables, |path| match path.extension().and_then(|it| it.to_str()) {
        Some("pem") => Ok(b"PEM".to_vec()),
        Some("toml") => Ok(b"[[route]]\nname = \"from-file\"\npath = \"file/\"\n".to_vec()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    })
}

fn load_shipped(name: &str, examples: bool) -> Loaded {
    load_bytes(name, shipped(name, examples).into_bytes(), &with_example_files(None))
}

#[test]
fn the_shipped_files_load_without_a_word() {
    for name in ["minimal.toml", "production.toml", "reference.toml", "django-logging.toml"] {
        let loaded = load_shipped(name, false);
        assert_eq!(shown(&loaded), "", "{name}");
        assert!(loaded.config.is_some());
    }
}

/// One upstream as it is written.
fn upstream(lines: &str) -> crate::upstream::Settings {
    let loaded = super::text(&format!("[[upstream]]\nname = \"app\"\n{lines}\n"));
    assert_eq!(shown(&loaded), "");
    loaded.config.unwrap().upstreams.remove(0)
}

#[test]
fn servers_have_weights_limits_and_backups() {
    let app = upstream(
        r#"servers = ["http://127.0.0.1:1", { url = "unix:/run/app.sock", weight = 3, max_requests = 5, backup = true }]
max_requests = 7"#,
    );
    let said: Vec<_> = app.servers.iter().map(|it| (it.weight, it.backup, it.max_requests)).collect();
    assert_eq!(said, [(1, false, Some(7)), (3, true, Some(5))]);
    assert_eq!(app.servers[1].place, Place::Unix("/run/app.sock".into()));
}

#[test]
fn servers_may_speak_http2() {
    let protocols = |lines: &str| upstream(lines).servers.iter().map(|server| server.protocol).collect::<Vec<_>>();
    assert_eq!(protocols(r#"servers = ["h2c://a", "http://b"]"#), [Protocol::H2c, Protocol::Http]);
    let all = r#"servers = ["http://a", "https://b", "unix:/c", "h2c://d"]"#;
    let spoken = [Protocol::H2c, Protocol::H2, Protocol::H2c, Protocol::H2c];
    assert_eq!(protocols(&format!("{all}\nprotocol = \"h2\"")), spoken);
    assert_eq!(protocols("servers = [\"https://b\"]\nprotocol = \"http/1.1\""), [Protocol::Https]);
}

#[test]
fn tunnels_have_a_time_of_their_own_and_are_reported() {
    let tunnel = |lines: &str| upstream(&format!("servers = [\"http://a\"]\n{lines}")).timeouts.tunnel;
    assert_eq!(tunnel(""), Some(Duration::from_secs(3600)));
    assert_eq!(tunnel("timeouts = { tunnel = \"off\" }"), None);
    assert_eq!(config("[log]\nprogress = \"5m\"").exchange.progress, Some(Duration::from_secs(300)));
    assert_eq!(config("[log]\nprogress = \"off\"").exchange.progress, None);
}

#[test]
fn servers_of_http2_are_asked_whether_they_live() {
    let ping = |lines: &str| upstream(&format!("servers = [\"h2c://a\"]\n{lines}")).timeouts.ping;
    assert_eq!(ping(""), Some(Duration::from_secs(10)));
    assert_eq!(ping("timeouts = { ping = \"1s\" }"), Some(Duration::from_secs(1)));
    assert_eq!(ping("timeouts = { ping = 0 }"), None);
}

#[test]
fn an_upstream_says_how_its_servers_share_requests() {
    let app = upstream(
        r#"servers = ["http://app.example"]
balance = "header_hash:X-Session"
resolver = ["10.0.0.2", "127.0.0.1:8600"]
health = { path = "/up?x=1", host = "app.example:81", interval = "1s", timeout = "200ms", status = [200, "3xx", "404-410"] }
ejection = { failures = 2, time = "1s", longest = "1s", share = 0.25 }
slow_start = "off"
retries = { attempts = 4, on = ["response_timeout"], budget = "5%" }
queue = "off"
max_requests = 1"#,
    );
    assert_eq!(app.balance, Balance::HeaderHash("x-session".parse().unwrap()));
    assert_eq!(app.resolver, ["10.0.0.2:53".parse().unwrap(), "127.0.0.1:8600".parse().unwrap()]);
    let health = app.health.unwrap();
    assert_eq!((health.path.as_str(), health.host.as_deref()), ("/up?x=1", Some("app.example:81")));
    assert_eq!((health.timeout, health.unhealthy_after), (Duration::from_millis(200), 3));
    assert_eq!(health.status, [(200, 200), (300, 399), (404, 410)]);
    let second = Duration::from_secs(1);
    assert_eq!(app.ejection, Some(EjectionSettings { failures: 2, time: second, longest: second, share: 0.25 }));
    assert_eq!(app.slow_start, None);
    let on = (false, false, true);
    let retries = RetrySettings { attempts: 4, on_connect: on.0, on_reset: on.1, on_timeout: on.2, budget: 0.05 };
    assert_eq!(app.retries, Some(retries));
    assert_eq!(app.queue, QueueSettings { requests: 0, ..QueueSettings::default() });
}

/// The outputs of the Django example.
fn django_outputs() -> Vec<OutputSettings> {
    load_shipped("django-logging.toml", false).config.unwrap().pipeline.outputs
}

#[test]
fn a_django_projects_logging_is_written_down_one_to_one() {
    let outputs = django_outputs();
    let said: Vec<_> = outputs.iter().map(|it| (it.name.as_str(), it.kind.as_str(), it.format, it.level)).collect();
    let handlers = [
        ("console", "stdout", Format::Simple, None),
        ("app", "file", Format::Verbose, None),
        ("errors", "file", Format::Verbose, Some(Level::Error)),
        ("security", "file", Format::Verbose, Some(Level::Warning)),
        ("collector", "http", Format::Auto, Some(Level::Warning)),
        ("syslog", "syslog", Format::Simple, Some(Level::Error)),
    ];
    assert_eq!(said, handlers);
    let filtered: Vec<_> = outputs.iter().filter(|it| it.filter.is_some()).map(|it| it.name.as_str()).collect();
    assert_eq!(filtered, ["security"]);
}

#[test]
fn a_django_projects_files_are_rotated_as_its_handlers_do() {
    let outputs = django_outputs();
    let rotations: Vec<_> = outputs.iter().filter_map(|output| output.kind.file()?.rotate).collect();
    let said: Vec<_> = rotations.iter().map(|rotate| (rotate.size, rotate.every, rotate.keep)).collect();
    let (megabytes, day) = (Some(10 << 20), Some(Duration::from_secs(86_400)));
    assert_eq!(said, [(megabytes, None, 5), (None, day, 30), (megabytes, None, 10)]);
    assert_eq!(rotations[1].compress, Some(Compression::Gzip));
}

#[test]
fn a_django_projects_collector_and_syslog_are_told_what_their_handlers_were() {
    let outputs = django_outputs();
    let [.., collector, syslog] = outputs.as_slice() else { panic!("{outputs:?}") };
    let OutputKind::Http(http) = &collector.kind else { panic!("{collector:?}") };
    assert_eq!(
        (&http.body, http.request.endpoint.to_string().as_str()),
        (&HttpBody::Logs, "https://logs.example.com/ingest")
    );
    let Auth::Bearer(token) = &http.request.auth else { panic!("{http:?}") };
    assert_eq!(token.expose(), "0123456789abcdef", "from LOG_API_KEY");
    let delivery = &http.delivery;
    assert_eq!((delivery.batch.records, delivery.batch.wait), (100, Duration::from_secs(5)));
    assert!(delivery.spool.as_ref().is_some_and(|spool| spool.path.ends_with("logs/spool")));
    let OutputKind::Syslog(syslog) = &syslog.kind else { panic!("{syslog:?}") };
    assert_eq!((&syslog.address, syslog.facility), (&SyslogAddress::Unix("/dev/log".into()), 16));
}

#[test]
fn the_reference_as_it_is_is_the_default() {
    let reference = load_shipped("reference.toml", false).config.unwrap();
    let minimal = load_shipped("minimal.toml", false).config.unwrap();
    assert_eq!(format!("{reference:#?}"), format!("{minimal:#?}"));
}

#[test]
fn the_reference_has_every_key_that_is_read_and_no_other() {
    let environment = with_example_files(Some("GATELOG_ADMIN_TOKEN"));
    let (loaded, asked) = resolve::load_and_list_keys(shipped("reference.toml", true).into_bytes(), &environment);
    let wrong: Vec<&Problem> = loaded.problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
    assert!(wrong.is_empty(), "{}", shown(&loaded));
    let missing: Vec<&String> = asked.iter().filter(|(_, found)| !**found).map(|(key, _)| key).collect();
    // Other ways to say the same are shown in prose.
    let prose = [
        "admin.token.file",
        "alerts.channel.password.file",
        "alerts.channel.routing_key.file",
        "alerts.channel.url.file",
        "identity.hash_key.file",
        "log.output.header",
        "log.output.password",
        "log.output.token.file",
    ];
    assert_eq!(missing, [prose.as_slice(), &["log.output.user", "log.redact.ip.hash"]].concat());
    assert!(asked.len() > 80, "{}", asked.len());
}

#[test]
fn every_key_of_the_reference_says_why() {
    let text = shipped("reference.toml", false);
    let lines: Vec<&str> = text.lines().collect();
    let is_prose = |line: &str| line.starts_with("# ");
    for section in text.split("\n\n").skip(2) {
        assert!(section.lines().any(is_prose), "{section}");
    }
    assert!(lines.iter().filter(|line| is_prose(line)).count() > 60);
}

#[test]
fn variables_override_keys_lists_and_entries() {
    let variables = [
        ("GATELOG_LOG__LEVEL", "debug"),
        ("GATELOG_LOG__SERVICE", "42"),
        ("GATELOG_LOG__NULLS", "true"),
        ("GATELOG_WORKERS", "3"),
        ("GATELOG_LISTEN__0__ADDRESS", "127.0.0.1:1"),
        ("GATELOG_LISTEN__1__ADDRESS", "127.0.0.1:2"),
        ("GATELOG_UPSTREAM__0__SERVERS__0", "http://127.0.0.1:9"),
        ("GATELOG_UPSTREAM__0__TIMEOUTS", "{ connect = \"3s\" }"),
        ("GATELOG_IDENTITY__TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1"),
        ("GATELOG_IDENTITY__REQUEST_ID__ACCEPT", "always"),
        ("GATELOG_LOG__LABELS__REQUEST_HEADERS", "[\"X-A\", \"X-B\"]"),
        ("OTHER", "x"),
    ];
    let file =
        "workers = 1\n[[upstream]]\nname = \"app\"\nservers = [\"http://127.0.0.1:8000\"]\n[log]\nlevel = \"info\"\n";
    let loaded = with_variables(file, &variables);
    assert_eq!(shown(&loaded), "");
    let config = loaded.config.unwrap();
    let addresses: Vec<String> = config.listeners.iter().map(|listen| listen.address.to_string()).collect();
    assert_eq!(addresses, ["127.0.0.1:1", "127.0.0.1:2"]);
    assert_eq!(config.pipeline.level, Some(crate::record::Level::Debug));
    assert_eq!(config.record.service.as_deref(), Some("42"));
    assert!(config.record.nulls);
    assert_eq!(config.workers, Some(3));
    let place = Place::Host { host: "127.0.0.1".to_owned(), port: 9 };
    assert_eq!(config.upstreams[0].servers[0].place, place);
    assert_eq!(config.upstreams[0].timeouts.connect, Some(Duration::from_secs(3)));
    let proxies: Vec<String> = config.exchange.trusted_proxies.nets.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "127.0.0.1/32"]);
    assert_eq!(config.exchange.labels.request_headers.len(), 2);
}

#[test]
fn upstream_arguments_work_without_a_file_and_over_one() {
    let upstreams = vec!["http://127.0.0.1:1".to_owned(), "https://b".to_owned()];
    let loaded = load(&Source { file: None, upstreams: upstreams.clone() }, &plain());
    assert_eq!(shown(&loaded), "");
    let config = loaded.config.unwrap();
    assert_eq!((config.upstreams[0].name.as_str(), config.upstreams[0].servers.len()), ("default", 2));

    let files = |_: &Path| Ok(b"[[upstream]]\nname = \"app\"\nservers = [\"http://c\"]\n".to_vec());
    let environment = Environment::with_files([], files);
    let loaded = load(&Source { file: Some("gatelog.toml".into()), upstreams }, &environment);
    let config = loaded.config.unwrap();
    assert_eq!(config.upstreams.len(), 1);
    assert_eq!((config.upstreams[0].name.as_str(), config.upstreams[0].servers.len()), ("app", 2));
}

#[test]
fn routes_of_files_come_before_those_of_the_configuration() {
    let file = "routes = [\"more/routes.toml\"]\n[[route]]\nname = \"inline\"\nregex = '^x/'\nroute = [{ path = \"\" }]\n\
                [[upstream]]\nname = \"app\"\nservers = [\"http://a\"]\n";
    let loaded = load_bytes("etc/gatelog.toml", file.as_bytes().to_vec(), &with_example_files(None));
    let routes = loaded.config.unwrap().routes.routes;
    let names: Vec<_> = routes.iter().map(|route| route.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["from-file", "inline"]);
    assert!(matches!(&routes[1].pattern, crate::routes::Pattern::RegexPrefix(regex) if regex == "^x/"));
    assert_eq!(loaded.places.place(routes[0].origin, "path").to_string(), "etc/more/routes.toml:3:8");
    assert_eq!(loaded.places.place(routes[1].origin, "nothing").to_string(), "etc/gatelog.toml:2:1");
}

#[test]
fn redaction_lists_add_or_replace() {
    let redact = |list: &str| config(&format!("[log]\nredact = {{ query = {list} }}\n")).record.redact.query;
    let defaults = crate::record::RedactSettings::default().query;
    assert_eq!(redact("[\"+Ref\"]"), [defaults.clone(), vec!["ref".to_owned()]].concat());
    assert_eq!(redact("[\"+TOKEN\"]"), defaults);
    assert_eq!(redact("[\"ref\", \"token\"]"), ["ref", "token"]);
    assert!(redact("[]").is_empty());
}

#[test]
fn secrets_come_from_variables_files_and_strings() {
    let key = |written: &str| {
        let text = format!("[identity]\nhash_key = {written}\n[[upstream]]\nname = \"a\"\nservers = [\"http://a\"]\n");
        let files = |path: &Path| match path.to_str() {
            Some("etc/key") => Ok(b"fedcba9876543210\n".to_vec()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        };
        let environment = Environment::with_files([("KEY".to_owned(), "0123456789abcdef".to_owned())], files);
        let loaded = load_bytes("etc/gatelog.toml", text.into_bytes(), &environment);
        assert_eq!(shown(&loaded), "");
        loaded.config.unwrap().exchange.hash_key.unwrap().expose().to_owned()
    };
    assert_eq!(key("{ env = \"KEY\" }"), "0123456789abcdef");
    assert_eq!(key("{ file = \"key\" }"), "fedcba9876543210");
    assert_eq!(key("\"${KEY}\""), "0123456789abcdef");
}

#[test]
fn the_file_is_the_named_one_else_the_one_here_else_none() {
    let with = Environment::with_files([], |_| Ok(Vec::new()));
    let without = Environment::with_files([], |_| Err(std::io::ErrorKind::NotFound.into()));
    let unreadable = Environment::with_files([], |_| Err(std::io::ErrorKind::PermissionDenied.into()));
    let chosen = |named: Option<&str>, environment| Source::choose(named.map(Into::into), Vec::new(), environment).file;
    assert_eq!(chosen(Some("a.toml"), &with), Some("a.toml".into()));
    assert_eq!(chosen(None, &with), Some("gatelog.toml".into()));
    assert_eq!(chosen(None, &without), None);
    // It is there, so that running without it would not be what was meant.
    assert_eq!(chosen(None, &unreadable), Some("gatelog.toml".into()));
}

#[test]
fn bodies_are_captured_only_where_that_is_asked_for() {
    assert!(config("").exchange.capture.is_none());
    assert!(config("[log]\ncapture = { response_body = \"off\" }").exchange.capture.is_none());
    let capture = config("[log]\ncapture = {}").exchange.capture.unwrap();
    assert_eq!((capture.response_body, capture.when), (4096, "status>=500".parse().unwrap()));
    assert_eq!(capture.content_types, ["application/problem+json", "application/json", "text/plain"]);
    let more = "[log.capture]\nresponse_body = 100\nwhen = \"route:x level>=error word\"\ncontent_types = [\"Text/*\"]";
    let capture = config(more).exchange.capture.unwrap();
    assert_eq!((capture.response_body, capture.content_types), (100, vec!["text/*".to_owned()]));
}

#[test]
fn the_admin_listener_is_on_this_machine_unless_said_otherwise() {
    let address = |more: &str| config(more).admin.address.map(|address| address.to_string());
    assert_eq!(address("").as_deref(), Some("127.0.0.1:9900"));
    assert_eq!(address("[admin]\naddress = \"[::1]:0\"").as_deref(), Some("[::1]:0"));
    assert_eq!((address("admin = \"off\""), address("[admin]\naddress = \"off\"")), (None, None));
    let open =
        config("[admin]\naddress = \"0.0.0.0:9900\"\ntoken = \"0123456789abcdef\"\nhosts = [\"A.example\"]").admin;
    assert_eq!(
        (open.token.as_ref().map(|it| it.expose()), open.hosts),
        (Some("0123456789abcdef"), vec!["a.example".into()])
    );
}

#[test]
fn a_variable_that_holds_a_secret_need_set_no_key() {
    let text = format!("[admin]\ntoken = {{ env = \"GATELOG_ADMIN_TOKEN\" }}\n{UPSTREAM}");
    let loaded = with_variables(&text, &[("GATELOG_ADMIN_TOKEN", "0123456789abcdef")]);
    assert_eq!(shown(&loaded), "");
    let off = with_variables(UPSTREAM, &[("GATELOG_ADMIN", "off")]);
    assert_eq!((shown(&off).as_str(), off.config.unwrap().admin.address), ("", None));
}

const UPSTREAM: &str = "[[upstream]]\nname = \"app\"\nservers = [\"http://127.0.0.1:8000\"]\n";

#[test]
fn limits_of_clients() {
    use crate::listen::{RateKey, RequestRate};
    let config = config(
        "[limits]\nconnections_per_ip = 20\nrequests_per_second = 10\nrate_key = \"header:X-Api-Key\"\n\
         body_min_rate = \"1KB\"\nexempt = [\"10.0.0.0/8\"]\nresets_per_connection = 0\n",
    );
    let limits = &config.limits;
    let rate = RequestRate {
        per_second: 10.try_into().unwrap(),
        burst: 10,
        key: RateKey::Header("x-api-key".parse().unwrap()),
    };
    assert_eq!(limits.requests, Some(rate));
    assert_eq!((limits.connections_per_ip, limits.body_min_rate), (Some(20), Some(1024)));
    assert_eq!((limits.exempt.len(), limits.resets_per_connection), (1, None));
}

#[test]
fn listeners_have_edges_of_many_kinds() {
    let text = r#"
[identity]
trusted_proxies = ["10.0.0.0/8", "unix:"]
[[listen]]
address = "unix:/run/gatelog.sock"
mode = "0660"
group = 33
proxy_protocol = "any"
[[listen]]
address = "fd:http"
redirect = "https:8443"
[[listen]]
address = "0.0.0.0:8443"
hsts = "max-age=31536000; includeSubDomains"
tls = { client_ca = "clients.pem", client_auth = "request" }
[[listen.certificate]]
certificate = "a.pem"
key = "a-key.pem"
[[listen.certificate]]
certificate = "b.pem"
key = "b-key.pem"
[[upstream]]
name = "app"
servers = ["http://127.0.0.1:8000"]
"#;
    let loaded = load_bytes("gatelog.toml", text.as_bytes().to_vec(), &with_example_files(None));
    assert_eq!(shown(&loaded), "");
    let config = loaded.config.unwrap();
    let trusted = &config.exchange.trusted_proxies;
    assert_eq!((trusted.nets.len(), trusted.unix), (1, true));
    let [socket, inherited, secure] = &config.listeners[..] else { panic!("{:?}", config.listeners) };
    assert_eq!(socket.address, ListenAddress::Unix("/run/gatelog.sock".into()));
    assert_eq!((socket.access.mode, socket.access.group.as_deref()), (Some(0o660), Some("33")));
    assert_eq!(socket.proxy_protocol, Some(Versions::Any));
    assert_eq!(inherited.address, ListenAddress::Inherited("http".to_owned()));
    assert_eq!(inherited.redirect, Some(Redirect { port: 8443 }));
    assert_eq!(secure.hsts.as_ref().unwrap(), "max-age=31536000; includeSubDomains");
    let tls = secure.tls.as_ref().unwrap();
    let files: Vec<_> = tls.certificates.iter().map(|pair| pair.certificate.to_str().unwrap()).collect();
    assert_eq!(files, ["a.pem", "b.pem"]);
    assert!(tls.client.as_ref().is_some_and(|client| !client.required));
}

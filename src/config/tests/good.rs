//! What loads, and as what.

use super::*;

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

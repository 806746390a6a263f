//! Whole lines of both schemas, and a walk along the table: each field where it belongs, of the type it must have.

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::record::schema::Field;
use crate::record::tests::samples::{any_record, each, settings};
use crate::record::tests::{lossy, renamed, seconds};

fn lines(schema: Schema, names: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    each(|name, record| {
        if names.contains(&name) {
            lines.push(renamed(schema, false, record));
        }
    });
    lines
}

#[test]
fn opentelemetry_lines() {
    assert_eq!(
        lines(Schema::Otel, &["completed", "failed", "loss"]).concat(),
        r#"{"Timestamp":"1795345356000123000","SeverityText":"INFO","SeverityNumber":9,"EventName":"gatelog.request_completed","Body":"Request completed","InstrumentationScope":{"Name":"gatelog.request"},"TraceId":"4bf92f3577b34da6a3ce929d0e0e4736","SpanId":"00f067aa0ba902b7","Resource":{"service.instance.id":"i1","service.name":"shop","deployment.environment.name":"production"},"Attributes":{"gatelog.schema":1,"gatelog.seq":7,"gatelog.request_id":"01997f3e-0001-7000-8000-000000000001","gatelog.request_id_origin":"generated","http.request.method":"GET","url.scheme":"https","server.address":"shop.example","server.port":8443,"url.path":"/posts/42/","url.query":"page=2&q=a+b","network.protocol.version":"2","gatelog.view_name":"blog:post detail","gatelog.view_args":[],"gatelog.view_kwargs":{"pk":42,"slug":"a b"},"http.route":"/posts/{pk}/","user.id":"alice","client.address":"203.0.113.7","network.peer.address":"2001:db8::1","network.peer.port":51234,"user_agent.original":"Mozilla/5.0 (X11; \"Linux\") \\o/","http.request.header.referer":["https://shop.example/"],"http.request.header.content-type":["text/plain"],"http.request.header.content-length":["12"],"http.request.body.size":12,"http.response.status_code":200,"http.response.body.size":1234,"http.response.header.content-type":["text/html"],"gatelog.cache_hit":"unknown","http.server.request.duration":0.053210,"gatelog.timing.queue":0.000010,"gatelog.timing.wait":0.052000,"gatelog.timing.receive":0.001200,"gatelog.server_timing":{"db":0.053000},"gatelog.outcome":"success","gatelog.phase":"done","gatelog.responder":"upstream","gatelog.upstream":"app","gatelog.upstream_address":"127.0.0.1:8000","gatelog.attempts":1,"gatelog.reused_connection":true,"gatelog.slow":false,"gatelog.sample_rate":0.1,"tls.protocol.version":"1.3","tls.protocol.name":"tls","tls.cipher":"TLS_AES_128_GCM_SHA256","gatelog.tls.sni":"shop.example","tls.next_protocol":"h2","tls.client.subject":"CN=robot,O=Shop","gatelog.grpc_status":0,"gatelog.labels":{"X-Tenant":"a","region":"eu-1"}}}
{"Timestamp":"1795345356000123000","SeverityText":"ERROR","SeverityNumber":17,"EventName":"gatelog.request_failed","Body":"Request failed with exception","InstrumentationScope":{"Name":"gatelog.request"},"Resource":{"service.instance.id":"i1","service.name":"shop","deployment.environment.name":"production"},"Attributes":{"gatelog.schema":1,"gatelog.seq":7,"gatelog.request_id":"f1","gatelog.request_id_origin":"client","http.request.method":"_OTHER","http.request.method_original":"PURGE","url.scheme":"http","url.path":"/�\"","network.protocol.version":"1.1","gatelog.view_name":"unknown","gatelog.view_args":[],"gatelog.view_kwargs":{},"http.request.body.size":0,"http.response.status_code":502,"http.response.body.size":0,"http.server.request.duration":0.000310,"gatelog.outcome":"upstream_refused","gatelog.phase":"connect","gatelog.responder":"gatelog","gatelog.upstream":"app","gatelog.upstream_address":"127.0.0.1:8000","exception.type":"connection_refused","exception.message":"127.0.0.1:8000 refused\nthe connection","gatelog.slow":false}}
{"Timestamp":"1795345356000123000","SeverityText":"WARNING","SeverityNumber":13,"EventName":"gatelog.log_loss","Body":"Log records lost","InstrumentationScope":{"Name":"gatelog.proxy"},"Resource":{"service.instance.id":"i1","service.name":"shop","deployment.environment.name":"production"},"Attributes":{"gatelog.schema":1,"gatelog.seq":7,"gatelog.output":"stdout","gatelog.count":3,"gatelog.from_seq":4,"gatelog.to_seq":6,"gatelog.reason":"queue_full"}}
"#
    );
}

#[test]
fn ecs_lines() {
    assert_eq!(
        lines(Schema::Ecs, &["completed", "failed", "loss"]).concat(),
        r#"{"@timestamp":"2026-11-22T11:02:36.000123Z","log.level":"INFO","event.action":"request_completed","message":"Request completed","log.logger":"gatelog.request","gatelog.schema":1,"event.sequence":7,"service.ephemeral_id":"i1","service.name":"shop","service.environment":"production","http.request.id":"01997f3e-0001-7000-8000-000000000001","gatelog.request_id_origin":"generated","trace.id":"4bf92f3577b34da6a3ce929d0e0e4736","span.id":"00f067aa0ba902b7","http.request.method":"GET","url.scheme":"https","url.domain":"shop.example","url.port":8443,"url.path":"/posts/42/","url.query":"page=2&q=a+b","http.version":"2","gatelog.view_name":"blog:post detail","gatelog.view_args":[],"gatelog.view_kwargs":{"pk":42,"slug":"a b"},"gatelog.route":"/posts/{pk}/","user.id":"alice","client.address":"203.0.113.7","client.ip":"203.0.113.7","source.address":"2001:db8::1","source.ip":"2001:db8::1","source.port":51234,"user_agent.original":"Mozilla/5.0 (X11; \"Linux\") \\o/","http.request.referrer":"https://shop.example/","gatelog.content_type":"text/plain","gatelog.content_length":12,"http.request.body.bytes":12,"http.response.status_code":200,"http.response.body.bytes":1234,"gatelog.response_content_type":"text/html","gatelog.cache_hit":"unknown","event.duration":53210000,"gatelog.timing.queue":0.000010,"gatelog.timing.wait":0.052000,"gatelog.timing.receive":0.001200,"gatelog.server_timing":{"db":0.053000},"gatelog.outcome":"success","event.outcome":"success","gatelog.phase":"done","gatelog.responder":"upstream","gatelog.upstream":"app","gatelog.upstream_address":"127.0.0.1:8000","gatelog.attempts":1,"gatelog.reused_connection":true,"gatelog.slow":false,"gatelog.sample_rate":0.1,"tls.version":"1.3","tls.version_protocol":"tls","tls.cipher":"TLS_AES_128_GCM_SHA256","tls.client.server_name":"shop.example","tls.next_protocol":"h2","tls.client.subject":"CN=robot,O=Shop","gatelog.grpc_status":0,"labels":{"X-Tenant":"a","region":"eu-1"},"event.kind":"event","event.category":["web"],"event.type":["access"],"ecs.version":"9.4.0"}
{"@timestamp":"2026-11-22T11:02:36.000123Z","log.level":"ERROR","event.action":"request_failed","message":"Request failed with exception","log.logger":"gatelog.request","gatelog.schema":1,"event.sequence":7,"service.ephemeral_id":"i1","service.name":"shop","service.environment":"production","http.request.id":"f1","gatelog.request_id_origin":"client","http.request.method":"PURGE","url.scheme":"http","url.path":"/�\"","http.version":"1.1","gatelog.view_name":"unknown","gatelog.view_args":[],"gatelog.view_kwargs":{},"http.request.body.bytes":0,"http.response.status_code":502,"http.response.body.bytes":0,"event.duration":310000,"gatelog.outcome":"upstream_refused","event.outcome":"failure","gatelog.phase":"connect","gatelog.responder":"gatelog","gatelog.upstream":"app","gatelog.upstream_address":"127.0.0.1:8000","error.type":"connection_refused","error.message":"127.0.0.1:8000 refused\nthe connection","gatelog.slow":false,"event.kind":"event","event.category":["web"],"event.type":["access"],"ecs.version":"9.4.0"}
{"@timestamp":"2026-11-22T11:02:36.000123Z","log.level":"WARNING","event.action":"log_loss","message":"Log records lost","log.logger":"gatelog.proxy","gatelog.schema":1,"event.sequence":7,"service.ephemeral_id":"i1","service.name":"shop","service.environment":"production","gatelog.output":"stdout","gatelog.count":3,"gatelog.from_seq":4,"gatelog.to_seq":6,"event.reason":"queue_full","event.kind":"event","ecs.version":"9.4.0"}
"#
    );
}

#[test]
fn addresses_are_taken_apart_where_there_is_a_port() {
    for (address, host, port) in [
        ("shop.example:8443", "shop.example", Some(8443)),
        ("shop.example", "shop.example", None),
        ("[::1]:80", "[::1]", Some(80)),
        ("[::1]", "[::1]", None),
        ("::1", "::1", None),
        ("shop.example:", "shop.example:", None),
        ("shop.example:65536", "shop.example:65536", None),
        ("shop.example:+80", "shop.example:+80", None),
        ("unix:/run/app.sock", "unix:/run/app.sock", None),
        ("", "", None),
    ] {
        assert_eq!(split_port(address.as_bytes()), (host.as_bytes(), port), "{address}");
    }
}

/// The members of a line by their names in the table, and those that the table does not name.
fn members(schema: Schema, line: &str) -> (Map<String, Json>, Map<String, Json>) {
    let Json::Object(mut top) = serde_json::from_str(line).unwrap() else { panic!("{line}") };
    if schema == Schema::Otel {
        for name in ["Resource", "Attributes"] {
            let Some(Json::Object(inner)) = top.remove(name) else { panic!("no {name}: {line}") };
            top.extend(inner);
        }
    }
    let known: Vec<&str> = Field::ALL.iter().flat_map(|field| schema.target(*field).unwrap().names()).collect();
    top.into_iter().partition(|(name, _)| known.contains(&name.as_str()))
}

/// What must stand in the line for a field.
fn expected(target: &Target, content: Content<'_>) -> Json {
    match (target.form, content) {
        (_, Content::Absent) => Json::Null,
        (Form::Within(name), Content::Text(text)) => json!({ name: lossy(text) }),
        (Form::Listed, Content::Text(text)) => json!([lossy(text)]),
        (Form::Listed, Content::Whole(number)) => json!([number.to_string()]),
        (Form::Prefixed, Content::Text(text)) => format!("gatelog.{}", String::from_utf8_lossy(text)).into(),
        (Form::EpochNanoseconds, Content::Moment(micros)) => (u128::from(micros) * 1000).to_string().into(),
        (Form::Nanoseconds, Content::Seconds(micros)) => (micros * 1000).into(),
        (Form::Method(_), Content::Text(text)) if !METHODS.iter().any(|it| it.as_bytes() == text) => "_OTHER".into(),
        (Form::TlsVersion(_), Content::Text(text)) => lossy(text.strip_prefix(b"TLSv").unwrap_or(text)),
        (_, Content::Text(text)) => lossy(text),
        (_, Content::Level(level)) => level.as_str().into(),
        (_, Content::Outcome(outcome)) => outcome.as_str().into(),
        (_, Content::Whole(number)) => number.into(),
        (_, Content::Truth(truth)) => truth.into(),
        (_, Content::Seconds(micros)) => seconds(micros),
        (_, Content::Seq) => 7.into(),
        // Objects and lists are written as the native encoder writes them.
        _ => json!("of the native encoder"),
    }
}

/// The type that whatever stands under a name of the table has in every line.
fn type_of(name: &str, value: &Json) -> bool {
    match name {
        "SeverityNumber"
        | "gatelog.schema"
        | "gatelog.seq"
        | "event.sequence"
        | "event.duration"
        | "server.port"
        | "url.port"
        | "source.port"
        | "network.peer.port"
        | "gatelog.content_length"
        | "http.request.body.size"
        | "http.request.body.bytes"
        | "http.response.body.size"
        | "http.response.body.bytes"
        | "http.response.status_code"
        | "gatelog.attempts"
        | "gatelog.grpc_status"
        | "gatelog.count"
        | "gatelog.from_seq"
        | "gatelog.to_seq"
        | "gatelog.suppressed" => value.is_u64(),
        "http.server.request.duration" | "gatelog.sample_rate" => value.is_f64(),
        name if name.starts_with("gatelog.timing.") => value.is_f64(),
        "gatelog.reused_connection" | "gatelog.slow" | "gatelog.in_flight" => value.is_boolean(),
        "gatelog.view_args" => value.is_array(),
        name if name.starts_with("http.request.header.") || name.starts_with("http.response.header.") => {
            value.as_array().is_some_and(|values| values.iter().all(Json::is_string))
        }
        "gatelog.view_kwargs" | "gatelog.server_timing" | "gatelog.labels" | "labels" | "InstrumentationScope" => {
            value.is_object()
        }
        "client.ip" | "source.ip" => value.as_str().is_some_and(|text| text.parse::<IpAddr>().is_ok()),
        _ => value.is_string(),
    }
}

fn check(schema: Schema, nulls: bool, record: &Record<'_>) {
    let line = renamed(schema, nulls, record);
    let (mut known, rest) = members(schema, &line);
    let settings = settings(schema, nulls);
    let mut free = 0;
    walk(record, Origin::new("i1", &settings), &mut |name, content| {
        let Name::Known(field) = name else {
            free += usize::from(nulls || content != Content::Absent);
            return;
        };
        let target = schema.target(field).unwrap();
        let companions: Vec<_> = target.names().skip(1).filter_map(|name| known.remove(name)).collect();
        let found = known.remove(target.name);
        if content == Content::Absent {
            assert_eq!(found, nulls.then_some(Json::Null), "{field:?}: {line}");
            assert!(companions.iter().all(Json::is_null), "{field:?}: {line}");
            return;
        }
        let (found, expected) = (found.unwrap_or_else(|| panic!("no {field:?}: {line}")), expected(target, content));
        assert!(type_of(target.name, &found), "{field:?} is {found}");
        let as_native = expected == "of the native encoder";
        let address = matches!(target.form, Form::Address { .. });
        assert!(as_native || address || found == expected, "{field:?} is {found}, not {expected}");
    });
    assert!(known.is_empty(), "names of the table that no field has: {known:?}");
    let (prefixed, own): (Vec<_>, Vec<_>) = rest.keys().partition(|name| name.starts_with(PREFIX));
    assert!(prefixed.len() <= free, "{prefixed:?}: {line}");
    let of_ecs = ["event.kind", "event.category", "event.type", "ecs.version"];
    assert!(own.iter().all(|name| schema == Schema::Ecs && of_ecs.contains(&name.as_str())), "{own:?}: {line}");
}

proptest! {
    #[test]
    fn each_field_stands_under_the_name_of_the_table(any in any_record()) {
        any.with(|record| {
            check(Schema::Otel, any.nulls, record);
            check(Schema::Ecs, any.nulls, record);
        });
    }

    #[test]
    fn every_name_of_the_table_has_one_type(any in any_record()) {
        any.with(|record| {
            for schema in [Schema::Otel, Schema::Ecs] {
                let (known, _) = members(schema, &renamed(schema, any.nulls, record));
                for (name, value) in &known {
                    assert!((any.nulls && value.is_null()) || type_of(name, value), "{name} is {value} in {schema:?}");
                }
            }
        });
    }
}

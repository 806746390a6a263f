//! The language by example: what matches which record, and what is refused with which words.

use super::*;
use crate::record::{
    Arg, Body, Event, Facts, Head, Level, Loss, Outcome, Phase, Progress, Record, Rejected, Timing, Tls, Value as Free,
};

fn head(event: Event) -> Head<'static> {
    Head {
        timestamp: 1_795_345_356_000_123,
        level: Level::Error,
        event,
        message: event.message(),
        logger: "gatelog.request",
    }
}

fn facts() -> Facts<'static> {
    Facts {
        request_id: "01997f3e-0001-7000-8000-000000000001",
        request_id_origin: "generated",
        method: "GET",
        scheme: "https",
        host: Some(b"Shop.example"),
        path: b"/posts/42/",
        query: Some(b"page=2&q=a*b"),
        http_version: "1.1",
        view_name: "post-detail",
        view_args: &[Free::Text(b"en"), Free::Null],
        view_kwargs: &[
            Arg { name: "pk", value: Free::Digits("42") },
            Arg { name: "code", value: Free::Digits("007") },
            Arg { name: "draft", value: Free::Bool(false) },
            Arg { name: "tags", value: Free::List(&["x", "y"]) },
        ],
        route: Some("/posts/{pk}/"),
        user_id: Some(b"Anna"),
        ip_address: Some("10.1.2.3"),
        peer_address: Some("[2001:db8::7]:51234"),
        user_agent: Some(b"Mozilla/5.0 \xff (X11) Firefox/130.0"),
        content_length: Some(10_240),
        tls: Some(Tls {
            version: "TLSv1.3",
            cipher: "TLS_AES_128_GCM_SHA256",
            sni: Some("shop.example"),
            alpn: None,
            client_subject: None,
        }),
        labels: &[("X-Tenant", b"acme"), ("region", b"eu-1")],
        ..Facts::default()
    }
}

fn progress() -> Progress<'static> {
    Progress {
        status_code: Some(502),
        response_size: Some(1234),
        response_content_type: Some(b"text/html; charset=utf-8"),
        cache_hit: Some(b"MISS"),
        duration: 1_500_000,
        timing: Timing { queue: Some(10), wait: Some(1_400_000), ..Timing::default() },
        server_timing: &[("db", 53_000)],
        outcome: Some(Outcome::UpstreamReset),
        phase: Phase::Wait,
        responder: Some("gatelog"),
        upstream: Some("app"),
        upstream_address: Some("127.0.0.1:8000"),
        attempts: Some(2),
        reused_connection: Some(false),
        exception_type: Some(b"connection_terminated"),
        exception_message: Some(b"Connection reset by peer"),
        slow: true,
        sample_rate: Some(0.1),
        ..Progress::default()
    }
}

/// Whether an expression means the completed record of above.
fn matches(expression: &str) -> bool {
    let (facts, progress) = (facts(), progress());
    let body = Body::Request { facts: &facts, progress: Some(&progress) };
    matches_record(expression, &Record { head: head(Event::RequestCompleted), body })
}

fn matches_record(expression: &str, record: &Record<'_>) -> bool {
    parsed(expression).matches(record)
}

#[track_caller]
fn parsed(expression: &str) -> Expression {
    Expression::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))
}

/// Each of several expressions, with semicolons between, means the record.
#[track_caller]
fn assert_matches(expressions: &str) {
    for expression in expressions.split(';').map(str::trim) {
        assert!(matches(expression), "{expression}");
        assert!(!matches(&format!("-({expression})")), "-({expression})");
    }
}

#[track_caller]
fn assert_matches_not(expressions: &str) {
    for expression in expressions.split(';').map(str::trim) {
        assert!(!matches(expression), "{expression}");
        assert!(matches(&format!("-({expression})")), "-({expression})");
    }
}

#[test]
fn the_examples_of_the_interface_are_read() {
    assert_matches(
        r#"status>=500 route:post-detail -path:/health* "connection reset" (user_id:42 OR ip_address:10.0.0.0/8) duration>500ms"#,
    );
    assert_matches_not(r#"outcome:success duration<0.2 ; event:request_slow ; level:critical"#);
    assert_matches(r#"level>=error ; status>=500 ; event:request_completed"#);
    assert!(!matches("route:product-detail status<400"));
}

#[test]
fn nothing_and_a_star_mean_every_record() {
    assert_matches(r#"* ; * status:502"#);
    assert!(matches("") && matches(" \t"));
    assert_matches_not(r#"-* ; NOT *"#);
}

#[test]
fn words_are_found_in_message_path_exception_and_user_agent() {
    assert_matches(
        r#"completed ; REQUEST ; posts ; /42/ ; reset ; firefox ; x11*130 ; "reset by" ; "(X11)" ; conn*peer"#,
    );
    assert_matches_not(r#"Anna ; acme ; gatelog ; peer*reset ; "firefox completed" ; "conn*peer""#);
}

#[test]
fn terms_side_by_side_are_all_meant_and_or_binds_less() {
    assert_matches(
        r#"status:502 method:GET ; status:502 AND method:GET ; status:200 OR status:502 ;
        status:200 method:POST OR status:502 method:GET ; status:502 method:GET OR method:POST ;
        (status:200 OR status:502) method:GET ; NOT status:200 ; -status:200 -method:POST ;
        NOT (status:200 OR method:POST) ; NOT NOT status:502 ; --status:502 ; NOT -status:502 ;
        ((status:502))"#,
    );
    assert_matches_not(r#"-status:502 OR status:200 ; status:502 -method:GET ; (status:502 OR slow:true) method:POST"#);
}

#[test]
fn sentences_are_found_within_and_by_the_equals_sign_as_a_whole() {
    assert_matches(
        r#"message:completed ; message:"request completed" ; message="request completed" ;
        user_agent:mozilla*firefox ; user_agent=mozilla*130.0 ; exception_message:RESET ; message!=completed"#,
    );
    assert_matches_not(r#"message=completed ; user_agent=firefox ; user_agent=*firefox ; message:complete*request"#);
}

#[test]
fn words_and_names_are_compared_whole() {
    assert_matches(
        r#"method:get ; host:shop.EXAMPLE ; path:/posts/42/ ; path=/posts/* ; path:*42* ; path:/*/4*/ ;
        query:page=2&q=a\*b ; query:"page=2&q=a*b" ; query:*a*b ; user:Anna ; upstream:app ;
        view_name:post-* ; outcome:upstream_* ; outcome:Upstream_Reset ; response_content_type:text/html* ;
        cache_hit:miss ; logger:gatelog.*"#,
    );
    assert_matches_not(
        r#"path:/posts/ ; path:posts ; path:/Posts/42/ ; user:anna ; upstream:APP ; view_name:POST-* ;
        method:GE ; query:page=2&q=a\* ; query:"page=*" ; path:/*/5*/ ; path:/posts/42/*x"#,
    );
}

#[test]
fn a_route_goes_by_its_name_or_by_its_pattern() {
    assert_matches(r#"route:post-detail ; route:/posts/{pk}/ ; route:* ; view_name:post-detail ; route:/posts/*"#);
    assert_matches_not(r#"route:post ; view_name:/posts/{pk}/"#);
    let unknown = Facts { view_name: "unknown", route: None, ..facts() };
    let record = Record { head: head(Event::RequestStarted), body: Body::Request { facts: &unknown, progress: None } };
    assert!(matches_record("-route:* route:unknown", &record));
}

#[test]
fn numbers_sizes_durations_levels_and_moments_have_an_order() {
    assert_matches(
        r#"status:502 ; status=502 ; status!=500 ; status>500 ; status>=502 ; status<503 ; status<=502 ;
        status:>500 ; status: >= 500 ; status > 500 ; status:5xx ; status:5XX ; -status:4xx ; status:"502" ;
        attempts>1 ; attempts:2 ; sample_rate:0.1 ; sample_rate<0.5 ; attempts<2.5 ; attempts>-1 ;
        content_length:10KB ; content_length=10240 ; content_length<1.5MB ; response_size>1KB ;
        request_size:0 ; duration:1.5 ; duration:1500ms ; duration>1s400ms ; duration<2m ; duration>=1.5s ;
        duration<=1500000us ; level:error ; level>=WARNING ; level<critical ; level!=info ;
        timestamp:2026-11-22 ; timestamp:2026-11-22T11:02 ; timestamp:2026-11-22T11:02:36Z ;
        timestamp:2026-11-22T12:02:36.000123+01:00 ; timestamp>2026-11-21 ; timestamp>=2026-11-22 ;
        timestamp<2026-11-23 ; timestamp<=2026-11-22 ; timestamp<"2026-11-22 11:03""#,
    );
    assert_matches_not(
        r#"status>502 ; status<502 ; status:500 ; status:4xx ; duration>1.5 ; duration<1.5s ; attempts:2.5 ;
        level>error ; level:warning ; timestamp>2026-11-22 ; timestamp<2026-11-22 ; timestamp:2026-11-21"#,
    );
}

#[test]
fn several_values_are_alternatives() {
    assert_matches(
        r#"status:(500 502) ; status:(500 OR 502) ; status=( 502 ) ; status:(>=600 <503) ; status:(4xx 5xx) ;
        user:(Bert "Anna") ; path:(/health* /posts/*) ; status!=(500 503) ; -status:(500 503)"#,
    );
    assert_matches_not(r#"status:(500 503) ; status!=(500 502)"#);
}

#[test]
fn addresses_are_found_in_their_networks() {
    assert_matches(
        r#"ip:10.1.2.3 ; ip:10.0.0.0/8 ; ip:10.9.9.9/8 ; ip:10.1.* ; ip:::ffff:10.1.2.3 ;
        ip:::ffff:10.0.0.0/104 ; ip!=10.1.2.4 ; ip:(192.168.0.0/16 10.0.0.0/8) ; peer_address:2001:db8::/32 ;
        peer_address:2001:DB8:0::7 ; peer_address:[2001:db8::7]:51234 ; upstream_address:127.0.0.0/8 ;
        upstream_address:127.0.0.1:8000 ; ip:0.0.0.0/0 ; upstream_address:*:8000"#,
    );
    assert_matches_not(
        r#"ip:10.1.2.4 ; ip:11.0.0.0/8 ; ip:::/0 ; upstream_address:127.0.0.1:80 ; ip:0123456789abcdef"#,
    );
    let hashed = Facts { ip_address: Some("0123456789abcdef"), ..facts() };
    let record = Record { head: head(Event::RequestStarted), body: Body::Request { facts: &hashed, progress: None } };
    assert!(matches_record("ip:0123456789ABCDEF -ip:0.0.0.0/0", &record));
}

#[test]
fn parts_are_named_behind_a_dot_and_any_of_them_without() {
    assert_matches(
        r#"view_kwargs.pk:42 ; view_kwargs.pk>41 ; view_kwargs.pk:42.0 ; view_kwargs.code:007 ;
        view_kwargs.draft:false ; view_kwargs.tags:y ; view_kwargs:42 ; view_kwargs.pk:* ; view_args:en ;
        labels.X-Tenant:acme ; labels.X-Tenant:ac* ; labels:eu-1 ; labels:* ; timing.wait>1s ;
        timing.wait:1400ms ; timing<1ms ; -timing.tls:* ; server_timing.db:53ms ; server_timing:53ms ;
        tls.version:tlsv1.3 ; tls.sni:* ; tls:*"#,
    );
    assert_matches_not(
        r#"view_kwargs.pk:43 ; view_kwargs.code>1 ; view_kwargs.draft:true ; view_kwargs.id:* ;
        labels.x-tenant:acme ; labels.region:acme ; timing.tls>0 ; server_timing.cache:* ; tls.alpn:* ;
        view_args:1 ; view_kwargs.pk:4*"#,
    );
}

#[test]
fn yes_no_and_being_there() {
    assert_matches(
        r#"slow:true ; slow!=false ; reused_connection:false ; -in_flight:true ; -in_flight:* ; user:* ; slow:*"#,
    );
    assert_matches_not(r#"slow:false ; in_flight:true ; referer:* ; grpc_status:*"#);
}

#[test]
fn a_term_on_an_absent_field_does_not_hold_and_its_negation_does() {
    assert_matches(r#"-referer:x ; referer!=x ; -grpc_status>0 ; grpc_status!=0 ; -seq:7 ; -reason:x"#);
    assert_matches_not(r#"referer:x ; grpc_status:0 ; grpc_status<1 ; grpc_status>=0 ; seq:7 ; service:shop"#);
}

#[test]
fn other_records_have_their_own_fields() {
    let rejected = Rejected {
        peer_address: Some("192.0.2.1:999"),
        ip_address: Some("192.0.2.1"),
        status_code: Some(400),
        reason: "bare_lf",
        detail: "",
        excerpt: b"GET /\xff\n",
        request_id: None,
        suppressed: 0,
    };
    let record = Record { head: head(Event::RequestRejected), body: Body::Rejected(&rejected) };
    let all = "reason:bare_lf status:400 ip:192.0.2.0/24 -detail:* excerpt:\"\\\\xff\\\\n\" -excerpt:\"/ \" -request_id:* -path:*";
    assert!(matches_record(all, &record));
    let loss = Loss { output: "stdout", count: 3, from_seq: 4, to_seq: u64::MAX, reason: "queue_full" };
    let record = Record { head: head(Event::LogLoss), body: Body::Loss(&loss) };
    assert!(matches_record(
        "output:stdout count>2 from_seq:4 to_seq:18446744073709551615 reason:queue_* -status:*",
        &record
    ));
    assert!(!matches_record("to_seq:18446744073709551614", &record));
}

#[test]
fn free_fields_go_by_their_names_and_known_ones_keep_their_kind() {
    let fields = [
        ("listener", Free::Text(b"[::]:80")),
        ("message", Free::Text(b"theirs")),
        ("duration", Free::Float(0.25)),
        ("upstream", Free::Text(b"app")),
        ("gone", Free::Null),
        ("price", Free::Unsigned(300)),
    ];
    let record = Record { head: head(Event::ServerStarted), body: Body::Fields(&fields) };
    let all = r#"fields.listener:"[::]:80" fields.message_:theirs duration:250ms upstream:app fields.price>=299.5 -fields.gone:* -fields.x:*"#;
    assert!(matches_record(all, &record));
    assert!(!matches_record("message:theirs", &record));
}

#[test]
fn what_only_a_line_has_can_be_told() {
    assert_eq!(parsed("status:500 -(slow:true OR environment:production)").first_written_field(), Some("environment"));
    assert_eq!(parsed("status:500 word").first_written_field(), None);
}

#[test]
fn the_canonical_form_has_full_names_and_no_more_quotes_than_it_needs() {
    for (written, canonical) in [
        ("", "*"),
        (" status  >= 500  AND user = anna ", "status_code>=500 user_id:anna"),
        ("a OR (b c) OR (d OR e)", "a OR (b c) OR d OR e"),
        ("(a OR b) -(c d)", "(a OR b) -(c d)"),
        ("NOT(a OR b)", "-(a OR b)"),
        ("NOT NOT a", "a"),
        ("status:(500 4xx)", "status_code:500 OR status_code:4xx"),
        ("status!=200", "-status_code:200"),
        ("duration>90000ms", "duration>90s"),
        ("duration>0.25 request_size<10240 request_size>0", "duration>250ms request_size<10KB request_size>0"),
        ("ip:10.1.2.3/8 ip:10.1.2.3/32", "ip_address:10.0.0.0/8 ip_address:10.1.2.3"),
        (r#"message="a b" message:"ab" path:"/a""#, r#"message="a b" message:ab path:/a"#),
        (r#""a\"b\\" path:a\ b* \-x \or"#, r#""a\"b\\" path:a\ b* "-x" "or""#),
        ("path:**a***b", "path:*a*b"),
        ("message:*a*b*", "message:a*b"),
        ("level>WARNING slow:true view_kwargs.pk:42", "level>warning slow:true view_kwargs.pk:42"),
        ("timestamp>=2026-11-22T12:00+01:00", "timestamp>=2026-11-22T11:00Z"),
        ("labels.a\\ b:c", "labels.a\\ b:c"),
    ] {
        assert_eq!(parsed(written).to_string(), canonical, "{written}");
        assert_eq!(parsed(canonical), parsed(written), "{canonical}");
    }
}

/// The fields that are known from each moment on, in the order of the record.
fn known(when: Known) -> String {
    table::FIELDS.iter().filter(|field| field.known == when).map(|field| field.name).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_field_says_from_when_on_it_is_known() {
    assert_eq!(known(Known::ByRecord), "event message logger schema");
    assert_eq!(
        known(Known::AtRequest),
        "request_id request_id_origin trace_id span_id parent_span_id method scheme host path query http_version \
         view_name view_args view_kwargs route ip_address peer_address user_agent referer content_type content_length \
         tls labels"
    );
    assert_eq!(
        known(Known::AtAnswer),
        "level user_id status_code response_content_type cache_hit server_timing responder upstream upstream_address \
         attempts reused_connection"
    );
}

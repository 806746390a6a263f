//! Questions made up at random: filters of any shape over the fields and values that records have.

use gatelog::filter::Expression;
use gatelog::store::{Order, Question};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::records::{AGENTS, IDS, NOW, ROUTES, SECONDS, TEXTS, USERS, text};

/// A question, with a page of its own.
pub(crate) fn question() -> impl Strategy<Value = Question> {
    let time = || prop::option::weighted(0.3, (0..SECONDS + 5).prop_map(|second| NOW + second * 1_000_000));
    let page = (prop_oneof![3 => Just(0usize), 1 => 0usize..40], prop_oneof![1 => 0usize..20, 1 => Just(1000)]);
    let count_to = prop_oneof![2 => Just(100_000u64), 1 => 0u64..80];
    (filter(), time(), time(), any::<bool>(), page, count_to).prop_map(
        |(filter, since, until, newest, (skip, limit), count_to)| {
            let order = if newest { Order::Newest } else { Order::Oldest };
            Question { filter, since, until, order, skip, limit, count_to }
        },
    )
}

/// Terms side by side, alternatives, negations, up to three deep.
pub(crate) fn filter() -> impl Strategy<Value = Expression> {
    let tree = term().prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            3 => vec(inner.clone(), 1..3).prop_map(|terms| format!("({})", terms.join(" "))),
            2 => vec(inner.clone(), 2..4).prop_map(|terms| format!("({})", terms.join(" OR "))),
            2 => inner.prop_map(|term| format!("-({term})")),
        ]
    });
    prop_oneof![1 => Just(String::new()), 12 => tree]
        .prop_filter_map("it cannot be said", |text| Expression::parse(&text).ok())
}

fn term() -> impl Strategy<Value = String> {
    prop_oneof![5 => fixed(), 3 => named(), 2 => words()].boxed()
}

/// What people ask for.
fn fixed() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "status>=500",
        "status>=501",
        "status:5xx",
        "status:404",
        "status<500",
        "status!=200",
        "status:2xx",
        "status>499 status<503",
        "duration>=1s",
        "duration>200ms",
        "duration<1s",
        "duration>=2s duration<3s",
        "duration:*",
        "level>=warning",
        "level:error",
        "level:info",
        "level>=critical",
        "level<warning",
        "level!=error",
        "level>=debug",
        "event:request_started",
        "event:request_completed",
        "event:request_slow",
        "event:product_viewed",
        "event:log_loss",
        "logger:gatelog.request",
        "logger:gatelog.*",
        "in_flight:true",
        "slow:true",
        "slow:false",
        "path:/posts/*",
        "path:*/cart/",
        "route:*",
        "-route:*",
        "user:*",
        "-user:*",
        "view_kwargs.pk:7",
        "view_kwargs.pk>4",
        "view_kwargs.pk:*",
        "view_kwargs:7",
        "view_args:x",
        "view_args:3",
        "labels.X-Tenant:t1",
        "labels:t2",
        "labels.region:eu-1",
        "labels:*",
        "timing.wait>0.5s",
        "timing.queue:0.00001",
        "timing.receive>=120us",
        "tls.version:TLSv1.3",
        "tls:shop.example",
        "tls:*",
        "ip:10.0.0.0/16",
        "ip:10.0.1.7",
        "ip:10.0.*",
        "ip:10.0.0.0/8",
        "fields.product_id:7",
        "fields.product_id>100",
        "fields.category:shop",
        "fields.is_mobile:true",
        "fields.count:17",
        "fields.mine:42",
        "fields.rule:error_rate",
        "reason:bad_head",
        "reason:disk_full",
        "seq>50000",
        "seq:5",
        "schema:1",
        "schema>=2",
        "instance:a1b2",
        "service:shop",
        "timestamp>2026-11-22T11:02:50",
        "timestamp:2026-11-22T11:02:40",
        "timestamp<=2026-11-22T11:03:00",
        "timestamp:2026-11-22",
        "outcome:success",
        "outcome:server_error",
        "cache_hit:unknown",
        "response_size>1GB",
        "response_size<10KB",
        "attempts:1",
        "reused_connection:true",
        "method:get",
        "exception_type:databaseerror",
        "exception_message:*",
        "host:shop.example",
        "environment:production",
        "upstream:app",
        "request_id:*",
        "message:*",
    ])
    .prop_map(str::to_owned)
}

/// A field and a text that some record has, whole, as a part, or with a star.
fn named() -> impl Strategy<Value = String> {
    let texts: Vec<&str> =
        [&IDS[..], &USERS[..], &AGENTS[..], &TEXTS[..], &ROUTES.map(|it| it.0), &ROUTES.map(|it| it.1)].concat();
    let field = prop::sample::select(vec![
        "request_id",
        "user",
        "path",
        "route",
        "view_name",
        "message",
        "exception_message",
        "user_agent",
        "referer",
        "fields.category",
        "fields.mine",
        "labels.X-Tenant",
        "event",
        "detail",
        "fields.user_id",
        "view_kwargs.slug",
    ]);
    let text = prop_oneof![6 => prop::sample::select(texts).prop_map(str::to_owned), 1 => text()];
    let operator = prop::sample::select(vec![":", ":", "=", "!="]);
    (field, operator, text, any::<bool>()).prop_map(|(field, operator, text, cased)| {
        let text = if cased { text } else { text.to_uppercase() };
        format!("{field}{operator}{}", quoted(&text))
    })
}

/// Words and phrases, and pieces of them: three letters and more are looked up, fewer are not.
fn words() -> impl Strategy<Value = String> {
    let known: Vec<&str> =
        [&AGENTS[..], &TEXTS[..], &["Request started", "posts", "cart", "Records lost", "viewed"]].concat();
    let piece =
        (prop::sample::select(known), any::<prop::sample::Index>(), 1usize..12).prop_map(|(text, from, length)| {
            let letters: Vec<char> = text.chars().collect();
            let from = from.index(letters.len().max(1));
            letters.into_iter().skip(from).take(length).collect::<String>()
        });
    prop_oneof![4 => piece, 1 => text()].prop_map(|text| quoted(&text))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

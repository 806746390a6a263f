//! `GET /api/inflight`: what runs now, the oldest first.

use serde_json::{Value, json};

use crate::exchange::{Running, Snapshot};
use crate::record;

use super::answer::Answer;
use super::cores::ask_cores;
use super::query::{Page, Query};
use super::refused::Refused;
use super::server::Sources;

/// The oldest requests that can be seen; of all others there is their number. Every core is asked for as many.
const MOST: usize = 1000;

/// One page of what runs.
pub(super) async fn list(sources: &Sources, query: Option<&str>) -> Result<Answer, Refused> {
    let page = Query::read(query, &["page", "per_page"])?.page(MOST)?;
    let answers = ask_cores(&sources.cores, page.end()).await;
    Ok(render(page, answers))
}

fn render(page: Page, answers: Vec<Option<Snapshot>>) -> Answer {
    let silent: Vec<usize> =
        answers.iter().enumerate().filter(|(_, answer)| answer.is_none()).map(|(core, _)| core).collect();
    let total = answers.iter().flatten().map(|answer| answer.total).sum();
    let mut running: Vec<Running> = answers.into_iter().flatten().flat_map(|answer| answer.oldest).collect();
    running.sort_by(|one, other| (other.age, &one.request_id).cmp(&(one.age, &other.request_id)));
    // What these cores have to do is not in the list, and that is said.
    let more = if silent.is_empty() { json!({}) } else { json!({ "cores_without_answer": silent }) };
    page.of("requests", running.iter().map(request), total, more)
}

/// Named as in the records; what is not known is left out.
fn request(running: &Running) -> Value {
    let mut request = json!({
        "request_id": running.request_id,
        "started": record::timestamp(running.started),
        "age": running.age as f64 / 1e6,
        "phase": running.phase.as_str(),
        "method": running.method,
        "host": running.host,
        "path": running.path,
        "query": running.query,
        "view_name": running.view_name,
        "route": running.route,
        "ip_address": running.ip_address,
        "user_id": running.user_id,
        "upstream": running.upstream,
        "upstream_address": running.upstream_address,
        "attempts": running.attempts,
        "status_code": running.status_code,
        "request_size": running.request_size,
        "response_size": running.response_size,
        "slow": running.slow,
    });
    if let Some(members) = request.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Phase;

    fn running(id: &str, age: u64) -> Running {
        Running {
            request_id: id.to_owned(),
            started: 0,
            age,
            phase: Phase::Wait,
            method: "GET".to_owned(),
            host: None,
            path: "/".to_owned(),
            query: None,
            view_name: "unknown".to_owned(),
            route: None,
            ip_address: None,
            user_id: None,
            upstream: None,
            upstream_address: None,
            attempts: None,
            status_code: None,
            request_size: 0,
            response_size: None,
            slow: false,
        }
    }

    #[test]
    fn the_oldest_of_all_cores_come_first_and_a_silent_core_is_named() {
        let one = Snapshot { total: 5, oldest: vec![running("a", 9), running("b", 2)] };
        let other = Snapshot { total: 2, oldest: vec![running("c", 5), running("d", 1)] };
        let answer = render(Page { number: 1, size: 3, most: MOST }, vec![Some(one), None, Some(other)]);
        let list: Value = serde_json::from_slice(&answer.content).expect("JSON");
        let ids: Vec<_> = list["requests"].as_array().expect("a list").iter().map(|it| &it["request_id"]).collect();
        assert_eq!(ids, ["a", "c", "b"]);
        assert_eq!((&list["total_count"], &list["cores_without_answer"]), (&json!(7), &json!([1])));
        assert_eq!(list["requests"][0].get("query"), None);
    }
}

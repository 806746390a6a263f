//! What one failure must look like, to the client and in the log.

use super::log::{Log, Record};
use super::wire::Ended;
use super::{Answer, Client, PARALLEL, Setup, TestProxy, in_parallel, request};

/// What a client gets and what the log says when a request ends badly.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    /// The status of the record, and of the answer where there is one.
    pub(crate) status: u16,
    /// `outcome`.
    pub(crate) outcome: &'static str,
    /// `phase`, any of these.
    pub(crate) phases: &'static [&'static str],
    /// `exception_type`, any of these.
    pub(crate) exception: &'static [&'static str],
    /// The client gets the head of an answer, and then a connection that is cut.
    pub(crate) cut: bool,
}

impl Fault {
    /// gatelog answers with a status of its own.
    pub(crate) const fn answered(
        status: u16,
        outcome: &'static str,
        phases: &'static [&'static str],
        exception: &'static [&'static str],
    ) -> Fault {
        Fault { status, outcome, phases, exception, cut: false }
    }

    /// The upstream's 200 is on its way already.
    pub(crate) const fn cut(outcome: &'static str, exception: &'static [&'static str]) -> Fault {
        Fault { status: 200, outcome, phases: &["receive"], exception, cut: true }
    }

    /// Sends several GETs at once through a proxy set up like this; each has to end as described.
    pub(crate) fn befalls(&self, setup: Setup) {
        self.befalls_request(setup, "GET", "");
    }

    /// The same for any request; the method is one that is answered like GET.
    pub(crate) fn befalls_request(&self, setup: Setup, method: &str, body: &str) {
        let proxy = setup.start();
        in_parallel(PARALLEL, |index| {
            let id = format!("fault-{index}");
            let answer = Client::connect(proxy.addr()).exchange(request(method, "/fault", &id, "", body));
            self.check(&proxy, &id, &answer);
        });
        let log = proxy.stop();
        assert_eq!(log.count("request_completed"), PARALLEL);
        assert_eq!(log.count("request_rejected"), 0);
    }

    /// Checks what the client of one request got, and all that the log says about it.
    pub(crate) fn check(&self, proxy: &TestProxy, id: &str, answer: &Answer) {
        self.check_answer(answer);
        let record = proxy.completed(id);
        self.check_record(&record);
        self.check_failed(&proxy.log().of(id), &record);
    }

    fn check_answer(&self, answer: &Answer) {
        assert_eq!(answer.status(), self.status, "{answer:?}");
        if self.cut {
            assert_eq!(answer.last.ended, Ended::Cut, "{answer:?}");
            return;
        }
        assert!(answer.last.is_complete(), "{answer:?}");
        let proxy_status = answer.last.header("proxy-status").unwrap_or_else(|| panic!("no Proxy-Status: {answer:?}"));
        assert!(self.exception.iter().any(|token| proxy_status.contains(&format!("error={token}"))), "{proxy_status}");
    }

    /// The terminal record alone.
    pub(crate) fn check_record(&self, record: &Record) {
        let told = (record.number("status_code"), record.text("outcome"));
        assert_eq!(told, (self.status.into(), self.outcome), "{record:?}");
        assert!(self.phases.contains(&record.text("phase")), "{record:?}");
        assert!(self.exception.contains(&record.text("exception_type")), "{record:?}");
        assert!(!record.text("exception_message").is_empty(), "{record:?}");
        assert_eq!(record.text("level"), "ERROR", "{record:?}");
        assert_eq!(record.text("responder"), if self.cut { "upstream" } else { "gatelog" }, "{record:?}");
        assert!(!record.is("in_flight"), "{record:?}");
    }

    /// The failed record tells the same as the terminal one, and comes before it.
    fn check_failed(&self, own: &Log, completed: &Record) {
        let failed = own.only("request_failed");
        assert_eq!(failed.text("level"), "ERROR", "{failed:?}");
        assert_eq!(failed.get("exception_type"), completed.get("exception_type"));
        assert!(failed.number("seq") < completed.number("seq"), "{own:?}");
    }
}

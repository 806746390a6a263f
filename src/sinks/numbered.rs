//! What a line says of its place in the stream, in any of the schemas.

use std::borrow::Cow;

use serde::Deserialize;

/// A line's place, and what it names if it is a `log_loss`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Its number.
    pub seq: u64,
    /// The process it is from.
    pub instance: String,
    /// First and last number, and how many are missing.
    pub loss: Option<(u64, u64, u64)>,
}

impl Numbered {
    /// Reads a line; `None` where it is no record with a number.
    pub fn read(line: &[u8]) -> Option<Numbered> {
        let line: Line<'_> = serde_json::from_slice(line).ok()?;
        let fields = line.attributes.unwrap_or(line.fields);
        let instance = line.instance.or_else(|| line.resource.and_then(|resource| resource.instance))?;
        let loss = fields.from.zip(fields.to).zip(fields.count).map(|((from, to), count)| (from, to, count));
        Some(Numbered { seq: fields.seq?, instance: instance.into_owned(), loss })
    }
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(flatten)]
    fields: Fields,
    #[serde(borrow, alias = "service.ephemeral_id")]
    instance: Option<Cow<'a, str>>,
    #[serde(rename = "Attributes")]
    attributes: Option<Fields>,
    #[serde(borrow, rename = "Resource")]
    resource: Option<Resource<'a>>,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(alias = "event.sequence", alias = "gatelog.seq")]
    seq: Option<u64>,
    #[serde(rename = "from_seq", alias = "gatelog.from_seq")]
    from: Option<u64>,
    #[serde(rename = "to_seq", alias = "gatelog.to_seq")]
    to: Option<u64>,
    #[serde(alias = "gatelog.count")]
    count: Option<u64>,
}

#[derive(Deserialize)]
struct Resource<'a> {
    #[serde(borrow, rename = "service.instance.id")]
    instance: Option<Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Format, Layout, Stamp, Written};
    use crate::record::json::splice;
    use crate::record::{Body, Event, Head, Level, Loss, Record, Schema};

    #[test]
    fn a_loss_is_read_in_every_schema() {
        for schema in [Schema::Native, Schema::Otel, Schema::Ecs] {
            let record = crate::record::Settings { schema, ..Default::default() };
            let mut layout = Layout::new(Format::Json, &Stamp { instance: "i".into(), record });
            let loss = Loss { output: "o", count: 3, from_seq: 4, to_seq: 6, reason: "rejected" };
            let event = Event::LogLoss;
            let head = Head { timestamp: 0, level: Level::Warning, event, message: "m", logger: "gatelog.proxy" };
            let (mut line, mut numbered) = (Vec::new(), Vec::new());
            let Written::Numbered(at) = layout.record(&Record { head, body: Body::Loss(&loss) }, &mut line) else {
                panic!("JSON has numbers");
            };
            splice(&line, at, 0, 7, &mut numbered);
            let expected = Numbered { seq: 7, instance: "i".into(), loss: Some((4, 6, 3)) };
            assert_eq!(Numbered::read(&numbered), Some(expected), "{}", String::from_utf8_lossy(&numbered));
        }
        assert_eq!(Numbered::read(b"plain"), None);
    }
}

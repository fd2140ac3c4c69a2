//! Events as lines of JSON.

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value};
use std::fmt::Debug;
use std::io::Write;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

const SERVICE: &str = "gatehouse";

/// Writes each event as one line.
pub(crate) struct Lines<W> {
    writer: W,
    environment: String,
}

impl<W> Lines<W> {
    pub(crate) fn new(writer: W, environment: &str) -> Self {
        Lines { writer, environment: environment.to_owned() }
    }
}

/// What a span was opened with. Each layer finds what another one kept, so it is kept once.
struct Kept(Fields);

#[derive(Clone, Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, Value::from(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::from(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        self.put(field, Value::from(text));
    }
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl<S, W, M> Layer<S> for Lines<M>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Write,
    M: Fn() -> W + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        if extensions.get_mut::<Kept>().is_none() {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            extensions.insert(Kept(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(Kept(fields)) = span.extensions_mut().get_mut::<Kept>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut around = Map::new();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(Kept(known)) = span.extensions().get::<Kept>() {
                around.extend(known.0.clone());
            }
        }
        let line = self.line(event, fields.0, around);
        // A log that cannot be written is no reason to stop.
        let _ = (self.writer)().write_all(line.as_bytes());
    }
}

impl<M> Lines<M> {
    fn line(
        &self,
        event: &Event<'_>,
        mut fields: Map<String, Value>,
        mut context: Map<String, Value>,
    ) -> String {
        let message = fields.remove("message").unwrap_or_default();
        let error = fields.remove("error");
        context.extend(fields);
        context.insert("target".to_owned(), Value::from(event.metadata().target()));
        let mut line = Map::new();
        let mut put = |name: &str, value: Value| line.insert(name.to_owned(), value);
        put("timestamp", Value::from(Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)));
        put("level", Value::from(event.metadata().level().as_str().to_ascii_lowercase()));
        put("message", message);
        put("context", Value::Object(context));
        put("service", Value::from(SERVICE));
        put("environment", Value::from(self.environment.as_str()));
        if let Some(error) = error {
            put("error", error);
        }
        // JSON has no line ends in it but escaped ones: nobody's text begins a line of its own.
        format!("{}\n", Value::Object(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_the_promised_fields_and_is_one_line() {
        let memory = Memory::default();
        let writer = memory.clone();
        let lines = Lines::new(move || writer.clone(), "staging");
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            let span = tracing::info_span!("request", request_id = "r-1", late = tracing::field::Empty);
            let _inside = span.enter();
            span.record("late", 7);
            let error = std::io::Error::other("disk\n{\"level\":\"forged\"}");
            tracing::warn!(error = &error as &dyn std::error::Error, bytes = 3, "It is full");
        });
        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "It is full");
        assert_eq!(line["level"], "warn");
        assert_eq!((&line["service"], &line["environment"]), (&"gatehouse".into(), &"staging".into()));
        assert_eq!(line["error"], "disk\n{\"level\":\"forged\"}");
        assert_eq!((&line["context"]["request_id"], &line["context"]["bytes"]), (&"r-1".into(), &3.into()));
        assert_eq!(line["context"]["late"], 7);
        assert!(chrono::DateTime::parse_from_rfc3339(line["timestamp"].as_str().unwrap()).is_ok());
    }
}

//! Processors as they are written.

use super::{Reads, Settings};
use crate::config::{Malformed, Pattern, Written};
use crate::filter::change::{Change, Limit, Selector, Tolerance};
use crate::filter::place::{Shape, field_path, settable, shape};
use crate::filter::rules::{Action, Rule};
use std::sync::Arc;

/// Processors, each with its settings beside `when` and `id`.
const KNOWN: [(&str, &[&str]); 7] = [
    ("drop_event", &["when", "id"]),
    ("drop_fields", &["when", "id", "fields", "ignore_missing"]),
    ("include_fields", &["when", "id", "fields"]),
    ("add_fields", &["when", "id", "target", "fields"]),
    ("add_tags", &["when", "id", "target", "tags"]),
    ("rename", &["when", "id", "fields", "ignore_missing", "fail_on_error"]),
    ("truncate_fields", &["when", "id", "fields", "max_bytes", "max_characters", "ignore_missing", "fail_on_error"]),
];

const NO_HOST: &str = "leave it out; nothing about this host is added to documents";
const NO_JSON: &str = "leave it out; records are decoded by themselves";
const PIPELINE: &str = "use an ingest pipeline by `output.elasticsearch.pipeline`";

/// Processors of Beats that are not here, with what to do instead.
const OTHERS: [(&str, &str); 35] = [
    ("add_cloud_metadata", NO_HOST),
    ("add_cloudfoundry_metadata", NO_HOST),
    ("add_docker_metadata", NO_HOST),
    ("add_host_metadata", NO_HOST),
    ("add_kubernetes_metadata", NO_HOST),
    ("add_nomad_metadata", NO_HOST),
    ("add_observer_metadata", NO_HOST),
    ("add_process_metadata", NO_HOST),
    ("add_network_direction", PIPELINE),
    ("add_id", "leave it out; `_id` comes from the event"),
    ("add_labels", "use `add_fields` with `target: labels`"),
    ("add_locale", NO_HOST),
    ("append", "use `add_tags` with `target`"),
    ("cache", PIPELINE),
    ("community_id", PIPELINE),
    ("convert", PIPELINE),
    ("copy_fields", PIPELINE),
    ("decode_base64_field", PIPELINE),
    ("decode_cef", NO_JSON),
    ("decode_csv_fields", NO_JSON),
    ("decode_duration", PIPELINE),
    ("decode_json_fields", NO_JSON),
    ("decode_xml", NO_JSON),
    ("decompress_gzip_field", NO_JSON),
    ("detect_mime_type", PIPELINE),
    ("dissect", PIPELINE),
    ("dns", PIPELINE),
    ("extract_array", PIPELINE),
    ("fingerprint", "leave it out; `_id` comes from the event"),
    ("lowercase", PIPELINE),
    ("rate_limit", "leave it out; no record is lost, and the output slows down what is read"),
    ("registered_domain", PIPELINE),
    ("replace", PIPELINE),
    ("script", PIPELINE),
    ("timestamp", "leave it out; `@timestamp` is the event's time"),
];

impl Reads {
    /// A list of processors; those that are wrong are left out.
    pub(super) fn processors(&mut self, written: &Written, path: &str) -> Vec<Arc<Rule>> {
        let items = written.items(path);
        items.into_iter().filter_map(|(path, item)| self.processor(item, &path).map(Arc::new)).collect()
    }

    fn processor(&mut self, written: &Written, path: &str) -> Option<Rule> {
        let names: Vec<&str> = KNOWN.iter().map(|(name, _)| *name).collect();
        let Some(settings) = written.settings(path) else {
            self.wrong(
                path,
                format!("must be a processor with its settings, not {}", written.kind()),
                "begin each with its name, such as `- drop_event:`",
            );
            return None;
        };
        if let Some((_, path, _)) = settings.iter().find(|(name, ..)| matches!(*name, "if" | "then" | "else")) {
            self.wrong_name(
                path,
                "`if`, `then` and `else` are not supported",
                "give each processor a `when` of its own",
            );
            return None;
        }
        let [(name, path, value)] = settings.as_slice() else {
            self.wrong(
                path,
                format!("one processor is wanted here, not {}", settings.len()),
                "begin each with `- ` and its name",
            );
            return None;
        };
        let Some((_, keys)) = KNOWN.iter().find(|(known, _)| known == name) else {
            match OTHERS.iter().find(|(known, _)| known == name) {
                Some((_, advice)) => self.wrong_name(path, format!("the processor `{name}` is not supported"), *advice),
                None => self.unknown("processor", name, path, &names),
            }
            return None;
        };
        self.known(name, value, path, keys)
    }

    fn known(&mut self, name: &str, written: &Written, path: &str, keys: &[&str]) -> Option<Rule> {
        let settings = self.settings(written, path, keys)?;
        let settings = Named { settings: &settings, path };
        let label = match settings.get("id") {
            Some((path, id)) => self.text(id, path)?.to_owned(),
            // What the processor is called says less than where it stands.
            None => path.strip_suffix(name).and_then(|path| path.strip_suffix('.')).unwrap_or(path).to_owned(),
        };
        let when = settings.get("when").map(|(path, when)| self.condition(when, path));
        let action = match name {
            "drop_event" => self.drop_event(&settings),
            "drop_fields" => self.selectors(&settings).map(Change::DropFields),
            "include_fields" => self.selectors(&settings).map(Change::IncludeFields),
            "add_fields" => self.add_fields(&settings),
            "add_tags" => self.add_tags(&settings),
            "rename" => self.rename(&settings),
            _ => self.truncate(&settings),
        };
        let when = match when {
            Some(read) => Some(read?),
            None => None,
        };
        match name {
            "drop_event" => when.map(|when| Rule::new(label, Some(when), Action::Drop)),
            _ => action.map(|change| Rule::new(label, when, Action::Change(change))),
        }
    }

    /// Nothing is changed, but a condition is needed.
    fn drop_event(&mut self, settings: &Named<'_>) -> Option<Change> {
        if settings.get("when").is_none() {
            self.wrong(
                settings.path,
                "`when` is missing, so that every record would be dropped",
                "say which records, such as `when.equals.eventName: Decrypt`",
            );
        }
        None
    }

    fn selectors(&mut self, settings: &Named<'_>) -> Option<Vec<Selector>> {
        let (path, fields) = self.needed(settings, "fields")?;
        let mut selectors = Vec::new();
        for (path, item) in fields.items(path) {
            let Some(name) = self.text(item, &path) else { continue };
            let pattern =
                name.strip_prefix('/').and_then(|name| name.strip_suffix('/')).filter(|text| !text.is_empty());
            selectors.extend(match pattern {
                Some(text) => self.take(&path, text.parse::<Pattern>()).map(Selector::Pattern),
                None => self.take(&path, field_path(name)).map(Selector::Path),
            });
        }
        Some(selectors)
    }

    fn add_fields(&mut self, settings: &Named<'_>) -> Option<Change> {
        let (path, fields) = self.needed(settings, "fields")?;
        let target = match settings.get("target") {
            None => vec!["fields".to_owned()],
            Some((_, Written::Scalar { text, .. })) if text.is_empty() => Vec::new(),
            Some((path, target)) => self.target(target, path)?,
        };
        let members = self.fields(fields, path, &target);
        (!members.is_empty()).then_some(Change::AddFields(members))
    }

    fn add_tags(&mut self, settings: &Named<'_>) -> Option<Change> {
        let target = match settings.get("target") {
            None => vec!["tags".to_owned()],
            Some((path, target)) => {
                let parts = self.target(target, path)?;
                self.take(path, settable(&parts, Shape::Single))?;
                parts
            }
        };
        let (path, tags) = self.needed(settings, "tags")?;
        let tags = self.texts(tags, path);
        Some(Change::AddTags { target, tags })
    }

    fn rename(&mut self, settings: &Named<'_>) -> Option<Change> {
        let (path, fields) = self.needed(settings, "fields")?;
        let mut pairs = Vec::new();
        for (path, item) in fields.items(path) {
            let Some(ends) = self.settings(item, &path, &["from", "to"]) else { continue };
            let ends = Named { settings: &ends, path: &path };
            let from = self.needed(&ends, "from").and_then(|(path, from)| self.changeable(from, path));
            let to = self.needed(&ends, "to").and_then(|(path, to)| Some((path, self.changeable(to, path)?)));
            let Some((from, (path, to))) = from.zip(to) else { continue };
            if self.take(path, settable(&to, shape(&from))).is_some() {
                pairs.push((from, to));
            }
        }
        Some(Change::Rename { pairs, tolerance: self.tolerance(settings) })
    }

    fn truncate(&mut self, settings: &Named<'_>) -> Option<Change> {
        let (path, named) = self.needed(settings, "fields")?;
        let mut fields = Vec::new();
        for (path, item) in named.items(path) {
            fields.extend(self.changeable(item, &path));
        }
        let limit = match (settings.get("max_bytes"), settings.get("max_characters")) {
            (Some((path, bytes)), None) => Limit::Bytes(self.length(bytes, path)?),
            (None, Some((path, characters))) => Limit::Characters(self.length(characters, path)?),
            (Some(_), Some((path, _))) => {
                self.wrong(path, "`max_bytes` and `max_characters` exclude each other", "leave one of them out");
                return None;
            }
            (None, None) => {
                self.wrong(
                    settings.path,
                    "`max_bytes` or `max_characters` must be set",
                    "write the longest text to leave",
                );
                return None;
            }
        };
        Some(Change::Truncate { fields, limit, tolerance: self.tolerance(settings) })
    }

    /// As Beats: a missing field is a failure, and a failure undoes the processor.
    fn tolerance(&mut self, settings: &Named<'_>) -> Tolerance {
        let mut truth = |name, default| {
            settings.get(name).map_or(Some(default), |(path, value)| self.truth(value, path)).unwrap_or(default)
        };
        Tolerance { ignore_missing: truth("ignore_missing", false), fail_on_error: truth("fail_on_error", true) }
    }

    fn length(&mut self, written: &Written, path: &str) -> Option<usize> {
        let text = self.text(written, path)?;
        let read = text.trim().parse();
        if read.is_err() {
            self.wrong(path, format!("`{text}` is not a length"), "write a whole number such as `1024`");
        }
        read.ok()
    }

    /// A field that a processor takes something from or puts something at.
    fn changeable(&mut self, written: &Written, path: &str) -> Option<Vec<String>> {
        let parts = self.target(written, path)?;
        self.take(path, settable(&parts, Shape::Unknown))?;
        Some(parts)
    }

    fn target(&mut self, written: &Written, path: &str) -> Option<Vec<String>> {
        let name = self.text(written, path)?;
        if name == "@metadata" || name.starts_with("@metadata.") {
            let complaint = Malformed::new("documents have no `@metadata` here", "name a field of the document");
            return self.take(path, Err(complaint));
        }
        self.take(path, field_path(name))
    }

    fn needed<'s>(&mut self, settings: &'s Named<'_>, name: &str) -> Option<(&'s str, &'s Written)> {
        let found = settings.get(name);
        if found.is_none() {
            self.wrong(settings.path, format!("`{name}` must be set"), "see `docs/processors.md`");
        }
        found
    }
}

/// The settings of one processor.
struct Named<'s> {
    settings: &'s Settings<'s>,
    path: &'s str,
}

impl Named<'_> {
    /// A setting that is there, with any value but an empty one.
    fn get(&self, name: &str) -> Option<(&str, &Written)> {
        let found = self.settings.iter().find(|(own, _, value)| *own == name && **value != Written::Nothing);
        found.map(|(_, path, value)| (path.as_str(), *value))
    }
}

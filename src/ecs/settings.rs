//! What the operator decides about documents, and what of it is the same in all of them.

use super::field::FieldId;
use super::places::Places;
use super::table as f;
use crate::record::json::write;
use std::sync::Arc;

/// The tag that keeps the record's text in `event.original` (ECS mapping 12, 13).
pub const PRESERVE_TAG: &str = "preserve_original_event";
/// The tag that asks for the entity fields (ECS mapping 10).
pub const ENTITIES_TAG: &str = "actor_target_mapping";
/// The tag of documents of which an index would have refused something.
pub const REPAIRED_TAG: &str = "shape_repaired";

/// Settings of a mapper.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The operator's tags in their order; the two control tags may be among them.
    pub tags: Vec<String>,
    /// Keep the record's text in `event.original`, as the tag does.
    pub preserve_original_event: bool,
    /// Make the entity fields, as the tag does.
    pub actor_target_mapping: bool,
    pub retain: Retain,
    /// Namespace of the data stream.
    pub namespace: String,
    pub agent: Agent,
    pub compat: Compat,
    /// Repair what an index with the declared types would refuse, and say so by [`REPAIRED_TAG`]. Without it a document
    /// is as the ECS mapping has it.
    pub repair: bool,
    /// Where addresses are looked up; their fields are left out without it.
    pub places: Option<Arc<dyn Places>>,
    pub mapped_by: MappedBy,
    /// The time of reading as documents say it, instead of what the mapper is told.
    pub read_at: Option<String>,
}

/// Who makes the document out of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MappedBy {
    /// This program.
    #[default]
    Client,
    /// An ingest pipeline of the index: the record goes out as the integration's agent sends it, its text in `message`
    /// (ECS mapping 1).
    Pipeline,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            tags: vec!["forwarded".to_string(), "aws-cloudtrail".to_string()],
            preserve_original_event: false,
            actor_target_mapping: false,
            retain: Retain::default(),
            namespace: "default".to_string(),
            agent: Agent::default(),
            compat: Compat::default(),
            repair: false,
            places: None,
            mapped_by: MappedBy::default(),
            read_at: None,
        }
    }
}

impl Settings {
    /// Makes these the operator's tags; control tags among them have their effect.
    pub fn set_tags(&mut self, tags: Vec<String>) {
        self.tags = tags;
    }

    /// Whether `event.original` is kept, by setting or by tag.
    pub fn keeps_original(&self) -> bool {
        self.preserve_original_event || self.tags.iter().any(|tag| tag == PRESERVE_TAG)
    }

    /// Whether entity fields are made, by setting or by tag.
    pub fn makes_entities(&self) -> bool {
        self.actor_target_mapping || self.tags.iter().any(|tag| tag == ENTITIES_TAG)
    }

    /// The tags of a document: the control tags first, then the operator's (ECS mapping 1). The clean-up takes those
    /// away that say nothing (ECS mapping 3).
    fn document_tags(&self) -> Vec<&str> {
        let asked = [(self.preserve_original_event, PRESERVE_TAG), (self.actor_target_mapping, ENTITIES_TAG)];
        let control =
            asked.into_iter().filter(|(on, tag)| *on && !self.tags.iter().any(|own| own == tag)).map(|(_, tag)| tag);
        let own = self.tags.iter().map(String::as_str).filter(|tag| !matches!(*tag, "" | "-" | "none"));
        control.chain(own).collect()
    }
}

/// The tags of one input's documents, instead of those that the mapper's settings give to all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputTags {
    /// `tags`, as JSON; empty when there are none.
    pub(super) list: String,
    /// `tags` of a document with faults.
    pub(super) fault_list: String,
    /// `tags` of a document that was repaired; with faults or without.
    pub(super) repair_list: String,
    original: bool,
    entities: bool,
}

impl InputTags {
    /// The tags of `settings` and behind them the input's own, as Beats orders them; control tags among them have their
    /// effect on this input's documents.
    pub fn new(settings: &Settings, own: &[String]) -> InputTags {
        let mut settings = settings.clone();
        for tag in own {
            if !settings.tags.contains(tag) {
                settings.tags.push(tag.clone());
            }
        }
        let constants = Constants::new(&settings);
        InputTags {
            list: constants.get(f::TAGS).to_string(),
            original: settings.keeps_original(),
            entities: settings.makes_entities(),
            fault_list: constants.fault_tags,
            repair_list: constants.repair_tags,
        }
    }
}

/// Which forms of the payloads a document keeps: the setting `retain` (ECS mapping 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retain {
    /// The four Java texts.
    pub texts: bool,
    pub flattened: Flattened,
}

/// Which of the flattened payloads a document keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flattened {
    All,
    /// A short list of paths only.
    Minimal,
    None,
}

impl Default for Retain {
    fn default() -> Self {
        Retain { texts: true, flattened: Flattened::All }
    }
}

impl Retain {
    /// Reads `all`, `flattened`, `keyword`, `minimal` or `none`; the empty text acts like `keyword`, as in the
    /// integration.
    pub fn parse(text: &str) -> Option<Retain> {
        let (texts, flattened) = match text {
            "all" => (true, Flattened::All),
            "flattened" => (false, Flattened::All),
            "keyword" | "" => (true, Flattened::None),
            "minimal" => (true, Flattened::Minimal),
            "none" => (false, Flattened::None),
            _ => return None,
        };
        Some(Retain { texts, flattened })
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match (self.texts, self.flattened) {
            (true, Flattened::All) => "all",
            (true, Flattened::Minimal) => "minimal",
            (true, Flattened::None) => "keyword",
            (false, Flattened::None) => "none",
            (false, _) => "flattened",
        }
    }
}

/// Who ships: the `agent.*` fields. Empty ones are left out.
#[derive(Debug, Clone, Default)]
pub struct Agent {
    pub id: String,
    pub name: String,
    /// `trailship`.
    pub kind: String,
    pub version: String,
    pub ephemeral_id: String,
}

/// Deviations from the integration's documents, each off unless asked for (ECS mapping 15).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compat {
    /// `related.entity` gets every member of an entity group, not only those before the first known one.
    pub complete_entity_groups: bool,
    /// `user.name` of assumed roles is the session's name instead of the role's.
    pub session_user_name: bool,
}

/// The settings as the stages ask for them.
#[derive(Clone, Copy)]
pub(super) struct Choices {
    /// Keep `event.original`.
    pub(super) original: bool,
    /// Make the entity fields.
    pub(super) entities: bool,
    pub(super) retain: Retain,
    pub(super) compat: Compat,
    pub(super) repair: bool,
    pub(super) mapped_by: MappedBy,
}

impl Choices {
    pub(super) fn new(settings: &Settings) -> Choices {
        Choices {
            original: settings.keeps_original(),
            entities: settings.makes_entities(),
            retain: settings.retain,
            compat: settings.compat,
            repair: settings.repair,
            mapped_by: settings.mapped_by,
        }
    }

    /// The choices for a record of an input with these tags.
    pub(super) fn with(self, tags: Option<&InputTags>) -> Choices {
        match tags {
            Some(tags) => Choices { original: tags.original, entities: tags.entities, ..self },
            None => self,
        }
    }
}

/// JSON text of the fields that are the same in every document of a mapper.
pub(super) struct Constants {
    texts: Vec<(FieldId, String)>,
    /// `tags` of a document with faults.
    pub(super) fault_tags: String,
    /// `tags` of a document that was repaired; with faults or without.
    pub(super) repair_tags: String,
    /// The time of reading where it is given, as JSON.
    pub(super) read_at: Option<String>,
}

impl Constants {
    pub(super) fn new(settings: &Settings) -> Constants {
        let agent = &settings.agent;
        let mut tags = settings.document_tags();
        let mut texts: Vec<(FieldId, String)> = [
            (f::AGENT_EPHEMERAL_ID, agent.ephemeral_id.as_str()),
            (f::AGENT_ID, &agent.id),
            (f::AGENT_NAME, &agent.name),
            (f::AGENT_TYPE, &agent.kind),
            (f::AGENT_VERSION, &agent.version),
            (f::DATA_STREAM_DATASET, "aws.cloudtrail"),
            (f::DATA_STREAM_NAMESPACE, &settings.namespace),
            (f::DATA_STREAM_TYPE, "logs"),
            (f::EVENT_DATASET, "aws.cloudtrail"),
            (f::EVENT_MODULE, "aws"),
        ]
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(field, text)| (field, json_string(text)))
        .collect();
        if !tags.is_empty() {
            texts.push((f::TAGS, json_list(&tags)));
        }
        if settings.mapped_by == MappedBy::Pipeline && settings.retain != Retain::default() {
            texts.push((f::CONF_RETAIN, json_string(settings.retain.word())));
        }
        if !tags.contains(&PRESERVE_TAG) {
            tags.push(PRESERVE_TAG);
        }
        let fault_tags = json_list(&tags);
        if !tags.contains(&REPAIRED_TAG) {
            tags.push(REPAIRED_TAG);
        }
        let read_at = settings.read_at.as_deref().map(json_string);
        Constants { texts, fault_tags, repair_tags: json_list(&tags), read_at }
    }

    /// The fields that there are.
    pub(super) fn fields(&self) -> impl Iterator<Item = FieldId> {
        self.texts.iter().map(|(field, _)| *field)
    }

    /// The JSON text of a field; empty if there is none.
    pub(super) fn get(&self, field: FieldId) -> &str {
        find(&self.texts, field)
    }
}

/// The JSON text of `field` in a short list.
pub(super) fn find(texts: &[(FieldId, String)], field: FieldId) -> &str {
    texts.iter().find(|(own, _)| *own == field).map(|(_, text)| text.as_str()).unwrap_or_default()
}

/// `text` as a JSON string.
pub(super) fn json_string(text: &str) -> String {
    let mut out = Vec::new();
    write::string(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}

fn json_list(texts: &[&str]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| json_string(text)).collect();
    format!("[{}]", quoted.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retain_has_five_words() {
        for (text, texts, flattened) in [
            ("all", true, Flattened::All),
            ("flattened", false, Flattened::All),
            ("keyword", true, Flattened::None),
            ("", true, Flattened::None),
            ("minimal", true, Flattened::Minimal),
            ("none", false, Flattened::None),
        ] {
            let retain = Retain { texts, flattened };
            assert_eq!(Retain::parse(text), Some(retain), "{text:?}");
            assert_eq!(Retain::parse(retain.word()), Some(retain), "{text:?}");
        }
        assert_eq!(Retain::parse("everything"), None);
        assert_eq!(Some(Retain::default()), Retain::parse("all"));
    }

    #[test]
    fn control_tags_come_first_and_once() {
        let mut settings =
            Settings { preserve_original_event: true, actor_target_mapping: true, ..Settings::default() };
        let constants = Constants::new(&settings);
        let tags = r#"["preserve_original_event","actor_target_mapping","forwarded","aws-cloudtrail"]"#;
        assert_eq!((constants.get(f::TAGS), constants.fault_tags.as_str()), (tags, tags));
        settings.tags = vec!["a".to_string(), PRESERVE_TAG.to_string()];
        settings.actor_target_mapping = false;
        assert_eq!(Constants::new(&settings).get(f::TAGS), r#"["a","preserve_original_event"]"#);
    }

    #[test]
    fn tags_are_cleaned_and_a_fault_adds_its_own() {
        let tags = ["-", "a", "", "none", "None"].map(str::to_string).to_vec();
        let constants = Constants::new(&Settings { tags, ..Settings::default() });
        assert_eq!(constants.get(f::TAGS), r#"["a","None"]"#);
        assert_eq!(constants.fault_tags, r#"["a","None","preserve_original_event"]"#);
        let none = Constants::new(&Settings { tags: Vec::new(), ..Settings::default() });
        assert_eq!((none.get(f::TAGS), none.fault_tags.as_str()), ("", r#"["preserve_original_event"]"#));
    }

    #[test]
    fn an_input_adds_its_tags_behind_those_of_all() {
        let own = ["team-a", "forwarded", ENTITIES_TAG].map(str::to_string);
        let tags = InputTags::new(&Settings::default(), &own);
        assert_eq!(tags.list, r#"["forwarded","aws-cloudtrail","team-a","actor_target_mapping"]"#);
        assert!(tags.fault_list.ends_with(r#","preserve_original_event"]"#));
        assert!(
            tags.repair_list
                .ends_with(r#","team-a","actor_target_mapping","preserve_original_event","shape_repaired"]"#)
        );
        let choices = Choices::new(&Settings::default()).with(Some(&tags));
        assert_eq!((choices.original, choices.entities), (false, true));
        assert_eq!(InputTags::new(&Settings { tags: Vec::new(), ..Settings::default() }, &[]).list, "");
    }

    #[test]
    fn either_the_setting_or_the_tag_counts() {
        let by_tag = Settings { tags: vec![PRESERVE_TAG.to_string(), ENTITIES_TAG.to_string()], ..Settings::default() };
        assert!(by_tag.keeps_original() && by_tag.makes_entities());
        let neither = Settings::default();
        assert!(!neither.keeps_original() && !neither.makes_entities());
    }
}

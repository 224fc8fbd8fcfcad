//! What is known of a field of the document: its type in the index, its meaning and where its value comes from.

use super::source::Source;

/// A field of [`FIELDS`](super::table::FIELDS), by its number there. Only the table makes them, so a document cannot
/// have an undeclared field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(pub(super) u8);

impl FieldId {
    /// Every declared field, in the order of the table.
    pub fn all() -> impl Iterator<Item = FieldId> {
        (0..super::table::COUNT).map(|i| FieldId(i as u8))
    }

    /// The number of the field in the table.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The field itself.
    pub fn field(self) -> &'static Field {
        &super::table::FIELDS[self.index()]
    }
}

/// Type of a field in the index, by Elasticsearch's name for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Keyword,
    ConstantKeyword,
    Text,
    MatchOnlyText,
    Long,
    Boolean,
    Date,
    Ip,
    GeoPoint,
    Flattened,
    /// Holds the fields whose names begin with its own.
    Object,
}

impl Kind {
    /// The type's name in a mapping.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Keyword => "keyword",
            Kind::ConstantKeyword => "constant_keyword",
            Kind::Text => "text",
            Kind::MatchOnlyText => "match_only_text",
            Kind::Long => "long",
            Kind::Boolean => "boolean",
            Kind::Date => "date",
            Kind::Ip => "ip",
            Kind::GeoPoint => "geo_point",
            Kind::Flattened => "flattened",
            Kind::Object => "object",
        }
    }
}

/// How a field gets its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The member of the record, as it is (ECS mapping 7).
    Moved(Source),
    /// A stage makes it from the named members; with the section of the ECS mapping.
    Made { from: &'static str, section: &'static str },
    /// The input says where the record was found.
    Input(&'static str),
    /// The configuration says it, or the program about itself.
    Settings(&'static str),
    /// Looked up in a database by `source.ip` (ECS mapping 7.3).
    Enriched(&'static str),
    /// Declared for documents of other senders in the same index; never set here.
    Foreign(&'static str),
    /// trailship says it in a document of its own: of a parked record, a finding, an hour of the ledger.
    Own(&'static str),
}

/// One declared field.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Dotted name.
    pub name: &'static str,
    pub kind: Kind,
    /// One sentence on what it holds.
    pub description: &'static str,
    pub rule: Rule,
    /// Version of the `aws` integration that first had it; empty when it was always there.
    pub since: &'static str,
    /// Longest value that is indexed, in characters; none for kinds that have no such limit.
    pub ignore_above: Option<u32>,
    /// Type of a `.text` sub-field.
    pub text_subfield: Option<Kind>,
    /// False for a field that is stored only.
    pub indexed: bool,
    /// The one value of a `constant_keyword`, where it is known.
    pub value: Option<&'static str>,
}

/// Keywords without a limit of their own (ECS mapping 13).
const IGNORE_ABOVE: u32 = 1024;

impl Field {
    /// Where the value comes from, for people: members of the record, or in words.
    pub fn source(&self) -> &'static str {
        match self.rule {
            Rule::Moved(source) => source.path(),
            Rule::Made { from, .. }
            | Rule::Input(from)
            | Rule::Settings(from)
            | Rule::Enriched(from)
            | Rule::Foreign(from)
            | Rule::Own(from) => from,
        }
    }

    /// How the value is made, for people.
    pub fn rule_text(&self) -> String {
        match self.rule {
            Rule::Moved(_) => "moved as it is (ECS mapping 7)".to_string(),
            Rule::Made { section, .. } => format!("made by rule (ECS mapping {section})"),
            Rule::Input(_) => "set by the input (ECS mapping 1)".to_string(),
            Rule::Settings(_) => "set from the configuration".to_string(),
            Rule::Enriched(_) => "looked up by `source.ip` (ECS mapping 7.3)".to_string(),
            Rule::Foreign(_) => "never set here".to_string(),
            Rule::Own(_) => "set by trailship".to_string(),
        }
    }

    const fn new(kind: Kind, name: &'static str, rule: Rule, description: &'static str) -> Field {
        let ignore_above = if matches!(kind, Kind::Keyword) { Some(IGNORE_ABOVE) } else { None };
        Field {
            name,
            kind,
            description,
            rule,
            since: "",
            ignore_above,
            text_subfield: None,
            indexed: true,
            value: None,
        }
    }

    pub(super) const fn since(self, since: &'static str) -> Field {
        Field { since, ..self }
    }

    pub(super) const fn limit(self, characters: u32) -> Field {
        Field { ignore_above: Some(characters), ..self }
    }

    pub(super) const fn with_text(self, kind: Kind) -> Field {
        Field { text_subfield: Some(kind), ..self }
    }

    pub(super) const fn stored_only(self) -> Field {
        Field { indexed: false, ignore_above: None, ..self }
    }

    pub(super) const fn always(self, value: &'static str) -> Field {
        Field { value: Some(value), ..self }
    }
}

pub(super) const fn moved(kind: Kind, name: &'static str, source: Source, description: &'static str) -> Field {
    Field::new(kind, name, Rule::Moved(source), description)
}

pub(super) const fn made(
    kind: Kind,
    name: &'static str,
    from: &'static str,
    section: &'static str,
    description: &'static str,
) -> Field {
    Field::new(kind, name, Rule::Made { from, section }, description)
}

pub(super) const fn input(kind: Kind, name: &'static str, from: &'static str, description: &'static str) -> Field {
    Field::new(kind, name, Rule::Input(from), description)
}

pub(super) const fn settings(kind: Kind, name: &'static str, from: &'static str, description: &'static str) -> Field {
    Field::new(kind, name, Rule::Settings(from), description)
}

pub(super) const fn enriched(kind: Kind, name: &'static str, from: &'static str, description: &'static str) -> Field {
    Field::new(kind, name, Rule::Enriched(from), description)
}

pub(super) const fn foreign(kind: Kind, name: &'static str, from: &'static str, description: &'static str) -> Field {
    Field::new(kind, name, Rule::Foreign(from), description)
}

pub(super) const fn own(kind: Kind, name: &'static str, from: &'static str, description: &'static str) -> Field {
    Field::new(kind, name, Rule::Own(from), description)
}

//! A document that is being changed: objects by name, and pieces of JSON that are copied as they are.
//!
//! Pieces are opened one level at a time, and only on the way to what is changed, so that numbers, texts and the order
//! of members stay as the mapping wrote them. Invariant: no object is empty.

use crate::ecs::{FieldId, Mapped};
use crate::record::json::{Blanks, Tape, write};
use std::borrow::Cow;

/// A buffer larger than this, in bytes, is given back before the next document.
const KEEP_BYTES: usize = 1 << 20;

/// The document; one a thread, filled anew for each.
#[derive(Default)]
pub(super) struct Tree {
    root: Object,
    store: Store,
}

type Object = Vec<(Cow<'static, str>, Node)>;

#[derive(Debug, Clone)]
pub(super) enum Node {
    Object(Object),
    /// JSON text in `Store::text`.
    Json {
        start: usize,
        end: usize,
    },
}

/// What rules put into documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Added {
    Object(Vec<(String, Added)>),
    /// JSON text.
    Json(Vec<u8>),
}

/// A value where an object would have to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InTheWay;

/// The text of all pieces, and a tape to open them with.
#[derive(Default)]
struct Store {
    text: Vec<u8>,
    tape: Tape,
}

impl Tree {
    /// Takes over a document.
    pub(super) fn load(&mut self, mapped: Mapped<'_>) {
        self.root.clear();
        self.store.text.clear();
        self.store.text.shrink_to(KEEP_BYTES);
        for field in FieldId::all().filter(|field| mapped.has(*field)) {
            let start = self.store.text.len();
            mapped.write_field(field, &mut self.store.text);
            let piece = Node::Json { start, end: self.store.text.len() };
            insert(&mut self.root, field.field().name, piece);
        }
    }

    /// Appends the document as one line of JSON, without a line end.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.store.write(&self.root, out);
    }

    /// The piece of JSON that a path leads to or into, and how many of its parts lead to the piece.
    pub(super) fn find(&self, parts: &[String]) -> Option<(&[u8], usize)> {
        let mut object = &self.root;
        for (i, part) in parts.iter().enumerate() {
            match &object.iter().find(|(key, _)| key == part)?.1 {
                Node::Object(inner) => object = inner,
                Node::Json { start, end } => return Some((self.store.piece(*start, *end), i + 1)),
            }
        }
        None
    }

    /// The JSON of the value at a path, unless it is an object that has been opened.
    pub(super) fn value(&mut self, parts: &[String]) -> Option<&[u8]> {
        match self.copy(parts)? {
            Node::Json { start, end } => Some(self.store.piece(start, end)),
            Node::Object(_) => None,
        }
    }

    /// Whether a path leads to an object that has been opened.
    pub(super) fn has_object(&self, parts: &[String]) -> bool {
        let mut object = &self.root;
        for part in parts {
            match object.iter().find(|(key, _)| key == part) {
                Some((_, Node::Object(inner))) => object = inner,
                _ => return false,
            }
        }
        true
    }

    /// The value at a path.
    pub(super) fn copy(&mut self, parts: &[String]) -> Option<Node> {
        let (last, way) = parts.split_last()?;
        let mut object = &mut self.root;
        for part in way {
            let (_, node) = object.iter_mut().find(|(key, _)| key == part)?;
            object = self.store.open(node)?;
        }
        object.iter().find(|(key, _)| key == last).map(|(_, node)| node.clone())
    }

    /// Takes the value at a path away, and objects that are empty then.
    pub(super) fn remove(&mut self, parts: &[String]) -> Option<Node> {
        remove(&mut self.root, parts, &mut self.store)
    }

    /// Puts a value at a path, instead of what is there.
    pub(super) fn put(&mut self, parts: &[String], node: Node) -> Result<(), InTheWay> {
        put(&mut self.root, parts, node, &mut self.store)
    }

    /// Puts JSON text at a path, instead of what is there.
    pub(super) fn put_json(&mut self, parts: &[String], json: &[u8]) -> Result<(), InTheWay> {
        let node = self.store.keep(|text| text.extend_from_slice(json));
        self.put(parts, node)
    }

    /// Adds members; objects are joined, anything else is replaced.
    pub(super) fn merge(&mut self, added: &[(String, Added)]) {
        merge(&mut self.root, added, &mut self.store);
    }

    /// Keeps what the paths lead to, and nothing else.
    pub(super) fn retain(&mut self, paths: &[Vec<String>]) {
        let mut kept = Object::new();
        for parts in paths {
            if let Some(node) = self.copy(parts) {
                // What stands in the way came by another of the paths, and holds this value.
                let _ = put(&mut kept, parts, node, &mut self.store);
            }
        }
        self.root = kept;
    }

    /// The paths of all values, those inside objects of the record included.
    pub(super) fn paths(&mut self) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        list(&mut self.root, &mut Vec::new(), &mut self.store, &mut paths);
        paths
    }

    /// The whole document, for [`Tree::restore`].
    pub(super) fn backup(&self) -> Node {
        Node::Object(self.root.clone())
    }

    /// Makes the document what it was.
    pub(super) fn restore(&mut self, backup: Node) {
        if let Node::Object(root) = backup {
            self.root = root;
        }
    }
}

impl Store {
    fn piece(&self, start: usize, end: usize) -> &[u8] {
        self.text.get(start..end).unwrap_or_default()
    }

    fn keep(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Node {
        let start = self.text.len();
        write(&mut self.text);
        Node::Json { start, end: self.text.len() }
    }

    /// The members of a value, if it is an object.
    fn open<'n>(&mut self, node: &'n mut Node) -> Option<&'n mut Object> {
        if let Node::Json { start, end } = *node {
            let Store { text, tape } = self;
            let piece = text.get(start..end).filter(|piece| piece.first() == Some(&b'{'))?;
            let object = tape.parse(piece, Blanks::Kept).ok()?;
            let mut members = Object::with_capacity(object.len());
            for (key, member) in object.members() {
                let start = text.len();
                write::value(text, member);
                members.push((Cow::Owned(key.text.to_owned()), Node::Json { start, end: text.len() }));
            }
            *node = Node::Object(members);
        }
        match node {
            Node::Object(object) => Some(object),
            Node::Json { .. } => None,
        }
    }

    fn write(&self, object: &Object, out: &mut Vec<u8>) {
        out.push(b'{');
        for (i, (key, node)) in object.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            write::string(out, key);
            out.push(b':');
            match node {
                Node::Object(inner) => self.write(inner, out),
                Node::Json { start, end } => out.extend_from_slice(self.piece(*start, *end)),
            }
        }
        out.push(b'}');
    }
}

impl Added {
    /// Puts members below a path.
    pub(super) fn below(parts: &[String], members: Vec<(String, Added)>) -> Vec<(String, Added)> {
        parts.iter().rev().fold(members, |inner, part| vec![(part.clone(), Added::Object(inner))])
    }

    fn node(&self, store: &mut Store) -> Node {
        match self {
            Added::Json(json) => store.keep(|text| text.extend_from_slice(json)),
            Added::Object(members) => Node::Object(
                members.iter().map(|(key, member)| (Cow::Owned(key.clone()), member.node(store))).collect(),
            ),
        }
    }
}

/// Puts a declared field's value in its place; fields of one object come one after the other.
fn insert(root: &mut Object, name: &'static str, piece: Node) {
    let mut object = root;
    let mut parts = name.split('.').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            object.push((Cow::Borrowed(part), piece));
            return;
        }
        if !matches!(object.last(), Some((key, Node::Object(_))) if key == part) {
            object.push((Cow::Borrowed(part), Node::Object(Object::new())));
        }
        let Some((_, Node::Object(inner))) = object.last_mut() else { return };
        object = inner;
    }
}

fn remove(object: &mut Object, parts: &[String], store: &mut Store) -> Option<Node> {
    let (first, rest) = parts.split_first()?;
    let at = object.iter().position(|(key, _)| key == first)?;
    if rest.is_empty() {
        return Some(object.remove(at).1);
    }
    let inner = store.open(&mut object.get_mut(at)?.1)?;
    let removed = remove(inner, rest, store);
    if inner.is_empty() {
        object.remove(at);
    }
    removed
}

fn put(object: &mut Object, parts: &[String], node: Node, store: &mut Store) -> Result<(), InTheWay> {
    let Some((first, rest)) = parts.split_first() else { return Err(InTheWay) };
    let at = object.iter().position(|(key, _)| key == first);
    let Some((_, there)) = at.and_then(|at| object.get_mut(at)) else {
        let node = rest.iter().rev().fold(node, |inner, part| Node::Object(vec![(Cow::Owned(part.clone()), inner)]));
        object.push((Cow::Owned(first.clone()), node));
        return Ok(());
    };
    if rest.is_empty() {
        *there = node;
        return Ok(());
    }
    put(store.open(there).ok_or(InTheWay)?, rest, node, store)
}

fn merge(object: &mut Object, added: &[(String, Added)], store: &mut Store) {
    for (key, value) in added {
        let there = object.iter().position(|(own, _)| own == key).and_then(|at| object.get_mut(at));
        match (there, value) {
            (None, value) => {
                let node = value.node(store);
                object.push((Cow::Owned(key.clone()), node));
            }
            (Some((_, node)), Added::Object(members)) => match store.open(node) {
                Some(inner) => merge(inner, members, store),
                None => *node = value.node(store),
            },
            (Some((_, node)), Added::Json(_)) => *node = value.node(store),
        }
    }
}

fn list(object: &mut Object, way: &mut Vec<String>, store: &mut Store, paths: &mut Vec<Vec<String>>) {
    for (key, node) in object {
        way.push(key.clone().into_owned());
        match store.open(node) {
            Some(inner) if !inner.is_empty() => list(inner, way, store, paths),
            _ => paths.push(way.clone()),
        }
        way.pop();
    }
}

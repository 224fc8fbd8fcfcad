//! Reads KQL by Kibana's published grammar (`@kbn/es-query`, its grammar file).
//!
//! `or` binds weakest, then `and`, then `not`. A bare text runs on over spaces up to a keyword or a special
//! character, so `Failed authentication` is one value. Where Kibana takes a field's name with wildcards from its
//! data view, we refuse it: without one, such a clause would find nothing and say nothing.

use super::{Bound, DEEPEST, Fault, Node, Value};

/// Reads the whole text; `None` when there is nothing in it.
pub fn query(text: &str) -> Result<Option<Node>, Fault> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    reader.spaces();
    if reader.rest().is_empty() {
        return Ok(None);
    }
    let root = reader.clauses(None)?;
    reader.spaces();
    if !reader.rest().is_empty() {
        return Err(reader.fault(reader.hint_for_leftover()));
    }
    Ok(root_unless_everything(root))
}

/// `*: *` is Kibana's other way to ask nothing.
fn root_unless_everything(root: Node) -> Option<Node> {
    match root {
        Node::Is(Some(field), Value::Any) if field == "*" => None,
        root => Some(root),
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Bytes read.
    at: usize,
    /// Open groups and `not` words.
    depth: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyword {
    Or,
    And,
    Not,
}

impl Reader<'_> {
    /// Clauses joined by `or`. `field` is the field of a value list, in which clauses are bare values.
    fn clauses(&mut self, field: Option<&str>) -> Result<Node, Fault> {
        let mut nodes = vec![self.conjunction(field)?];
        while self.keyword(Keyword::Or) {
            nodes.push(self.conjunction(field)?);
        }
        Ok(single_or(nodes, Node::Or))
    }

    fn conjunction(&mut self, field: Option<&str>) -> Result<Node, Fault> {
        let mut nodes = vec![self.negation(field)?];
        while self.keyword(Keyword::And) {
            nodes.push(self.negation(field)?);
        }
        Ok(single_or(nodes, Node::And))
    }

    fn negation(&mut self, field: Option<&str>) -> Result<Node, Fault> {
        if self.keyword(Keyword::Not) {
            // The grammar has no `not not`; its second word would be read as a value's text.
            return Ok(Node::Not(Box::new(self.clause(field)?)));
        }
        self.clause(field)
    }

    fn clause(&mut self, field: Option<&str>) -> Result<Node, Fault> {
        if self.rest().starts_with('(') {
            return self.group(field);
        }
        match field {
            Some(field) => Ok(Node::Is(Some(field.to_owned()), self.value()?)),
            None => self.expression(),
        }
    }

    fn group(&mut self, field: Option<&str>) -> Result<Node, Fault> {
        if self.depth == DEEPEST {
            return Err(self.fault("at most 64 groups may stand within each other"));
        }
        self.depth += 1;
        self.at += 1;
        self.spaces();
        let inner = self.clauses(field)?;
        self.spaces();
        if !self.rest().starts_with(')') {
            return Err(self.fault("expected `)`, `and` or `or`"));
        }
        self.at += 1;
        self.depth -= 1;
        Ok(inner)
    }

    /// A field with its values, a field with its range, or a value alone.
    fn expression(&mut self) -> Result<Node, Fault> {
        let start = self.at;
        let first = self.value()?;
        let after = self.at;
        self.spaces();
        if let Some(bound) = self.bound() {
            let field = self.named(start, first)?;
            self.spaces();
            let (from, value) = (self.at, self.value()?);
            let value = match value {
                Value::Text(text) | Value::Phrase(text) => text,
                Value::Flag(flag) => flag.to_string(),
                Value::Any | Value::Wildcard(_) => {
                    return Err(self.fault_at(from, "a range takes no wildcards"));
                }
            };
            return Ok(Node::Range(field, bound, value));
        }
        if !self.rest().starts_with(':') {
            self.at = after;
            return Ok(Node::Is(None, first));
        }
        self.at += 1;
        self.spaces();
        if self.rest().starts_with('{') {
            return Err(self.fault("nested groups are not supported: no field of ours is of type nested"));
        }
        if first == Value::Any {
            return match self.value()? {
                Value::Any => Ok(Node::Is(Some("*".to_owned()), Value::Any)),
                _ => Err(self.fault_at(start, "write the name of one field, without wildcards")),
            };
        }
        let field = self.named(start, first)?;
        self.clause(Some(&field))
    }

    fn named(&self, start: usize, name: Value) -> Result<String, Fault> {
        match name {
            Value::Text(name) | Value::Phrase(name) if !name.is_empty() => Ok(name),
            Value::Flag(flag) => Ok(flag.to_string()),
            _ => Err(self.fault_at(start, "write the name of one field, without wildcards")),
        }
    }

    fn value(&mut self) -> Result<Value, Fault> {
        if self.rest().starts_with('"') { self.phrase() } else { self.bare() }
    }

    fn phrase(&mut self) -> Result<Value, Fault> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            if let Some(character) = self.escaped_space().or_else(|| self.escaped_code()) {
                text.push(character);
                continue;
            }
            let mut ahead = self.rest().chars();
            match (ahead.next(), ahead.next()) {
                (Some('\\'), Some(character @ ('\\' | '"'))) => {
                    text.push(character);
                    self.at += 2;
                }
                (Some('"'), _) => {
                    self.at += 1;
                    return Ok(Value::Phrase(text));
                }
                (Some(character), _) => {
                    text.push(character);
                    self.at += character.len_utf8();
                }
                (None, _) => return Err(self.fault_at(start, "this quotation mark is never closed")),
            }
        }
    }

    fn bare(&mut self) -> Result<Value, Fault> {
        let start = self.at;
        let mut pieces = vec![String::new()];
        while let Some(step) = self.bare_step() {
            match (step, pieces.last_mut()) {
                (Step::Asterisk, _) => pieces.push(String::new()),
                (Step::Character(character), Some(piece)) => piece.push(character),
                (Step::Word(word), Some(piece)) => piece.push_str(&word),
                (_, None) => {}
            }
        }
        if self.at == start {
            return Err(
                self.fault("expected a value; characters of the language (`\\():<>\"*{}`) need a `\\` before them")
            );
        }
        trim(&mut pieces);
        if pieces.len() > 1 {
            let alone = pieces.len() == 2 && pieces.iter().all(String::is_empty);
            return Ok(if alone { Value::Any } else { Value::Wildcard(pieces) });
        }
        match pieces.pop().unwrap_or_default().as_str() {
            "" => Err(self.fault_at(start, "expected a value")),
            "null" => {
                Err(self.fault_at(start, "`null` finds nothing; write `not field: *`, or `\"null\"` for the word"))
            }
            "true" => Ok(Value::Flag(true)),
            "false" => Ok(Value::Flag(false)),
            text => Ok(Value::Text(text.to_owned())),
        }
    }

    /// One character of a bare text, or `None` where it ends.
    fn bare_step(&mut self) -> Option<Step> {
        // By the grammar this is a line break and `ot`, which nobody means: it ends the text, with a fault.
        if self.rest().get(..4).is_some_and(|text| text.eq_ignore_ascii_case("\\not")) {
            return None;
        }
        if let Some(character) = self.escaped_space() {
            return Some(Step::Character(character));
        }
        let mut ahead = self.rest().chars();
        let first = ahead.next()?;
        if first == '\\' {
            if let Some(special) = ahead.next().filter(|next| is_special(*next)) {
                self.at += 1 + special.len_utf8();
                return Some(Step::Character(special));
            }
            if let Some(character) = self.escaped_code() {
                return Some(Step::Character(character));
            }
            let word = ["or", "and"]
                .iter()
                .find_map(|word| self.rest().get(1..=word.len()).filter(|text| text.eq_ignore_ascii_case(word)))?
                .to_owned();
            self.at += 1 + word.len();
            return Some(Step::Word(word));
        }
        if first == '*' {
            self.at += 1;
            return Some(Step::Asterisk);
        }
        if is_special(first) || self.at_keyword() {
            return None;
        }
        self.at += first.len_utf8();
        Some(Step::Character(first))
    }

    fn escaped_space(&mut self) -> Option<char> {
        let character = match self.rest().get(..2)? {
            "\\t" => '\t',
            "\\r" => '\r',
            "\\n" => '\n',
            _ => return None,
        };
        self.at += 2;
        Some(character)
    }

    /// `\u` with four hexadecimal digits.
    fn escaped_code(&mut self) -> Option<char> {
        let digits = self.rest().strip_prefix("\\u")?.get(..4)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let code = u32::from_str_radix(digits, 16).ok()?;
        self.at += 6;
        Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn bound(&mut self) -> Option<Bound> {
        let signs = [("<=", Bound::LessOrEqual), (">=", Bound::MoreOrEqual), ("<", Bound::Less), (">", Bound::More)];
        let (sign, bound) = signs.into_iter().find(|(sign, _)| self.rest().starts_with(sign))?;
        self.at += sign.len();
        Some(bound)
    }

    fn keyword(&mut self, keyword: Keyword) -> bool {
        let length = keyword_length(self.rest(), keyword);
        self.at += length.unwrap_or(0);
        length.is_some()
    }

    fn at_keyword(&self) -> bool {
        [Keyword::Or, Keyword::And, Keyword::Not].iter().any(|keyword| keyword_length(self.rest(), *keyword).is_some())
    }

    fn spaces(&mut self) {
        self.at += leading_spaces(self.rest());
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn hint_for_leftover(&self) -> &'static str {
        match self.rest().chars().next() {
            Some(')') => "no group is open here",
            Some('}') => "nested groups are not supported: no field of ours is of type nested",
            Some('\\') => {
                "`\\` stands before a character of the language, `t`, `r`, `n`, `u` with four digits, `and` or `or`; put the value in quotes"
            }
            _ => "expected `and` or `or`, with spaces around it",
        }
    }

    fn fault(&self, hint: &'static str) -> Fault {
        self.fault_at(self.at, hint)
    }

    fn fault_at(&self, at: usize, hint: &'static str) -> Fault {
        let (before, rest) = self.text.split_at_checked(at).unwrap_or((self.text, ""));
        Fault { at: before.chars().count() + 1, rest: rest.chars().take(24).collect(), hint }
    }
}

enum Step {
    Character(char),
    Word(String),
    Asterisk,
}

/// The bytes of a keyword with the spaces that belong to it: `or` and `and` have some on both sides.
fn keyword_length(text: &str, keyword: Keyword) -> Option<usize> {
    let (word, before) = match keyword {
        Keyword::Or => ("or", leading_spaces(text)),
        Keyword::And => ("and", leading_spaces(text)),
        Keyword::Not => ("not", 0),
    };
    if before == 0 && keyword != Keyword::Not {
        return None;
    }
    let end = before + word.len();
    text.get(before..end).filter(|found| found.eq_ignore_ascii_case(word))?;
    match leading_spaces(text.get(end..)?) {
        0 => None,
        after => Some(end + after),
    }
}

fn leading_spaces(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t', '\r', '\n', '\u{a0}']).len()
}

fn is_special(character: char) -> bool {
    matches!(character, '\\' | '(' | ')' | ':' | '<' | '>' | '"' | '*' | '{' | '}')
}

fn trim(pieces: &mut [String]) {
    if let Some(first) = pieces.first_mut() {
        *first = first.trim_start().to_owned();
    }
    if let Some(last) = pieces.last_mut() {
        last.truncate(last.trim_end().len());
    }
}

fn single_or(mut nodes: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Node {
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        Some(last) => {
            nodes.push(last);
            join(nodes)
        }
        None => join(nodes),
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;

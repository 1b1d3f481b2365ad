//! What one document states and the other does not, seen from whoever relies on the first.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, Field, Operation, Shape};

/// All differences, each as one line: where it is, and what.
pub(super) fn differences(theirs: &Facts, ours: &Facts) -> Vec<String> {
    let mut comparison = Comparison { theirs, ours, compared: BTreeSet::new(), found: BTreeSet::new() };
    for (name, operation) in &theirs.operations {
        match ours.operations.get(name) {
            Some(other) => comparison.operation(name, operation, other),
            None => comparison.note(name, "is missing"),
        }
    }
    for name in ours.operations.keys().filter(|name| !theirs.operations.contains_key(*name)) {
        comparison.note(name, "is added");
    }
    comparison.found.into_iter().collect()
}

/// Which way values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }

    fn shows(self, field: &Field) -> bool {
        match self {
            Self::Request => !field.read_only,
            Self::Response => !field.write_only,
        }
    }
}

struct Comparison<'f> {
    theirs: &'f Facts,
    ours: &'f Facts,
    /// Pairs of types that have been compared, or are being.
    compared: BTreeSet<String>,
    found: BTreeSet<String>,
}

impl Comparison<'_> {
    fn note(&mut self, place: &str, what: &str) {
        self.found.insert(format!("{place} {what}"));
    }

    fn operation(&mut self, name: &str, theirs: &Operation, ours: &Operation) {
        if theirs.id != ours.id {
            self.note(name, &format!("is called {} instead of {}", ours.id, theirs.id));
        }
        if theirs.key != ours.key {
            self.note(name, if ours.key { "needs the API key" } else { "needs no API key" });
        }
        if theirs.deprecated != ours.deprecated {
            self.note(name, "is not deprecated alike");
        }
        self.fields(name, Side::Request, &theirs.parameters, &ours.parameters);
        if ours.body_required && !theirs.body_required {
            self.note(name, "body is required");
        }
        self.contents(&format!("{name} body"), Side::Request, &theirs.body, &ours.body);
        for (status, contents) in &theirs.answers {
            match ours.answers.get(status) {
                Some(other) => self.contents(&format!("{name} {status}"), Side::Response, contents, other),
                None => self.note(&format!("{name} {status}"), "is missing"),
            }
        }
        for status in ours.answers.keys().filter(|status| !theirs.answers.contains_key(*status)) {
            self.note(&format!("{name} {status}"), "is added");
        }
    }

    fn contents(
        &mut self,
        place: &str,
        side: Side,
        theirs: &BTreeMap<String, Shape>,
        ours: &BTreeMap<String, Shape>,
    ) {
        for (kind, shape) in theirs {
            match ours.get(kind) {
                Some(other) => self.shapes(&format!("{place} {kind}"), side, shape, other),
                None => self.note(&format!("{place} {kind}"), "is missing"),
            }
        }
        for kind in ours.keys().filter(|kind| !theirs.contains_key(*kind)) {
            self.note(&format!("{place} {kind}"), "is added");
        }
    }

    fn fields(
        &mut self,
        place: &str,
        side: Side,
        theirs: &BTreeMap<String, Field>,
        ours: &BTreeMap<String, Field>,
    ) {
        for (name, field) in theirs.iter().filter(|(_, field)| side.shows(field)) {
            match ours.get(name) {
                Some(other) => self.field(&format!("{place}.{name}"), side, field, other),
                None => self.note(&format!("{place}.{name}"), "is missing"),
            }
        }
        let is_theirs = |name: &String| theirs.get(name).is_some_and(|field| side.shows(field));
        for (name, _) in ours.iter().filter(|(name, field)| side.shows(field) && !is_theirs(name)) {
            self.note(&format!("{place}.{name}"), "is added");
        }
    }

    fn field(&mut self, place: &str, side: Side, theirs: &Field, ours: &Field) {
        if theirs.required != ours.required {
            self.note(place, if ours.required { "is required" } else { "is not required" });
        }
        // Anything may be null.
        let is_anything = [(self.theirs, theirs), (self.ours, ours)]
            .iter()
            .any(|(facts, field)| *facts.meaning(&field.shape) == Shape::Any);
        // A parameter cannot be written as null.
        let is_parameter = place.contains(".query ") || place.contains(".path ");
        if theirs.nullable != ours.nullable && !is_anything && !is_parameter {
            self.note(place, if ours.nullable { "may be null" } else { "may not be null" });
        }
        // Nobody is refused an answer.
        let all = || theirs.bounds.keys().chain(ours.bounds.keys());
        let bounds: BTreeSet<&String> = if side == Side::Request { all().collect() } else { BTreeSet::new() };
        for bound in bounds {
            let (there, here) = (theirs.bounds.get(bound), ours.bounds.get(bound));
            if there != here {
                let shown = |value: Option<&String>| value.map_or_else(|| "none".to_owned(), String::clone);
                self.note(place, &format!("has {bound} {} instead of {}", shown(here), shown(there)));
            }
        }
        self.shapes(place, side, &theirs.shape, &ours.shape);
    }

    fn shapes(&mut self, place: &str, side: Side, theirs: &Shape, ours: &Shape) {
        let (theirs, ours) = (self.theirs.meaning(theirs), self.ours.meaning(ours));
        match (theirs, ours) {
            (Shape::List(theirs), Shape::List(ours)) => {
                self.shapes(&format!("{place}[]"), side, theirs, ours)
            }
            (Shape::Map(theirs), Shape::Map(ours)) => {
                self.shapes(&format!("{place}{{}}"), side, theirs, ours)
            }
            (Shape::Words(theirs), Shape::Words(ours)) => self.words(place, theirs, ours),
            (_, Shape::OneOf(ours)) if side == Side::Response => {
                // The first is the usual one.
                let (usual, others) = ours.split_first().expect("a choice has branches");
                self.shapes(place, side, theirs, usual);
                for other in others {
                    self.note(place, &format!("may also be {}", shown(other)));
                }
            }
            (Shape::Any, Shape::Any) => {}
            (Shape::Plain(theirs), Shape::Plain(ours)) if theirs == ours => {}
            _ => match (self.theirs.object(theirs), self.ours.object(ours)) {
                (Some(their_fields), Some(our_fields)) => {
                    // A type is compared once a side, and under its own name.
                    let place = match theirs {
                        Shape::Named(name) => name.clone(),
                        Shape::Any
                        | Shape::Plain(_)
                        | Shape::Words(_)
                        | Shape::List(_)
                        | Shape::Map(_)
                        | Shape::OneOf(_) => place.to_owned(),
                    };
                    let place = format!("{} {place}", side.name());
                    if self.compared.insert(format!("{place} {ours:?}")) {
                        self.fields(&place, side, &their_fields, &our_fields);
                    }
                }
                _ => self.note(place, &format!("is {} instead of {}", shown(ours), shown(theirs))),
            },
        }
    }

    fn words(&mut self, place: &str, theirs: &[String], ours: &[String]) {
        for word in theirs.iter().filter(|word| !ours.contains(word)) {
            self.note(place, &format!("does not know the word {word}"));
        }
        for word in ours.iter().filter(|word| !theirs.contains(word)) {
            self.note(place, &format!("knows the word {word}"));
        }
    }
}

fn shown(shape: &Shape) -> String {
    match shape {
        Shape::Any => "anything".to_owned(),
        Shape::Plain(kind) => kind.clone(),
        Shape::Words(words) => format!("one of {} words", words.len()),
        Shape::List(item) => format!("a list of {}", shown(item)),
        Shape::Map(value) => format!("a map of {}", shown(value)),
        Shape::Named(name) => name.clone(),
        Shape::OneOf(_) => "one of several".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::read;
    use super::differences;

    fn found(theirs: &str, ours: &str) -> Vec<String> {
        differences(&read(theirs).expect("theirs"), &read(ours).expect("ours"))
    }

    #[test]
    fn equal_documents_differ_in_nothing() {
        let kept = include_str!("ultravox.txt");
        assert_eq!(found(kept, kept), Vec::<String>::new());
    }

    #[test]
    fn operations_parameters_bodies_and_statuses_are_compared() {
        let theirs = "POST /api/a a_create key\n  query q string\n  body application/json @A\n  201 application/json @A\n  404\n\
                      GET /api/b b_list key\n  200\ntype A\n  x string\n";
        let ours = "POST /api/a a_make\n  query p string\n  body! application/json @A\n  200 application/json @A\n  404\n\
                    DELETE /api/b b_destroy key\n  204\ntype A\n  x string\n";
        assert_eq!(
            found(theirs, ours),
            [
                "DELETE /api/b is added",
                "GET /api/b is missing",
                "POST /api/a 200 is added",
                "POST /api/a 201 is missing",
                "POST /api/a body is required",
                "POST /api/a is called a_make instead of a_create",
                "POST /api/a needs no API key",
                "POST /api/a.query p is added",
                "POST /api/a.query q is missing",
            ]
        );
    }

    #[test]
    fn fields_are_compared_by_the_way_they_go_whatever_their_types_are_called() {
        let theirs = "PUT /api/a a_update key\n  body application/json @A\n  200 application/json @A\n\
                      type A\n  id string:uuid required readOnly\n  word <a|b>\n  secret string writeOnly\n  n integer nullable\n";
        let ours = "PUT /api/a a_update key\n  body application/json @Request\n  200 application/json @Answer\n\
                    type Request\n  word <a|c> required\n  secret string maxLength=8\n  n string\n\
                    type Answer\n  id string required\n  word @Word\n  n integer\ntype Word = <a|b>\n";
        assert_eq!(
            found(theirs, ours),
            [
                "request A.n is string instead of integer",
                "request A.n may not be null",
                "request A.secret has maxLength 8 instead of none",
                "request A.word does not know the word b",
                "request A.word is required",
                "request A.word knows the word c",
                "response A.id is string instead of string:uuid",
                "response A.n may not be null",
            ]
        );
    }
}

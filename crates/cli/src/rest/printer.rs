//! Where answers go: tables and fields for people, one JSON object a line for programs. What is said beside goes to the standard
//! error, so that a pipe holds nothing but the answer.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;
use serde_json::Value;

use super::columns::Column;
use super::details;
use super::moments::Clock;
use crate::screen::USUAL_WIDTH;
use crate::table::Table;

/// The form of what is printed.
pub(super) struct Printer {
    form: Form,
}

enum Form {
    /// A JSON object a line.
    Json,
    /// For a terminal of this width, by this clock.
    Terminal { width: usize, clock: Clock },
    /// For whatever reads the text: nothing is cut off, moments are as the API writes them.
    Plain,
}

/// A list that is being printed.
pub(super) struct Listing<'p> {
    printer: &'p Printer,
    columns: &'static [Column],
    table: Table,
}

impl Printer {
    pub(super) fn new(json: bool) -> Self {
        let width = || terminal_size::terminal_size().map_or(USUAL_WIDTH, |(width, _)| width.0.into());
        let form = match (json, io::stdout().is_terminal()) {
            (true, _) => Form::Json,
            (false, true) => Form::Terminal { width: width(), clock: Clock::of_this_machine() },
            (false, false) => Form::Plain,
        };
        Self { form }
    }

    /// Whether programs read what is printed.
    pub(super) fn is_json(&self) -> bool {
        matches!(self.form, Form::Json)
    }

    /// Prints one resource.
    pub(super) fn resource(&self, resource: &impl Serialize) -> io::Result<()> {
        let resource = value_of(resource);
        let mut out = anstream::stdout().lock();
        match &self.form {
            Form::Json => writeln!(out, "{resource}")?,
            Form::Terminal { clock, .. } => details::write(&mut out, &resource, Some(clock))?,
            Form::Plain => details::write(&mut out, &resource, None)?,
        }
        out.flush()
    }

    /// Begins to print a list.
    pub(super) fn list(&self, columns: &'static [Column]) -> Listing<'_> {
        let width = match &self.form {
            Form::Terminal { width, .. } => Some(*width),
            Form::Json | Form::Plain => None,
        };
        let titles = columns.iter().map(|column| (column.title, column.room)).collect();
        Listing { printer: self, columns, table: Table::new(titles, width) }
    }

    /// Says something to people that is no answer.
    pub(super) fn note(&self, text: &str) -> io::Result<()> {
        if self.is_json() {
            return Ok(());
        }
        let dim = anstyle::Style::new().dimmed();
        writeln!(anstream::stderr(), "{dim}{}{dim:#}", crate::screen::harmless(text))
    }
}

impl Listing<'_> {
    /// Prints more of the list.
    pub(super) fn items(&mut self, items: &[impl Serialize]) -> io::Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        let mut out = anstream::stdout().lock();
        let clock = match &self.printer.form {
            Form::Json => {
                items.iter().try_for_each(|item| writeln!(out, "{}", value_of(item)))?;
                return out.flush();
            }
            Form::Terminal { clock, .. } => Some(clock),
            Form::Plain => None,
        };
        let rows: Vec<Vec<String>> = items
            .iter()
            .map(value_of)
            .map(|item| self.columns.iter().map(|column| column.cell(&item, clock)).collect())
            .collect();
        self.table.write(&mut out, &rows)?;
        out.flush()
    }
}

fn value_of(resource: &impl Serialize) -> Value {
    serde_json::to_value(resource).expect("wire types have string keys")
}

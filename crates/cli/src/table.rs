//! Tables: rows of cells under titles, no wider than the terminal.
//!
//! Knows texts and widths, and nothing of what they mean.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Between two columns.
const GAP: &str = "  ";
/// What a column that gives way keeps.
const LEAST: usize = 8;

/// How a column takes a lack of room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// It has to be seen as a whole.
    Whole,
    /// Its end may be cut off.
    Cut,
    /// It goes on in further lines. Only of use for the last column.
    Wrap,
}

/// A table that is written in portions, the first of which decides how wide the columns are.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Room)>,
    /// Of the terminal, if it is written to one.
    width: Option<usize>,
    widths: Option<Vec<usize>>,
}

impl Table {
    pub(crate) fn new(columns: Vec<(&'static str, Room)>, width: Option<usize>) -> Self {
        Self { columns, width, widths: None }
    }

    /// Writes rows, and before the first ones the titles.
    pub(crate) fn write(&mut self, out: &mut impl Write, rows: &[Vec<String>]) -> io::Result<()> {
        if self.widths.is_none() {
            let widths = self.fitting(rows);
            let titles: Vec<String> = self.columns.iter().map(|(title, _)| (*title).to_owned()).collect();
            let bold = anstyle::Style::new().bold();
            let mut line = Vec::new();
            self.row(&mut line, &titles, &widths)?;
            let line = String::from_utf8_lossy(&line).into_owned();
            writeln!(out, "{bold}{}{bold:#}", line.trim_end())?;
            self.widths = Some(widths);
        }
        let widths = self.widths.clone().unwrap_or_default();
        rows.iter().try_for_each(|row| self.row(out, row, &widths))
    }

    /// How wide each column is: as wide as its widest cell, and then narrower, the widest first, until all fit.
    fn fitting(&self, rows: &[Vec<String>]) -> Vec<usize> {
        let widest = |(at, (title, _)): (usize, &(&str, Room))| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.width());
            cells.max().unwrap_or(0).max(title.width())
        };
        let mut widths: Vec<usize> = self.columns.iter().enumerate().map(widest).collect();
        let Some(width) = self.width else { return widths };
        let gaps = GAP.len() * self.columns.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > width {
            let gives = |at: &usize| self.columns[*at].1 != Room::Whole && widths[*at] > LEAST;
            let Some(at) = (0..widths.len()).filter(gives).max_by_key(|at| widths[*at]) else { break };
            widths[at] -= 1;
        }
        widths
    }

    fn row(&self, out: &mut impl Write, cells: &[String], widths: &[usize]) -> io::Result<()> {
        let last = self.columns.len() - 1;
        let mut line = String::new();
        let mut further = Vec::new();
        for (at, (_, room)) in self.columns.iter().enumerate() {
            let cell = cells.get(at).map_or("", String::as_str);
            let width = widths.get(at).copied().unwrap_or_default();
            let cell = match room {
                _ if self.width.is_none() => cell.to_owned(),
                Room::Whole => cell.to_owned(),
                Room::Cut => cut(cell, width),
                Room::Wrap => {
                    let mut lines = wrapped(cell, width).into_iter();
                    let first = lines.next().unwrap_or_default();
                    further.extend(lines);
                    first
                }
            };
            if at > 0 {
                line.push_str(GAP);
            }
            line.push_str(&cell);
            if at < last {
                line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width())));
            }
        }
        writeln!(out, "{}", line.trim_end())?;
        let before = widths[..last].iter().sum::<usize>() + GAP.len() * last;
        further.iter().try_for_each(|line| writeln!(out, "{:before$}{line}", ""))
    }
}

/// As much of a text as fits, and a mark if that is not all.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut room = width.saturating_sub(1);
    let fits = |char: &char| {
        let fits = char.width().unwrap_or(0) <= room;
        room = room.saturating_sub(char.width().unwrap_or(0));
        fits
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    cut.push('…');
    cut
}

/// A text in lines that break between words, and within words that are too long.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    let mut room = width;
    for word in text.split_whitespace() {
        let begun = room < width;
        if begun && word.width() + 1 > room {
            lines.push(String::new());
            room = width;
        }
        if room < width {
            lines.last_mut().expect("there is one").push(' ');
            room -= 1;
        }
        for char in word.chars() {
            let wide = char.width().unwrap_or(0);
            if wide > room {
                lines.push(String::new());
                room = width;
            }
            lines.last_mut().expect("there is one").push(char);
            room = room.saturating_sub(wide);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(width: Option<usize>, room: Room, cells: &[[&str; 2]]) -> String {
        let mut table = Table::new(vec![("ID", Room::Whole), ("NAME", room)], width);
        let rows: Vec<Vec<String>> = cells.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
        let mut out = Vec::new();
        table.write(&mut out, &rows).unwrap();
        anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
    }

    #[test]
    fn a_table_is_as_wide_as_it_must_be_and_no_wider_than_the_terminal() {
        let rows = [["1234", "a name that is long"], ["5", "日本語のなまえ"]];
        let whole = "ID    NAME\n1234  a name that is long\n5     日本語のなまえ\n";
        assert_eq!(table(None, Room::Cut, &rows), whole);
        assert_eq!(table(Some(80), Room::Cut, &rows), whole);
        assert_eq!(table(Some(16), Room::Cut, &rows), "ID    NAME\n1234  a name th…\n5     日本語の…\n");
        assert_eq!(
            table(Some(16), Room::Wrap, &rows),
            "ID    NAME\n1234  a name\n      that is\n      long\n5     日本語のな\n      まえ\n"
        );
        assert_eq!(table(Some(3), Room::Cut, &[["1234", "abc"]]), "ID    NAME\n1234  abc\n", "ids are whole");
    }

    #[test]
    fn the_first_rows_decide_how_wide_columns_are() {
        let mut table = Table::new(vec![("A", Room::Whole), ("B", Room::Cut)], Some(20));
        let mut out = Vec::new();
        table.write(&mut out, &[vec!["aa".to_owned(), "b".to_owned()]]).unwrap();
        table.write(&mut out, &[vec!["a".to_owned(), "bbbbbbbbb".to_owned()]]).unwrap();
        let text = anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string();
        assert_eq!(text, "A   B\naa  b\na   …\n");
    }
}

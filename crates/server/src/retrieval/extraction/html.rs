//! What a web page says. Pages are read tag by tag and never become a tree, so that no nesting is too deep.

use std::borrow::Cow;
use std::cell::RefCell;

use encoding_rs::{Encoding, UTF_8};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer};

use super::Extracted;

/// Links of one page that are looked at.
const MOST_LINKS: usize = 2_000;
/// Where a page may say its encoding.
const HEAD: usize = 1_024;

/// A page's bytes as text: in the encoding of its type, or of its `meta`, else UTF-8.
pub(super) fn decoded<'b>(mime_type: &str, bytes: &'b [u8]) -> Cow<'b, str> {
    let encoding = super::encoding(mime_type).or_else(|| {
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD)]).to_ascii_lowercase();
        let (_, label) = head.split_once("charset=")?;
        let label = label.trim_start_matches(['"', '\'']);
        Encoding::for_label(label.split(['"', '\'', '>', ';', ' ', '/']).next()?.as_bytes())
    });
    encoding.unwrap_or(UTF_8).decode(bytes).0
}

pub(super) fn read(page: &str) -> Extracted {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(page));
    let tokenizer = Tokenizer::new(Page::default(), Default::default());
    // A script is skipped and not waited for, so one pass reads all.
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    let Writing { mut extracted, title, .. } = tokenizer.sink.0.into_inner();
    extracted.title = (!title.trim().is_empty()).then_some(title).or(extracted.title);
    extracted.headed = true;
    extracted
}

#[derive(Default)]
struct Page(RefCell<Writing>);

/// A page's text in the making.
#[derive(Default)]
struct Writing {
    extracted: Extracted,
    title: String,
    in_title: bool,
    /// What is not read, and how many more of its kind have begun within it.
    skipping: Option<(String, u32)>,
    /// Preformatted text keeps its blanks.
    preformatted: u32,
    /// A blank that is due before the next word.
    blank: bool,
}

impl TokenSink for Page {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let mut writing = self.0.borrow_mut();
        match token {
            Token::TagToken(tag) => return writing.tag(&tag),
            Token::CharacterTokens(text) => writing.text(&text),
            Token::DoctypeToken(_)
            | Token::CommentToken(_)
            | Token::NullCharacterToken
            | Token::EOFToken
            | Token::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }
}

impl Writing {
    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        let starts = tag.kind == TagKind::StartTag;
        if name == "a" && starts {
            self.link(tag);
        }
        if let Some((skipped, depth)) = &mut self.skipping {
            if skipped == name {
                match (starts, *depth) {
                    (true, _) => *depth += 1,
                    (false, 0) => self.skipping = None,
                    (false, _) => *depth -= 1,
                }
            }
            return raw(name, starts);
        }
        match name {
            "script" | "style" | "noscript" | "template" | "svg" | "iframe" | "object" | "select"
            | "button" | "textarea" | "nav" | "math" | "dialog"
                if starts && !tag.self_closing =>
            {
                self.skipping = Some((name.to_owned(), 0));
            }
            "title" => self.in_title = starts && self.title.is_empty(),
            "html" if starts => self.extracted.language = attribute(tag, "lang"),
            "base" if starts => self.extracted.base = self.extracted.base.take().or(attribute(tag, "href")),
            "meta" if starts => self.meta(tag),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.paragraph();
                if starts {
                    let level = usize::from(name.as_bytes()[1] - b'0');
                    self.extracted.text.extend(std::iter::repeat_n('#', level));
                    self.extracted.text.push(' ');
                }
            }
            "pre" => {
                self.paragraph();
                self.preformatted = match starts {
                    true => self.preformatted + 1,
                    false => self.preformatted.saturating_sub(1),
                };
            }
            "li" | "dt" | "dd" if starts => {
                self.line();
                self.extracted.text.push_str("- ");
            }
            "br" | "tr" | "option" => self.line(),
            "td" | "th" if starts && !self.at_line_start() => self.extracted.text.push_str(" | "),
            "p" | "div" | "section" | "article" | "header" | "footer" | "main" | "aside" | "ul" | "ol"
            | "dl" | "table" | "blockquote" | "figure" | "figcaption" | "hr" | "form" | "details"
            | "summary" | "address" | "body" | "fieldset" => self.paragraph(),
            _ => {}
        }
        raw(name, starts)
    }

    fn link(&mut self, tag: &Tag) {
        let no_follow = attribute(tag, "rel").is_some_and(|rel| {
            rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("nofollow"))
        });
        if let Some(link) = attribute(tag, "href").filter(|_| !no_follow)
            && self.extracted.links.len() < MOST_LINKS
        {
            self.extracted.links.push(link);
        }
    }

    fn meta(&mut self, tag: &Tag) {
        let name = attribute(tag, "name").or_else(|| attribute(tag, "property")).unwrap_or_default();
        let Some(content) = attribute(tag, "content") else { return };
        let extracted = &mut self.extracted;
        match name.to_ascii_lowercase().as_str() {
            "description" => extracted.description = Some(content),
            "og:description" => {
                extracted.description.get_or_insert(content);
            }
            "og:title" => extracted.title = Some(content),
            "article:published_time" => extracted.published = content.trim().parse().ok(),
            "robots" => {
                let says = |word| content.to_ascii_lowercase().split(',').any(|said| said.trim() == word);
                extracted.no_index = says("noindex") || says("none");
                extracted.no_follow = says("nofollow") || says("none");
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.in_title {
            self.title.push_str(text);
        } else if self.skipping.is_some() {
        } else if self.preformatted > 0 {
            self.extracted.text.push_str(text);
        } else {
            for (index, word) in text.split(|sign: char| sign.is_whitespace()).enumerate() {
                self.blank |= index > 0;
                if word.is_empty() {
                    continue;
                }
                if self.blank && !self.at_line_start() && !self.extracted.text.ends_with(' ') {
                    self.extracted.text.push(' ');
                }
                self.blank = false;
                self.extracted.text.push_str(word);
            }
        }
    }

    fn at_line_start(&self) -> bool {
        self.extracted.text.is_empty() || self.extracted.text.ends_with('\n')
    }

    /// Begins a line.
    fn line(&mut self) {
        self.blank = false;
        if self.preformatted > 0 || !self.at_line_start() {
            self.extracted.text.push('\n');
        }
    }

    /// Begins a paragraph.
    fn paragraph(&mut self) {
        self.line();
        let text = &mut self.extracted.text;
        if !text.is_empty() && !text.ends_with("\n\n") {
            text.push('\n');
        }
    }
}

fn attribute(tag: &Tag, name: &str) -> Option<String> {
    let found = tag.attrs.iter().find(|attribute| &*attribute.name.local == name)?;
    let value = found.value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// How what follows a tag is read: a script is no markup.
fn raw(name: &str, starts: bool) -> TokenSinkResult<()> {
    match name {
        "script" if starts => TokenSinkResult::RawData(RawKind::ScriptData),
        "style" | "iframe" | "noembed" | "noframes" | "xmp" if starts => {
            TokenSinkResult::RawData(RawKind::Rawtext)
        }
        "title" | "textarea" if starts => TokenSinkResult::RawData(RawKind::Rcdata),
        _ => TokenSinkResult::Continue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_its_text_with_headings_lists_and_tables() {
        let page = read(
            "<!doctype html><html lang=de><head><title>Bakery &amp; Café</title><style>p { color: red }</style>\
             <meta name=description content='All about bread'><meta property=article:published_time content=2026-01-02T03:04:05Z>\
             </head><body><nav><a href=/about>About</a></nav><h1>Our <em>bread</em></h1>\n<p>Fresh\n  every <b>day</b>.\
             <script>if (a < b) document.write('<p>no</p>')</script></p><ul><li>Rye<li>Spelt</ul>\
             <table><tr><th>Day<th>Hours<tr><td>Monday<td>7-18</table><pre>a\n  b</pre><a rel=nofollow href=/ad>ad</a></body>",
        );
        assert_eq!(
            page.text.trim(),
            "# Our bread\n\nFresh every day.\n\n- Rye\n- Spelt\n\nDay | Hours\nMonday | 7-18\n\na\n  b\n\nad"
        );
        assert_eq!(page.title.as_deref(), Some("Bakery & Café"));
        assert_eq!(page.description.as_deref(), Some("All about bread"));
        assert_eq!(page.language.as_deref(), Some("de"));
        assert!(page.published.is_some());
        assert_eq!(page.links, ["/about"]);
    }

    #[test]
    fn what_is_hostile_is_read_like_anything_else() {
        let deep = "<div>".repeat(200_000) + "deep" + &"</p>".repeat(1000);
        assert_eq!(read(&deep).text.trim(), "deep");
        for broken in ["<", "<a", "<a href='", "<!--", "<title>", "<script>", "&#x110000;", "<p/>\0<\0"] {
            read(broken);
        }
        let links = "<a href=x>".repeat(10_000);
        assert_eq!(read(&links).links.len(), MOST_LINKS);
    }

    #[test]
    fn a_page_says_what_is_to_be_done_with_it() {
        let page = read("<meta name=robots content='NOINDEX, nofollow'><base href=https://example.com/x/>");
        assert!(page.no_index && page.no_follow);
        assert_eq!(page.base.as_deref(), Some("https://example.com/x/"));
        assert_eq!(decoded("text/html", b"<meta charset=iso-8859-1>\xfc"), "<meta charset=iso-8859-1>ü");
        assert_eq!(decoded("text/html; charset=utf-8", "ü".as_bytes()), "ü");
    }
}

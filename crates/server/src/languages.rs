//! Languages as people call them: `en-US` is "🇺🇸 English (United States)". Below all layers.
//!
//! Knows the languages that voices are sold for. What it does not know has no label, rather than one that is half a code.

/// Languages by their codes (ISO 639), in the order of the codes, with their English names as Unicode's locale data has them.
const LANGUAGES: [(&str, &str); 91] = [
    ("af", "Afrikaans"),
    ("am", "Amharic"),
    ("ar", "Arabic"),
    ("as", "Assamese"),
    ("az", "Azerbaijani"),
    ("be", "Belarusian"),
    ("bg", "Bulgarian"),
    ("bn", "Bangla"),
    ("bs", "Bosnian"),
    ("ca", "Catalan"),
    ("ceb", "Cebuano"),
    ("cmn", "Mandarin Chinese"),
    ("cs", "Czech"),
    ("cy", "Welsh"),
    ("da", "Danish"),
    ("de", "German"),
    ("el", "Greek"),
    ("en", "English"),
    ("es", "Spanish"),
    ("et", "Estonian"),
    ("eu", "Basque"),
    ("fa", "Persian"),
    ("fi", "Finnish"),
    ("fil", "Filipino"),
    ("fr", "French"),
    ("ga", "Irish"),
    ("gl", "Galician"),
    ("gu", "Gujarati"),
    ("ha", "Hausa"),
    ("he", "Hebrew"),
    ("hi", "Hindi"),
    ("hr", "Croatian"),
    ("hu", "Hungarian"),
    ("hy", "Armenian"),
    ("id", "Indonesian"),
    ("ig", "Igbo"),
    ("is", "Icelandic"),
    ("it", "Italian"),
    ("ja", "Japanese"),
    ("jv", "Javanese"),
    ("ka", "Georgian"),
    ("kk", "Kazakh"),
    ("km", "Khmer"),
    ("kn", "Kannada"),
    ("ko", "Korean"),
    ("ky", "Kyrgyz"),
    ("lb", "Luxembourgish"),
    ("lo", "Lao"),
    ("lt", "Lithuanian"),
    ("lv", "Latvian"),
    ("mi", "Māori"),
    ("mk", "Macedonian"),
    ("ml", "Malayalam"),
    ("mn", "Mongolian"),
    ("mr", "Marathi"),
    ("ms", "Malay"),
    ("mt", "Maltese"),
    ("my", "Burmese"),
    ("nb", "Norwegian Bokmål"),
    ("ne", "Nepali"),
    ("nl", "Dutch"),
    ("no", "Norwegian"),
    ("or", "Odia"),
    ("pa", "Punjabi"),
    ("pl", "Polish"),
    ("ps", "Pashto"),
    ("pt", "Portuguese"),
    ("ro", "Romanian"),
    ("ru", "Russian"),
    ("sd", "Sindhi"),
    ("si", "Sinhala"),
    ("sk", "Slovak"),
    ("sl", "Slovenian"),
    ("so", "Somali"),
    ("sq", "Albanian"),
    ("sr", "Serbian"),
    ("su", "Sundanese"),
    ("sv", "Swedish"),
    ("sw", "Swahili"),
    ("ta", "Tamil"),
    ("te", "Telugu"),
    ("th", "Thai"),
    ("tr", "Turkish"),
    ("uk", "Ukrainian"),
    ("ur", "Urdu"),
    ("uz", "Uzbek"),
    ("vi", "Vietnamese"),
    ("yo", "Yoruba"),
    ("yue", "Cantonese"),
    ("zh", "Chinese"),
    ("zu", "Zulu"),
];

/// Scripts by their codes (ISO 15924).
const SCRIPTS: [(&str, &str); 6] = [
    ("Arab", "Arabic"),
    ("Cyrl", "Cyrillic"),
    ("Deva", "Devanagari"),
    ("Hans", "Simplified"),
    ("Hant", "Traditional"),
    ("Latn", "Latin"),
];

/// Where languages are spoken, by codes (ISO 3166, and one of the United Nations).
const REGIONS: [(&str, &str); 101] = [
    ("419", "Latin America"),
    ("AE", "United Arab Emirates"),
    ("AF", "Afghanistan"),
    ("AL", "Albania"),
    ("AM", "Armenia"),
    ("AR", "Argentina"),
    ("AT", "Austria"),
    ("AU", "Australia"),
    ("AZ", "Azerbaijan"),
    ("BA", "Bosnia & Herzegovina"),
    ("BD", "Bangladesh"),
    ("BE", "Belgium"),
    ("BG", "Bulgaria"),
    ("BO", "Bolivia"),
    ("BR", "Brazil"),
    ("BY", "Belarus"),
    ("CA", "Canada"),
    ("CH", "Switzerland"),
    ("CL", "Chile"),
    ("CN", "China"),
    ("CO", "Colombia"),
    ("CR", "Costa Rica"),
    ("CU", "Cuba"),
    ("CZ", "Czechia"),
    ("DE", "Germany"),
    ("DK", "Denmark"),
    ("DO", "Dominican Republic"),
    ("DZ", "Algeria"),
    ("EC", "Ecuador"),
    ("EE", "Estonia"),
    ("EG", "Egypt"),
    ("ES", "Spain"),
    ("ET", "Ethiopia"),
    ("FI", "Finland"),
    ("FR", "France"),
    ("GB", "United Kingdom"),
    ("GE", "Georgia"),
    ("GR", "Greece"),
    ("GT", "Guatemala"),
    ("HK", "Hong Kong"),
    ("HN", "Honduras"),
    ("HR", "Croatia"),
    ("HU", "Hungary"),
    ("ID", "Indonesia"),
    ("IE", "Ireland"),
    ("IL", "Israel"),
    ("IN", "India"),
    ("IQ", "Iraq"),
    ("IR", "Iran"),
    ("IS", "Iceland"),
    ("IT", "Italy"),
    ("JO", "Jordan"),
    ("JP", "Japan"),
    ("KE", "Kenya"),
    ("KH", "Cambodia"),
    ("KR", "South Korea"),
    ("KW", "Kuwait"),
    ("KZ", "Kazakhstan"),
    ("LA", "Laos"),
    ("LB", "Lebanon"),
    ("LK", "Sri Lanka"),
    ("LT", "Lithuania"),
    ("LU", "Luxembourg"),
    ("LV", "Latvia"),
    ("MA", "Morocco"),
    ("MK", "North Macedonia"),
    ("MM", "Myanmar (Burma)"),
    ("MN", "Mongolia"),
    ("MT", "Malta"),
    ("MX", "Mexico"),
    ("MY", "Malaysia"),
    ("NG", "Nigeria"),
    ("NL", "Netherlands"),
    ("NO", "Norway"),
    ("NP", "Nepal"),
    ("NZ", "New Zealand"),
    ("PE", "Peru"),
    ("PH", "Philippines"),
    ("PK", "Pakistan"),
    ("PL", "Poland"),
    ("PR", "Puerto Rico"),
    ("PT", "Portugal"),
    ("QA", "Qatar"),
    ("RO", "Romania"),
    ("RS", "Serbia"),
    ("RU", "Russia"),
    ("SA", "Saudi Arabia"),
    ("SE", "Sweden"),
    ("SG", "Singapore"),
    ("SI", "Slovenia"),
    ("SK", "Slovakia"),
    ("TH", "Thailand"),
    ("TN", "Tunisia"),
    ("TR", "Türkiye"),
    ("TW", "Taiwan"),
    ("TZ", "Tanzania"),
    ("UA", "Ukraine"),
    ("US", "United States"),
    ("UY", "Uruguay"),
    ("VN", "Vietnam"),
    ("ZA", "South Africa"),
];

/// What people call a language, from its BCP-47 tag in any letter case: language, perhaps script, perhaps region. None if anything of
/// it is not known here.
pub(crate) fn label(tag: &str) -> Option<String> {
    let mut parts = tag.split(['-', '_']).peekable();
    let language = name(&LANGUAGES, &parts.next()?.to_ascii_lowercase())?;
    let script = match parts.next_if(|part| part.len() == 4) {
        None => None,
        Some(script) => Some(name(&SCRIPTS, &capitalized(script))?),
    };
    let region = match parts.next() {
        None => None,
        Some(code) => {
            let code = code.to_ascii_uppercase();
            let name = name(&REGIONS, &code)?;
            Some((code, name))
        }
    };
    if parts.next().is_some() {
        return None;
    }
    let flag = region.as_ref().and_then(|(code, _)| flag(code)).map_or(String::new(), |flag| flag + " ");
    let details: Vec<&str> = script.into_iter().chain(region.map(|(_, name)| name)).collect();
    Some(match details.is_empty() {
        true => language.to_owned(),
        false => format!("{flag}{language} ({})", details.join(", ")),
    })
}

fn name(table: &[(&str, &'static str)], code: &str) -> Option<&'static str> {
    let at = table.binary_search_by_key(&code, |(code, _)| code).ok()?;
    table.get(at).map(|(_, name)| *name)
}

fn capitalized(script: &str) -> String {
    let mut lower = script.to_ascii_lowercase();
    if let Some(first) = lower.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    lower
}

/// The flag of a country: its two letters, as Unicode's regional indicators. What is larger than a country has none.
fn flag(code: &str) -> Option<String> {
    let letter = |letter: char| match letter {
        'A'..='Z' => char::from_u32('\u{1F1E6}' as u32 + (letter as u32 - 'A' as u32)),
        _ => None,
    };
    code.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_becomes_what_people_say() {
        for (tag, expected) in [
            ("en-US", Some("🇺🇸 English (United States)")),
            ("EN_us", Some("🇺🇸 English (United States)")),
            ("de", Some("German")),
            ("es-419", Some("Spanish (Latin America)")),
            ("zh-hant-tw", Some("🇹🇼 Chinese (Traditional, Taiwan)")),
            ("sr-Cyrl", Some("Serbian (Cyrillic)")),
            ("fil-PH", Some("🇵🇭 Filipino (Philippines)")),
            ("tlh", None),
            ("en-XX", None),
            ("en-Qaaa-US", None),
            ("en-US-x-twain", None),
            ("en-", None),
            ("", None),
            ("ünï-ÜÜ", None),
        ] {
            assert_eq!(label(tag).as_deref(), expected, "{tag}");
        }
    }

    #[test]
    fn every_code_of_the_tables_is_found() {
        for table in [&LANGUAGES[..], &SCRIPTS, &REGIONS] {
            assert!(table.is_sorted_by(|(one, _), (other, _)| one < other), "{table:?}");
            assert!(table.iter().all(|(code, known)| name(table, code) == Some(known)));
        }
    }
}

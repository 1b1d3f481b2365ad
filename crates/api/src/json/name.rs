//! A field's two spellings, made at compile time from the Rust field's name.

/// How a field is spelled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name {
    /// The spelling that is written.
    pub(crate) camel: &'static str,
    /// The spelling that is also taken.
    pub(crate) snake: &'static str,
}

/// A camelCase spelling in the making: never longer than its snake_case form.
pub(crate) struct Camel<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Camel<N> {
    pub(crate) const fn of(snake: &str) -> Self {
        let snake = snake.as_bytes();
        let (mut bytes, mut len, mut i) = ([0; N], 0, 0);
        while i < N {
            if snake[i] == b'_' && i + 1 < N {
                i += 1;
                bytes[len] = snake[i].to_ascii_uppercase();
            } else {
                bytes[len] = snake[i];
            }
            len += 1;
            i += 1;
        }
        Self { bytes, len }
    }

    pub(crate) const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => panic!("field names are ASCII"),
        }
    }
}

/// The [`Name`] of a Rust field, or of a field whose wire name is no Rust name.
macro_rules! name {
    ($field:ident) => {{
        const SNAKE: &str = stringify!($field);
        const CAMEL: &$crate::json::name::Camel<{ SNAKE.len() }> = &$crate::json::name::Camel::of(SNAKE);
        $crate::json::Name { camel: CAMEL.as_str(), snake: SNAKE }
    }};
    ($field:ident $wire:literal) => {
        $crate::json::Name { camel: $wire, snake: $wire }
    };
}
pub(crate) use name;

#[cfg(test)]
mod tests {
    #[test]
    fn snake_case_becomes_camel_case() {
        assert_eq!(name!(input_sample_rate).camel, "inputSampleRate");
        assert_eq!(name!(url).camel, "url");
        assert_eq!(name!(web_rtc).snake, "web_rtc");
        assert_eq!(name!(kind "type").camel, "type");
    }
}
